package cohortbench;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A text that is compared with parts of buffers without decoding them. */
record Utf8(String text, byte[] bytes) {
    static Utf8 of(String text) {
        return new Utf8(text, text.getBytes(StandardCharsets.UTF_8));
    }

    boolean is(byte[] buffer, int from, int to) {
        return to - from == bytes.length
                && Arrays.equals(bytes, 0, bytes.length, buffer, from, to);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Utf8 utf8 && utf8.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }
}
