package cohortbench;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Adds events to the record of a person in Flink's state; answers when the input ends. */
final class NewestFunction extends KeyedProcessFunction<String, Sighting, String> {
    private static final long serialVersionUID = 1L;

    private final boolean isAsked;
    private final long nowMs;
    private transient ValueState<byte[]> state;
    private transient Progress.Counter counter;

    /** Asked for the answers at an instant, or not. */
    NewestFunction(boolean isAsked, long nowMs) {
        this.isAsked = isAsked;
        this.nowMs = nowMs;
    }

    @Override
    public void open(OpenContext context) {
        state = getRuntimeContext().getState(new ValueStateDescriptor<>(
                "newest", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        counter = Progress.OF_PROCESS.counter();
    }

    @Override
    public void processElement(Sighting sighting, Context context, Collector<String> lines)
            throws Exception {
        byte[] record = state.value();
        if (isAsked && record == null) {
            context.timerService().registerEventTimeTimer(Long.MAX_VALUE);
        }
        byte[] added = Newest.with(Catalog.W1, record, sighting);
        if (added != record) {
            state.update(added);
        }
        counter.add(1);
    }

    @Override
    public void onTimer(long timeMs, OnTimerContext context, Collector<String> lines)
            throws Exception {
        String digits = Catalog.W1.answers(state.value(), nowMs);
        lines.collect(Answers.line(context.getCurrentKey(), digits));
    }
}
