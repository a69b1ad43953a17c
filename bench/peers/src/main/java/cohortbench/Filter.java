package cohortbench;

/** What a property of an event has to be like. */
sealed interface Filter {
    Utf8 property();

    default boolean acceptsNumber(double number) {
        return false;
    }

    /** Whether the text between two positions of a buffer will do. */
    default boolean acceptsText(byte[] bytes, int from, int to) {
        return false;
    }

    /** A number above a limit. */
    record MoreThan(Utf8 property, double limit) implements Filter {
        @Override
        public boolean acceptsNumber(double number) {
            return number > limit;
        }
    }

    /** One certain text. */
    record Equal(Utf8 property, Utf8 text) implements Filter {
        @Override
        public boolean acceptsText(byte[] bytes, int from, int to) {
            return text.is(bytes, from, to);
        }
    }
}
