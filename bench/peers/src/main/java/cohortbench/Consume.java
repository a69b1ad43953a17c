package cohortbench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.serialization.ByteBufferDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/** The floor of every contestant: consumes the topic, or parses it too, and keeps nothing. */
final class Consume<V> implements Contestant {
    private static final int THREADS = 2;

    private final String name;
    private final Readers<V> readers;

    private Consume(String name, Options options, Supplier<Deserializer<V>> values)
            throws IOException {
        this.name = name;
        int threads = (int) options.number("threads", THREADS);
        this.readers = new Readers<>(Run.of(options), threads, values);
    }

    static Contestant consumer(Options options) throws IOException {
        return new Consume<ByteBuffer>("consumer", options, ByteBufferDeserializer::new);
    }

    static Contestant parse(Options options) throws IOException {
        return new Consume<Sighting>("parse", options, SightingDeserializer::new);
    }

    @Override
    public Report run() throws InterruptedException {
        return readers.read(name, consumer -> new Nowhere<>());
    }

    /** Keeps nothing. */
    private static final class Nowhere<V> implements Reader.Sink<V> {
        @Override
        public void apply(ConsumerRecords<ByteBuffer, V> batch) {}

        @Override
        public void close() {}
    }
}
