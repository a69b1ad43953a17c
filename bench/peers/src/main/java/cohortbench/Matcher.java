package cohortbench;

import java.util.Objects;

/** Events that one or more conditions count, and how much of them those need. */
record Matcher(int slot, Utf8 event, Filter filter, int newest, long horizonMs) {
    boolean isFor(Condition condition) {
        return event.equals(condition.event())
                && Objects.equals(filter, condition.filter());
    }

    /** The matcher that serves this condition too. */
    Matcher with(Condition condition) {
        return new Matcher(slot, event, filter, Math.max(newest, condition.atLeast()),
                Math.max(horizonMs, condition.withinMs()));
    }
}
