package cohortbench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Conditions compiled to as few matchers as serve them. */
final class Catalog {
    static final Catalog W1 = new Catalog(Condition.W1);

    private final List<Condition> conditions;
    private final Matcher[] matchers;
    /** The matcher of each condition. */
    private final int[] slots;
    private final Watched[] watched;

    Catalog(List<Condition> conditions) {
        this.conditions = conditions;
        List<Matcher> found = new ArrayList<>();
        slots = new int[conditions.size()];
        for (int number = 0; number < slots.length; number++) {
            slots[number] = slot(found, conditions.get(number));
        }
        matchers = found.toArray(Matcher[]::new);
        Map<Utf8, List<Matcher>> byName = new LinkedHashMap<>();
        for (Matcher matcher : matchers) {
            byName.computeIfAbsent(matcher.event(), name -> new ArrayList<>()).add(matcher);
        }
        watched = byName.entrySet().stream()
                .map(entry -> Watched.of(entry.getKey(), entry.getValue()))
                .toArray(Watched[]::new);
    }

    private static int slot(List<Matcher> matchers, Condition condition) {
        for (Matcher matcher : matchers) {
            if (matcher.isFor(condition)) {
                matchers.set(matcher.slot(), matcher.with(condition));
                return matcher.slot();
            }
        }
        matchers.add(new Matcher(matchers.size(), condition.event(), condition.filter(),
                condition.atLeast(), condition.withinMs()));
        return matchers.size() - 1;
    }

    int size() {
        return matchers.length;
    }

    Matcher matcher(int slot) {
        return matchers[slot];
    }

    /** What is watched under the name between two positions of a buffer, or null. */
    Watched watched(byte[] bytes, int from, int to) {
        for (Watched one : watched) {
            if (one.event().is(bytes, from, to)) {
                return one;
            }
        }
        return null;
    }

    /** What each condition says of a person at an instant; no record means never seen. */
    String answers(byte[] record, long nowMs) {
        return answers(record, nowMs, Long.MAX_VALUE);
    }

    /** The same, with a dash where a condition looks back further than the record was kept. */
    String answers(byte[] kept, long nowMs, long keptMs) {
        byte[] record = kept == null ? new byte[matchers.length] : kept;
        char[] digits = new char[slots.length];
        for (int number = 0; number < slots.length; number++) {
            Condition condition = conditions.get(number);
            boolean holds = condition.holds(Newest.count(
                    this, record, slots[number], nowMs - condition.withinMs(), nowMs));
            digits[number] = condition.withinMs() > keptMs ? '-' : holds ? '1' : '0';
        }
        return new String(digits);
    }
}
