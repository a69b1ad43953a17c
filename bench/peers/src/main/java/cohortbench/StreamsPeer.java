package cohortbench;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams with one record per person in RocksDB and in a changelog topic. */
final class StreamsPeer implements Contestant {
    private static final String PEOPLE = "people";
    private static final Duration CLOSED_WITHIN = Duration.ofSeconds(60);
    private static final int POLL_RECORDS = 1_000;
    private static final Set<String> GUARANTEES =
            Set.of(StreamsConfig.AT_LEAST_ONCE, StreamsConfig.EXACTLY_ONCE_V2);

    private final Run run;
    private final Answers answers;
    private final long cacheBytes;
    private final Properties settings;
    private final int port;
    private final Progress progress = Progress.OF_PROCESS;

    StreamsPeer(Options options) throws IOException {
        run = Run.of(options);
        answers = Answers.ifWanted(options);
        cacheBytes = options.number("store-cache-bytes", 0);
        port = (int) options.number("serve", 0);
        settings = settings(
                options.word("guarantee", StreamsConfig.AT_LEAST_ONCE, GUARANTEES),
                options.number("commit-ms", 5_000),
                options.number("threads", 2));
    }

    private Properties settings(String guarantee, long commitMs, long threads) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, run.brokers());
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, run.id());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, run.stateDir().toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitMs);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, (int) threads);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, cacheBytes);
        ConsumerSettings.fetching().forEach((name, value) ->
                settings.put(StreamsConfig.mainConsumerPrefix((String) name), value));
        // What Streams buffers is read twice: more of it would not stay in the processor's cache.
        settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG),
                POLL_RECORDS);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG),
                "earliest");
        // A killed process that comes back need not wait until its former self has timed out.
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG),
                run.id());
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262_144);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 67_108_864);
        return settings;
    }

    private Topology topology() {
        StoreBuilder<KeyValueStore<String, byte[]>> people = Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(PEOPLE), Serdes.String(), Serdes.ByteArray());
        people = people.withLoggingEnabled(Map.of());
        people = cacheBytes > 0 ? people.withCachingEnabled() : people.withCachingDisabled();
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        return new Topology()
                .addSource("events", bytes, bytes, run.topic())
                .addProcessor("keep", () -> new NewestProcessor(PEOPLE, progress), "events")
                .addStateStore(people, "keep");
    }

    @Override
    public Report run() throws Exception {
        KafkaStreams streams = new KafkaStreams(topology(), settings);
        streams.setUncaughtExceptionHandler(failure -> {
            progress.fail(failure);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        try (streams; CheckServer server = server(streams)) {
            streams.start();
            long lastMs = progress.await(run.records(), () -> false);
            if (answers != null) {
                writeAnswers(people(streams));
            }
            streams.close(CLOSED_WITHIN);
            return progress.report("streams", lastMs);
        }
    }

    /** Null if nobody is to be served. */
    private CheckServer server(KafkaStreams streams) throws IOException {
        return port == 0 ? null : new CheckServer(port, id -> people(streams).get(id));
    }

    private void writeAnswers(ReadOnlyKeyValueStore<String, byte[]> people) throws IOException {
        try (answers; KeyValueIterator<String, byte[]> all = people.all()) {
            all.forEachRemaining(person -> answers.write(person.key, person.value));
        }
    }

    private static ReadOnlyKeyValueStore<String, byte[]> people(KafkaStreams streams) {
        return streams.store(StoreQueryParameters.fromNameAndType(
                PEOPLE, QueryableStoreTypes.keyValueStore()));
    }
}
