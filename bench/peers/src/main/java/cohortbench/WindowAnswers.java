package cohortbench;

import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** Says what the conditions come to at the end of each window of each person. */
final class WindowAnswers extends ProcessWindowFunction<byte[], String, String, TimeWindow> {
    private static final long serialVersionUID = 1L;

    private final long windowMs;
    private final boolean isAsked;
    private final long nowMs;

    /** Of all windows, or of those that end at an instant which was asked for. */
    WindowAnswers(long windowMs, boolean isAsked, long nowMs) {
        this.windowMs = windowMs;
        this.isAsked = isAsked;
        this.nowMs = nowMs;
    }

    @Override
    public void process(
            String person, Context context, Iterable<byte[]> records, Collector<String> lines) {
        long lastMs = context.window().maxTimestamp();
        if (isAsked && lastMs != nowMs) {
            return;
        }
        String digits = Catalog.W1.answers(records.iterator().next(), lastMs, windowMs);
        lines.collect(Answers.line(person, digits));
    }
}
