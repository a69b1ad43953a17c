package cohortbench;

import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;

/** Flink with the sliding windows of its documentation: 5 minutes that slide by 10 seconds. */
final class FlinkSlidingPeer implements Contestant {
    private static final Duration SIZE = Duration.ofMinutes(5);
    private static final Duration SLIDE = Duration.ofSeconds(10);
    private static final Duration LATE = Duration.ofSeconds(60);
    private static final TypeInformation<byte[]> RECORD =
            PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;

    private final FlinkJob job;

    FlinkSlidingPeer(Options options) throws IOException {
        job = new FlinkJob(options, "rocksdb");
        if (job.isAsked() && (job.nowMs() + 1) % SLIDE.toMillis() != 0) {
            throw new IllegalArgumentException(
                    "these windows can answer only a millisecond before each tenth second");
        }
    }

    @Override
    public Report run() throws Exception {
        WatermarkStrategy<Sighting> watermarks =
                WatermarkStrategy.<Sighting>forBoundedOutOfOrderness(LATE)
                        .withTimestampAssigner((sighting, recordMs) -> sighting.timeMs());
        var windows = new CountedSlidingWindows(SIZE.toMillis(), SLIDE.toMillis());
        var answers = new WindowAnswers(SIZE.toMillis(), job.isAsked(), job.nowMs());
        DataStream<String> lines = job.sightings(watermarks)
                .window(windows)
                .aggregate(new NewestAggregate(), answers, RECORD, RECORD, Types.STRING)
                .uid("windows");
        return job.run("flink-sliding", lines);
    }
}
