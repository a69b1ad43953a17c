package cohortbench;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;

/** A place in a JSON text in a buffer, which moves on by one value after the other. */
final class JsonCursor {
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final double[] TENS = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    private static final int EXACT_DIGITS = 15;
    private static final long MS_PER_DAY = 86_400_000;

    private byte[] bytes;
    private int at;
    private int end;
    /** The text or number read last. */
    private int from;
    private int to;
    private boolean escaped;

    void open(byte[] buffer, int start, int limit) {
        bytes = buffer;
        at = start;
        end = limit;
    }

    int position() {
        return at;
    }

    void moveTo(int position) {
        at = position;
    }

    /** Goes into an object; false if it is empty. */
    boolean enter() throws MalformedException {
        expect('{');
        if (peek() == '}') {
            at++;
            return false;
        }
        return true;
    }

    /** Goes from a value to the next name of an object; false at its end. */
    boolean next() throws MalformedException {
        byte found = peek();
        at++;
        if (found == ',') {
            return true;
        }
        if (found == '}') {
            return false;
        }
        throw MalformedException.INSTANCE;
    }

    /** Reads the name of a value, which comes next. */
    void name() throws MalformedException {
        text();
        expect(':');
    }

    /** Reads a text. */
    void text() throws MalformedException {
        expect('"');
        from = at;
        escaped = false;
        for (int here = at; here < end; here++) {
            byte found = bytes[here];
            if (found == '"') {
                to = here;
                at = here + 1;
                return;
            }
            if (found == '\\') {
                escaped = true;
                here++;
            }
        }
        throw MalformedException.INSTANCE;
    }

    boolean isAtText() throws MalformedException {
        return peek() == '"';
    }

    boolean isAtNumber() throws MalformedException {
        byte found = peek();
        return found == '-' || found >= '0' && found <= '9';
    }

    /** Passes over a value. */
    void skip() throws MalformedException {
        int depth = 0;
        do {
            byte found = peek();
            if (found == '"') {
                text();
                continue;
            }
            at++;
            if (found == '{' || found == '[') {
                depth++;
            } else if (found == '}' || found == ']') {
                depth--;
            } else if (depth == 0) {
                plain();
            }
        } while (depth > 0);
    }

    /** Reads a number. */
    double number() throws MalformedException {
        from = at;
        plain();
        long digits = 0;
        int count = 0;
        int point = -1;
        for (int here = from; here < to; here++) {
            byte found = bytes[here];
            if (found >= '0' && found <= '9' && count < EXACT_DIGITS) {
                digits = digits * 10 + found - '0';
                count++;
            } else if (found == '.' && point < 0) {
                point = count;
            } else {
                return slowNumber();
            }
        }
        int decimals = point < 0 ? 0 : count - point;
        return decimals < TENS.length ? digits / TENS[decimals] : slowNumber();
    }

    private double slowNumber() throws MalformedException {
        try {
            return Double.parseDouble(new String(bytes, from, to - from, StandardCharsets.UTF_8));
        } catch (NumberFormatException wrong) {
            throw MalformedException.INSTANCE;
        }
    }

    /** Whether the text read last is this one. */
    boolean is(Utf8 text) {
        return text.is(bytes, from, to);
    }

    Watched watched(Catalog catalog) throws MalformedException {
        if (!escaped) {
            return catalog.watched(bytes, from, to);
        }
        byte[] plain = decoded().getBytes(StandardCharsets.UTF_8);
        return catalog.watched(plain, 0, plain.length);
    }

    boolean isAcceptedBy(Filter filter) throws MalformedException {
        if (!escaped) {
            return filter.acceptsText(bytes, from, to);
        }
        byte[] plain = decoded().getBytes(StandardCharsets.UTF_8);
        return filter.acceptsText(plain, 0, plain.length);
    }

    /** The text read last. */
    String decoded() throws MalformedException {
        String raw = new String(bytes, from, to - from, StandardCharsets.UTF_8);
        try {
            return escaped ? unescaped(raw) : raw;
        } catch (NumberFormatException | StringIndexOutOfBoundsException wrong) {
            throw MalformedException.INSTANCE;
        }
    }

    private static String unescaped(String raw) {
        StringBuilder plain = new StringBuilder(raw.length());
        for (int here = 0; here < raw.length(); here++) {
            char found = raw.charAt(here);
            if (found != '\\') {
                plain.append(found);
                continue;
            }
            char code = raw.charAt(++here);
            int simple = "bfnrt".indexOf(code);
            if (simple >= 0) {
                plain.append("\b\f\n\r\t".charAt(simple));
            } else if (code != 'u') {
                plain.append(code);
            } else {
                plain.append((char) Integer.parseInt(raw.substring(here + 1, here + 5), 16));
                here += 4;
            }
        }
        return plain.toString();
    }

    /** 64 bits that tell the text read last from others; never 0. */
    long hash() {
        long hash = to - from;
        int here = from;
        for (; here + Long.BYTES <= to; here += Long.BYTES) {
            hash = mixed(hash ^ (long) LONG.get(bytes, here));
        }
        for (; here < to; here++) {
            hash = mixed(hash ^ bytes[here]);
        }
        return hash == 0 ? 1 : hash;
    }

    private static long mixed(long bits) {
        long product = bits * 0x9e37_79b9_7f4a_7c15L;
        return product ^ product >>> 32;
    }

    /** The instant that the text read last names, as RFC 3339 writes it. */
    long instantMs() throws MalformedException {
        if (to - from != 24 || bytes[to - 1] != 'Z' || bytes[from + 19] != '.') {
            return slowInstantMs();
        }
        long hours = digits(from + 11, 2);
        long minutes = hours * 60 + digits(from + 14, 2);
        long ms = (minutes * 60 + digits(from + 17, 2)) * 1_000 + digits(from + 20, 3);
        return epochDay() * MS_PER_DAY + ms;
    }

    private long slowInstantMs() throws MalformedException {
        try {
            return OffsetDateTime.parse(decoded()).toInstant().toEpochMilli();
        } catch (DateTimeParseException wrong) {
            throw MalformedException.INSTANCE;
        }
    }

    /** Counts from March, so that the leap day ends a year. */
    private long epochDay() throws MalformedException {
        int month = digits(from + 5, 2);
        int year = digits(from, 4) - (month <= 2 ? 1 : 0);
        int dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + digits(from + 8, 2) - 1;
        return 365L * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468;
    }

    private int digits(int start, int count) throws MalformedException {
        int number = 0;
        for (int here = start; here < start + count; here++) {
            int digit = bytes[here] - '0';
            if (digit < 0 || digit > 9) {
                throw MalformedException.INSTANCE;
            }
            number = number * 10 + digit;
        }
        return number;
    }

    /** Goes to the end of a number, true, false or null. */
    private void plain() {
        while (at < end && ",]} \n\r\t".indexOf(bytes[at]) < 0) {
            at++;
        }
        to = at;
    }

    private void expect(char wanted) throws MalformedException {
        if (peek() != wanted) {
            throw MalformedException.INSTANCE;
        }
        at++;
    }

    /** The next byte that isn't blank. */
    private byte peek() throws MalformedException {
        while (at < end) {
            byte found = bytes[at];
            if (found != ' ' && found != '\n' && found != '\r' && found != '\t') {
                return found;
            }
            at++;
        }
        throw MalformedException.INSTANCE;
    }
}
