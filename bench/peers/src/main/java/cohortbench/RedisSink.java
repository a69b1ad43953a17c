package cohortbench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Adds batches to Redis in one pipeline each: for every person and matcher of the batch its events
 * in one command, and another one that trims what no condition needs any more.
 *
 * <p>The tag is the member and the time the score, so a copy changes nothing, or makes it earlier.
 */
final class RedisSink implements Reader.Sink<Sighting> {
    private static final long COMMIT_EVERY_MS = 1_000;
    /** Redis answers nothing while it forks or waits for a slow disk. */
    private static final JedisClientConfig PATIENT =
            DefaultJedisClientConfig.builder().socketTimeoutMillis(60_000).build();
    private static final byte[] LT = ascii("LT");
    private static final byte[] FIRST = ascii("0");
    private static final byte[] LOWEST = ascii("-inf");

    private final KafkaConsumer<ByteBuffer, Sighting> consumer;
    private final Jedis redis;
    private final Pipeline pipeline;
    private final boolean isNewestOnly;
    private final Progress progress;
    private final byte[][] ranks = new byte[Catalog.W1.size()][];
    private final Map<String, Additions> batch = new HashMap<>();
    private long committedMs = System.currentTimeMillis();

    RedisSink(KafkaConsumer<ByteBuffer, Sighting> consumer, HostAndPort server,
            boolean isNewestOnly, Progress progress) {
        this.consumer = consumer;
        this.redis = new Jedis(server, PATIENT);
        this.pipeline = redis.pipelined();
        this.isNewestOnly = isNewestOnly;
        this.progress = progress;
        for (int slot = 0; slot < ranks.length; slot++) {
            ranks[slot] = ascii(Integer.toString(-Catalog.W1.matcher(slot).newest() - 1));
        }
    }

    /** The key of a person's events for a matcher. */
    static String key(int slot, String person) {
        return (char) ('a' + slot) + person;
    }

    @Override
    public void apply(ConsumerRecords<ByteBuffer, Sighting> records) {
        for (ConsumerRecord<ByteBuffer, Sighting> record : records) {
            if (record.value() != null) {
                add(record);
            }
        }
        batch.forEach(this::send);
        batch.clear();
        for (Object reply : pipeline.syncAndReturnAll()) {
            if (reply instanceof JedisDataException failure) {
                throw failure;
            }
        }
        if (System.currentTimeMillis() - committedMs >= COMMIT_EVERY_MS) {
            commit();
        }
    }

    private void add(ConsumerRecord<ByteBuffer, Sighting> record) {
        Sighting sighting = record.value();
        byte[] member = member(record);
        for (int slots = sighting.slots(); slots != 0; slots &= slots - 1) {
            int slot = Integer.numberOfTrailingZeros(slots);
            batch.computeIfAbsent(key(slot, sighting.person()), key -> new Additions(slot))
                    .add(sighting.timeMs(), member);
        }
    }

    /** The tag, or what else is the same whenever the record is read. */
    private static byte[] member(ConsumerRecord<ByteBuffer, Sighting> record) {
        long tag = record.value().tag();
        if (tag != Sighting.NO_TAG) {
            return ByteBuffer.allocate(Long.BYTES).putLong(tag).array();
        }
        return ByteBuffer.allocate(Integer.BYTES + Long.BYTES)
                .putInt(record.partition()).putLong(record.offset()).array();
    }

    /** The tag that a member stands for. */
    static long tag(byte[] member) {
        return member.length == Long.BYTES ? ByteBuffer.wrap(member).getLong() : Sighting.NO_TAG;
    }

    private void send(String name, Additions additions) {
        byte[] key = name.getBytes(StandardCharsets.UTF_8);
        pipeline.sendCommand(Command.ZADD, additions.arguments(key, LT));
        if (isNewestOnly) {
            pipeline.sendCommand(Command.ZREMRANGEBYRANK, key, FIRST, ranks[additions.slot()]);
        } else {
            long horizonMs = Catalog.W1.matcher(additions.slot()).horizonMs();
            byte[] oldest = ascii(Long.toString(additions.latestMs() - horizonMs));
            pipeline.sendCommand(Command.ZREMRANGEBYSCORE, key, LOWEST, oldest);
        }
    }

    private void commit() {
        consumer.commitSync();
        progress.checkpointed();
        committedMs = System.currentTimeMillis();
    }

    @Override
    public void close() {
        commit();
        pipeline.close();
        redis.close();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
