package cohortbench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.CloseableIterator;

/** What both ways to use Flink share: a cluster in this process, the source, and the end. */
final class FlinkJob {
    private static final int PARALLELISM = 2;
    private static final String HEAP = "heap";
    private static final String ROCKSDB = "rocksdb";
    private static final long MANAGED_MB = 512;
    private static final long MANY_SECONDS = Duration.ofDays(1).toSeconds();
    private static final long NANOS = 1_000_000_000;

    private final Run run;
    private final Answers answers;
    private final String backend;
    private final long checkpointMs;
    private final long parallelism;
    private final long seconds;
    private final Progress progress = Progress.OF_PROCESS;

    FlinkJob(Options options, String usualBackend) throws IOException {
        this(options, usualBackend, Run.of(options));
    }

    FlinkJob(Options options, String usualBackend, Run run) throws IOException {
        this.run = run;
        answers = Answers.ifWanted(options);
        backend = options.word("backend", usualBackend, Set.of(HEAP, ROCKSDB));
        checkpointMs = options.number("checkpoint-ms", 5_000);
        parallelism = options.number("parallelism", PARALLELISM);
        seconds = options.number("seconds", MANY_SECONDS);
    }

    boolean isAsked() {
        return answers != null;
    }

    long nowMs() {
        return isAsked() ? answers.nowMs() : 0;
    }

    private StreamExecutionEnvironment environment() throws IOException {
        Path checkpoints = Files.createDirectories(run.stateDir().resolve("checkpoints"));
        Configuration settings = new Configuration();
        settings.set(StateBackendOptions.STATE_BACKEND,
                backend.equals(HEAP) ? "hashmap" : "rocksdb");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints.toUri().toString());
        settings.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
        if (checkpointMs > 0) {
            settings.set(CheckpointingOptions.CHECKPOINTING_INTERVAL,
                    Duration.ofMillis(checkpointMs));
        }
        settings.set(CoreOptions.TMP_DIRS, run.stateDir().toAbsolutePath().toString());
        settings.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(MANAGED_MB));
        settings.set(PipelineOptions.OBJECT_REUSE, true);
        settings.set(RestartStrategyOptions.RESTART_STRATEGY, "disable");
        return StreamExecutionEnvironment.createLocalEnvironment((int) parallelism, settings);
    }

    /** The watched events by person. */
    KeyedStream<Sighting, String> sightings(WatermarkStrategy<Sighting> watermarks)
            throws IOException {
        KafkaSource<Sighting> source = KafkaSource.<Sighting>builder()
                .setBootstrapServers(run.brokers())
                .setTopics(run.topic())
                .setGroupId(run.id())
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setDeserializer(new SightingSchema())
                .setProperties(ConsumerSettings.fetching())
                .build();
        return sightings(source, watermarks);
    }

    /** The watched events of any source, by person. */
    KeyedStream<Sighting, String> sightings(
            Source<Sighting, ?, ?> source, WatermarkStrategy<Sighting> watermarks)
            throws IOException {
        return environment().fromSource(source, watermarks, "events", new SightingType())
                .uid("events")
                .keyBy(Sighting::person);
    }

    /** Keeps the newest of each person, in one record in keyed state. */
    Report keepNewest(String contestant, KeyedStream<Sighting, String> people) throws Exception {
        DataStream<String> lines =
                people.process(new NewestFunction(isAsked(), nowMs())).uid("newest");
        return run(contestant, lines);
    }

    /** Runs what makes these lines of answers until its input or its time is over. */
    Report run(String contestant, DataStream<String> answering) throws Exception {
        DataStream<String> lines = answering.map(new CheckpointCounter());
        CloseableIterator<String> collected = isAsked() ? lines.collectAsync() : null;
        if (!isAsked()) {
            lines.sinkTo(new DiscardingSink<>());
        }
        JobClient job = lines.getExecutionEnvironment().executeAsync(contestant);
        CompletableFuture<?> end = job.getJobExecutionResult().whenComplete((result, failure) -> {
            if (failure != null) {
                progress.fail(failure);
            }
        });
        // The job can't end while its answers wait to be fetched.
        CompletableFuture<?> written = CompletableFuture.runAsync(() -> write(collected));
        long deadline = System.nanoTime() + seconds * NANOS;
        long lastMs = progress.await(
                run.records(), () -> end.isDone() || System.nanoTime() > deadline);
        if (System.nanoTime() > deadline) {
            Report report = progress.report(contestant, lastMs);
            job.cancel().get();
            return report;
        }
        end.get();
        written.get();
        return progress.report(contestant, lastMs);
    }

    private void write(CloseableIterator<String> lines) {
        if (!isAsked()) {
            return;
        }
        try (answers; lines) {
            lines.forEachRemaining(answers::write);
        } catch (Exception failure) {
            throw new IllegalStateException("the answers can't be written", failure);
        }
    }
}
