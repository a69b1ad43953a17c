package cohortbench;

/** One way to keep the windows of all people and to answer the conditions. */
interface Contestant {
    /** Applies the records that it was told to, and writes answers if it was told to. */
    Report run() throws Exception;
}
