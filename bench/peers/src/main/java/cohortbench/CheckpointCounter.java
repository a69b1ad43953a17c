package cohortbench;

import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.CheckpointListener;

/** Passes lines on, and hears of each checkpoint that is complete. */
final class CheckpointCounter extends RichMapFunction<String, String>
        implements CheckpointListener {
    private static final long serialVersionUID = 1L;

    @Override
    public String map(String line) {
        return line;
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) {
        if (getRuntimeContext().getTaskInfo().getIndexOfThisSubtask() == 0) {
            Progress.OF_PROCESS.checkpointed();
        }
    }
}
