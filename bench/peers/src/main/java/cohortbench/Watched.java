package cohortbench;

import java.util.List;

/** An event name that conditions ask for, with what its events have to be checked for. */
record Watched(Utf8 event, int always, List<Matcher> filtered) {
    /** The slots of all matchers that look at this name, as bits. */
    static Watched of(Utf8 event, List<Matcher> matchers) {
        int always = 0;
        for (Matcher matcher : matchers) {
            always |= matcher.filter() == null ? 1 << matcher.slot() : 0;
        }
        return new Watched(event, always,
                matchers.stream().filter(matcher -> matcher.filter() != null).toList());
    }
}
