package cohortbench;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

/** How many records this process has applied, and when. */
final class Progress {
    /** The one of this process, which Flink's operators find without being handed it. */
    static final Progress OF_PROCESS = new Progress();

    private final List<Counter> counters = new CopyOnWriteArrayList<>();
    private final AtomicLong firstMs = new AtomicLong();
    private final AtomicLong checkpoints = new AtomicLong();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    /** The records that one thread applied. */
    static final class Counter {
        private final AtomicLong applied = new AtomicLong();

        /** Only its own thread calls this, so no locked instruction is needed. */
        void add(long records) {
            applied.lazySet(applied.getPlain() + records);
        }
    }

    Counter counter() {
        Counter counter = new Counter();
        counters.add(counter);
        return counter;
    }

    void begin() {
        if (firstMs.get() == 0) {
            firstMs.compareAndSet(0, System.currentTimeMillis());
        }
    }

    void checkpointed() {
        checkpoints.incrementAndGet();
    }

    void fail(Throwable cause) {
        failure.compareAndSet(null, cause);
    }

    long applied() {
        return counters.stream().mapToLong(counter -> counter.applied.get()).sum();
    }

    /** Waits until so many records are applied or there are no more, and says when that was. */
    long await(long records, BooleanSupplier isOver) throws InterruptedException {
        while (applied() < records && !isOver.getAsBoolean()) {
            checkFailure();
            Thread.sleep(1);
        }
        checkFailure();
        return System.currentTimeMillis();
    }

    Report report(String contestant, long lastMs) {
        checkFailure();
        return new Report(contestant, applied(), firstMs.get(), lastMs, checkpoints.get());
    }

    private void checkFailure() {
        if (failure.get() != null) {
            throw new IllegalStateException("a worker failed: " + failure.get(), failure.get());
        }
    }
}
