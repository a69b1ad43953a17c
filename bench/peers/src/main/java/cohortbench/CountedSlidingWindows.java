package cohortbench;

import java.util.Collection;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;

/** Flink's sliding windows, which tell how many events they were given. */
final class CountedSlidingWindows extends SlidingEventTimeWindows {
    private static final long serialVersionUID = 1L;

    private transient Progress.Counter counter;

    CountedSlidingWindows(long sizeMs, long slideMs) {
        super(sizeMs, slideMs, 0);
    }

    @Override
    public Collection<TimeWindow> assignWindows(
            Object event, long timeMs, WindowAssignerContext context) {
        if (counter == null) {
            counter = Progress.OF_PROCESS.counter();
        }
        counter.add(1);
        return super.assignWindows(event, timeMs, context);
    }
}
