package cohortbench;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * What is kept of a person: for each matcher the times and tags of its newest events, newest first,
 * in one array that is never changed once made.
 *
 * <p>A byte for each matcher says how many of its events follow, 16 bytes each.
 */
final class Newest {
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final int ENTRY = 16;

    private Newest() {}

    /** The record with an event added; the same array if that changes nothing. */
    static byte[] with(Catalog catalog, byte[] record, Sighting sighting) {
        byte[] added = record == null ? new byte[catalog.size()] : record;
        for (int slots = sighting.slots(); slots != 0; slots &= slots - 1) {
            Matcher matcher = catalog.matcher(Integer.numberOfTrailingZeros(slots));
            added = with(catalog, added, matcher, sighting.timeMs(), sighting.tag());
        }
        return added;
    }

    private static byte[] with(
            Catalog catalog, byte[] record, Matcher matcher, long timeMs, long tag) {
        int count = record[matcher.slot()];
        int start = start(catalog, record, matcher.slot());
        int end = start + count * ENTRY;
        if (tag != Sighting.NO_TAG) {
            for (int at = start; at < end; at += ENTRY) {
                if (tag(record, at) == tag) {
                    return timeMs < time(record, at) ? earlier(record, at, end, timeMs) : record;
                }
            }
        }
        boolean full = count == matcher.newest();
        if (full && timeMs <= time(record, end - ENTRY)) {
            return record;
        }
        int at = start;
        while (at < end && time(record, at) >= timeMs) {
            at += ENTRY;
        }
        byte[] added = Arrays.copyOf(record, full ? record.length : record.length + ENTRY);
        int moved = (full ? end - ENTRY : record.length) - at;
        System.arraycopy(record, at, added, at + ENTRY, moved);
        put(added, at, timeMs, tag);
        added[matcher.slot()] += full ? 0 : 1;
        return added;
    }

    /** The record with the event at a position moved back in time: a copy of it was earlier. */
    private static byte[] earlier(byte[] record, int at, int end, long timeMs) {
        byte[] moved = record.clone();
        long tag = tag(record, at);
        int next = at + ENTRY;
        while (next < end && time(record, next) > timeMs) {
            System.arraycopy(record, next, moved, next - ENTRY, ENTRY);
            next += ENTRY;
        }
        put(moved, next - ENTRY, timeMs, tag);
        return moved;
    }

    /** How many of a matcher's events are later than one instant and not later than another. */
    static int count(Catalog catalog, byte[] record, int slot, long afterMs, long untilMs) {
        int start = start(catalog, record, slot);
        int count = 0;
        for (int at = start; at < start + record[slot] * ENTRY; at += ENTRY) {
            long timeMs = time(record, at);
            count += timeMs > afterMs && timeMs <= untilMs ? 1 : 0;
        }
        return count;
    }

    private static int start(Catalog catalog, byte[] record, int slot) {
        int before = 0;
        for (int other = 0; other < slot; other++) {
            before += record[other];
        }
        return catalog.size() + before * ENTRY;
    }

    private static long time(byte[] record, int at) {
        return (long) LONG.get(record, at);
    }

    private static long tag(byte[] record, int at) {
        return (long) LONG.get(record, at + Long.BYTES);
    }

    private static void put(byte[] record, int at, long timeMs, long tag) {
        LONG.set(record, at, timeMs);
        LONG.set(record, at + Long.BYTES, tag);
    }
}
