package cohortbench;

/** The command line: a contestant's name, then its options. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        try {
            Contestant contestant = contestant(arguments);
            System.out.println(contestant.run().json());
            System.exit(0);
        } catch (Throwable failure) {
            System.err.println("cohortbench: " + failure.getMessage());
            System.exit(1);
        }
    }

    private static Contestant contestant(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            throw new IllegalArgumentException("which contestant?");
        }
        Options options = new Options(arguments, 1);
        Contestant contestant = switch (arguments[0]) {
            case "consumer" -> Consume.consumer(options);
            case "parse" -> Consume.parse(options);
            case "streams" -> new StreamsPeer(options);
            case "redis" -> new RedisPeer(options);
            case "flink" -> new FlinkPeer(options);
            case "flink-state" -> new FlinkStatePeer(options);
            case "flink-sliding" -> new FlinkSlidingPeer(options);
            default -> throw new IllegalArgumentException("no contestant " + arguments[0]);
        };
        options.checkAllRead();
        return contestant;
    }
}
