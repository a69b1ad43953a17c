package cohortbench;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.resps.ScanResult;
import redis.clients.jedis.resps.Tuple;

/** Reads everybody's sorted sets back and answers from them. */
final class RedisAnswers {
    private static final ScanParams MANY = new ScanParams().count(1_000);

    private final HostAndPort server;
    private final Map<String, byte[]> people = new HashMap<>();

    RedisAnswers(HostAndPort server) {
        this.server = server;
    }

    void write(Answers answers) {
        try (Jedis redis = new Jedis(server)) {
            byte[] cursor = ScanParams.SCAN_POINTER_START_BINARY;
            do {
                ScanResult<byte[]> page = redis.scan(cursor, MANY);
                read(redis, page.getResult());
                cursor = page.getCursorAsBytes();
            } while (!Arrays.equals(cursor, ScanParams.SCAN_POINTER_START_BINARY));
        }
        people.forEach(answers::write);
    }

    private void read(Jedis redis, List<byte[]> keys) {
        List<Response<List<Tuple>>> sets = new ArrayList<>();
        try (Pipeline pipeline = redis.pipelined()) {
            keys.forEach(key -> sets.add(pipeline.zrangeWithScores(key, 0, -1)));
        }
        for (int number = 0; number < sets.size(); number++) {
            String key = new String(keys.get(number), StandardCharsets.UTF_8);
            String person = key.substring(1);
            int slots = 1 << key.charAt(0) - 'a';
            for (Tuple entry : sets.get(number).get()) {
                long tag = RedisSink.tag(entry.getBinaryElement());
                Sighting sighting = new Sighting(person, (long) entry.getScore(), tag, slots);
                people.compute(person,
                        (same, record) -> Newest.with(Catalog.W1, record, sighting));
            }
        }
    }
}
