package cohortbench;

import java.util.List;

/** A question about a person: did it so often in the last so many milliseconds, or not. */
record Condition(Utf8 event, Filter filter, int atLeast, long withinMs, boolean negated) {
    /** The ten conditions of workload W1, in the order of the answers. */
    static final List<Condition> W1 = w1();

    private static List<Condition> w1() {
        Filter dear = new Filter.MoreThan(Utf8.of("price"), 50.0);
        Filter shoes = new Filter.Equal(Utf8.of("category"), Utf8.of("shoes"));
        return List.of(
                did("added to cart", 3, 300),
                did("added to cart", dear, 1, 300),
                did("product viewed", 5, 300),
                did("product viewed", shoes, 2, 300),
                did("checkout started", 1, 300),
                did("checkout started", 2, 60),
                did("purchase", 1, 300),
                new Condition(Utf8.of("purchase"), null, 1, 300_000, true),
                did("product viewed", 10, 600),
                did("added to cart", 1, 30));
    }

    boolean holds(int count) {
        return count >= atLeast != negated;
    }

    private static Condition did(String event, int atLeast, long withinS) {
        return did(event, null, atLeast, withinS);
    }

    private static Condition did(String event, Filter filter, int atLeast, long withinS) {
        return new Condition(Utf8.of(event), filter, atLeast, withinS * 1_000, false);
    }
}
