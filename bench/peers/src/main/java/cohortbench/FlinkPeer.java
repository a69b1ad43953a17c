package cohortbench;

import java.io.IOException;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;

/** Flink with one record per person in keyed state. */
final class FlinkPeer implements Contestant {
    private final FlinkJob job;

    FlinkPeer(Options options) throws IOException {
        job = new FlinkJob(options, "heap");
    }

    @Override
    public Report run() throws Exception {
        return job.keepNewest("flink", job.sightings(WatermarkStrategy.noWatermarks()));
    }
}
