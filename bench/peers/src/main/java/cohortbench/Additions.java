package cohortbench;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What a batch adds to the sorted set of a person and a matcher. */
final class Additions {
    private final int slot;
    private final List<byte[]> scoresAndMembers = new ArrayList<>(2);
    private long latestMs = Long.MIN_VALUE;

    Additions(int slot) {
        this.slot = slot;
    }

    void add(long timeMs, byte[] member) {
        scoresAndMembers.add(Long.toString(timeMs).getBytes(StandardCharsets.US_ASCII));
        scoresAndMembers.add(member);
        latestMs = Math.max(latestMs, timeMs);
    }

    int slot() {
        return slot;
    }

    long latestMs() {
        return latestMs;
    }

    /** A key, an option, then scores and members. */
    byte[][] arguments(byte[] key, byte[] option) {
        byte[][] arguments = new byte[2 + scoresAndMembers.size()][];
        arguments[0] = key;
        arguments[1] = option;
        for (int number = 0; number < scoresAndMembers.size(); number++) {
            arguments[2 + number] = scoresAndMembers.get(number);
        }
        return arguments;
    }
}
