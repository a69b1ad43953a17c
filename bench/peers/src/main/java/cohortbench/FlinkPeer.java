package cohortbench;

import java.io.IOException;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.DataStream;

/** Flink with one record per person in keyed state. */
final class FlinkPeer implements Contestant {
    private final FlinkJob job;

    FlinkPeer(Options options) throws IOException {
        job = new FlinkJob(options, "heap");
    }

    @Override
    public Report run() throws Exception {
        DataStream<String> lines = job.sightings(WatermarkStrategy.noWatermarks())
                .process(new NewestFunction(job.isAsked(), job.nowMs()))
                .uid("newest");
        return job.run("flink", lines);
    }
}
