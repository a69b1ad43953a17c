package cohortbench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** What every contestant is told: where the records are, how many, and where to keep state. */
record Run(String brokers, String topic, long records, Path stateDir, String id) {
    static Run of(Options options) throws IOException {
        Path stateDir = options.path("state-dir");
        return new Run(options.text("brokers"), options.text("topic"), options.number("records"),
                stateDir, id(stateDir));
    }

    /** The same where records are in memory before anything begins. */
    static Run ofMemory(Options options, long records) throws IOException {
        Path stateDir = options.path("state-dir");
        return new Run("", "", records, stateDir, id(stateDir));
    }

    /** Names the consumer group: a new folder starts a new one, an old one resumes its own. */
    private static String id(Path stateDir) throws IOException {
        Path file = stateDir.resolve("run-id");
        if (Files.exists(file)) {
            return Files.readString(file);
        }
        Files.createDirectories(stateDir);
        String id = "peers-" + UUID.randomUUID();
        Files.writeString(file, id);
        return id;
    }
}
