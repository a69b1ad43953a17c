package cohortbench;

/**
 * A watched event as far as conditions care: who, when, which one, and the slots of the matchers
 * that it meets as bits.
 */
record Sighting(String person, long timeMs, long tag, int slots) {
    /** The tag of an event without a uuid, which equals no other. */
    static final long NO_TAG = 0;
}
