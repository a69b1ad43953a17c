package cohortbench;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;

/** The file that says for everybody what the ten conditions come to at an instant. */
final class Answers implements AutoCloseable {
    private final long nowMs;
    private final BufferedWriter file;

    private Answers(long nowMs, BufferedWriter file) {
        this.nowMs = nowMs;
        this.file = file;
    }

    /** Null if nobody wants answers. */
    static Answers ifWanted(Options options) throws IOException {
        return options.has("answers")
                ? new Answers(
                        options.number("now"), Files.newBufferedWriter(options.path("answers")))
                : null;
    }

    static String line(String person, String digits) {
        return person + ' ' + digits + '\n';
    }

    long nowMs() {
        return nowMs;
    }

    void write(String person, byte[] record) {
        write(line(person, Catalog.W1.answers(record, nowMs)));
    }

    void write(String line) {
        try {
            file.write(line);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
