package cohortbench;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;

/** Flink's state alone: the same function over sightings that lie in memory, parsed before. */
final class FlinkStatePeer implements Contestant {
    /** Where the source, which Flink copies, finds them. */
    private static volatile Sighting[] sightings;

    private final FlinkJob job;

    /** Reads the events, a line of JSON each. */
    FlinkStatePeer(Options options) throws IOException {
        EventParser parser = new EventParser(Catalog.W1);
        List<Sighting> parsed = new ArrayList<>();
        try (BufferedReader lines = Files.newBufferedReader(options.path("events"))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Sighting sighting = parser.parse(line.getBytes(StandardCharsets.UTF_8));
                if (sighting != null) {
                    parsed.add(sighting);
                }
            }
        }
        sightings = parsed.toArray(Sighting[]::new);
        job = new FlinkJob(options, "heap", Run.ofMemory(options, sightings.length));
    }

    @Override
    public Report run() throws Exception {
        DataGeneratorSource<Sighting> source = new DataGeneratorSource<>(
                FlinkStatePeer::at, sightings.length, new SightingType());
        return job.keepNewest(
                "flink-state", job.sightings(source, WatermarkStrategy.noWatermarks()));
    }

    private static Sighting at(long index) {
        Progress.OF_PROCESS.begin();
        return sightings[(int) index];
    }
}
