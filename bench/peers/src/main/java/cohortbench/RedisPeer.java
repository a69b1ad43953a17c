package cohortbench;

import java.io.IOException;
import java.util.Set;
import redis.clients.jedis.HostAndPort;

/** A consumer that keeps a sorted set for each person and matcher in Redis. */
final class RedisPeer implements Contestant {
    private static final int THREADS = 2;
    private static final String NEWEST = "newest";
    private static final String WINDOW = "window";

    private final Answers answers;
    private final HostAndPort redis;
    private final boolean isNewestOnly;
    private final Readers<Sighting> readers;

    RedisPeer(Options options) throws IOException {
        answers = Answers.ifWanted(options);
        redis = HostAndPort.from(options.text("redis"));
        isNewestOnly = options.word("keep", NEWEST, Set.of(NEWEST, WINDOW)).equals(NEWEST);
        int threads = (int) options.number("threads", THREADS);
        readers = new Readers<>(Run.of(options), threads, SightingDeserializer::new);
    }

    @Override
    public Report run() throws Exception {
        Report report = readers.read("redis", consumer -> new RedisSink(
                consumer, redis, isNewestOnly, Progress.OF_PROCESS));
        if (answers != null) {
            try (answers) {
                new RedisAnswers(redis).write(answers);
            }
        }
        return report;
    }
}
