package cohortbench;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteBufferDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/** Threads that share out the partitions of a topic for good, without a group that rebalances. */
final class Readers<V> {
    private final Run run;
    private final int threads;
    private final Supplier<Deserializer<V>> values;

    Readers(Run run, int threads, Supplier<Deserializer<V>> values) {
        this.run = run;
        this.threads = threads;
        this.values = values;
    }

    /** Reads until so many records are applied as the run asks for. */
    Report read(String contestant, Function<KafkaConsumer<ByteBuffer, V>, Reader.Sink<V>> sinks)
            throws InterruptedException {
        Progress progress = Progress.OF_PROCESS;
        List<Reader<V>> readers = new ArrayList<>();
        for (int number = 0; number < threads; number++) {
            var consumer = new KafkaConsumer<>(
                    ConsumerSettings.of(run), new ByteBufferDeserializer(), values.get());
            consumer.assign(share(consumer, number));
            readers.add(new Reader<>(consumer, sinks.apply(consumer), progress));
        }
        readers.forEach(Thread::start);
        long lastMs = progress.await(run.records(), () -> false);
        for (Reader<V> reader : readers) {
            reader.end();
        }
        return progress.report(contestant, lastMs);
    }

    private List<TopicPartition> share(KafkaConsumer<ByteBuffer, V> consumer, int number) {
        return consumer.partitionsFor(run.topic()).stream()
                .filter(partition -> partition.partition() % threads == number)
                .map(partition -> new TopicPartition(run.topic(), partition.partition()))
                .toList();
    }
}
