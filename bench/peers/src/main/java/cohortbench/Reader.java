package cohortbench;

import java.nio.ByteBuffer;
import java.time.Duration;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/** A thread that consumes its share of the partitions and applies batch after batch. */
final class Reader<V> extends Thread {
    private static final Duration POLL = Duration.ofMillis(100);

    private final KafkaConsumer<ByteBuffer, V> consumer;
    private final Sink<V> sink;
    private final Progress progress;
    private final Progress.Counter counter;
    private volatile boolean isStopped;

    /** What becomes of the records. */
    interface Sink<V> extends AutoCloseable {
        /** When this returns, the batch counts as applied. */
        void apply(ConsumerRecords<ByteBuffer, V> batch);

        /** Comes after the last batch. */
        @Override
        void close();
    }

    Reader(KafkaConsumer<ByteBuffer, V> consumer, Sink<V> sink, Progress progress) {
        this.consumer = consumer;
        this.sink = sink;
        this.progress = progress;
        this.counter = progress.counter();
    }

    @Override
    public void run() {
        try (consumer; sink) {
            while (!isStopped) {
                ConsumerRecords<ByteBuffer, V> batch = consumer.poll(POLL);
                if (!batch.isEmpty()) {
                    progress.begin();
                    sink.apply(batch);
                    counter.add(batch.count());
                }
            }
        } catch (Throwable failure) {
            progress.fail(failure);
        }
    }

    void end() throws InterruptedException {
        isStopped = true;
        join();
    }
}
