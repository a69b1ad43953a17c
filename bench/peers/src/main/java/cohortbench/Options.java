package cohortbench;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** What the command line says, as pairs of {@code --name value}. */
final class Options {
    private final Map<String, String> values = new HashMap<>();
    private final Set<String> unread;

    Options(String[] arguments, int start) {
        for (int at = start; at < arguments.length; at += 2) {
            if (!arguments[at].startsWith("--") || at + 1 == arguments.length) {
                throw new IllegalArgumentException(arguments[at] + " should be --name value");
            }
            values.put(arguments[at].substring(2), arguments[at + 1]);
        }
        unread = new HashSet<>(values.keySet());
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String text(String name) {
        unread.remove(name);
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    String text(String name, String otherwise) {
        return has(name) ? text(name) : otherwise;
    }

    /** One of some words. */
    String word(String name, String otherwise, Set<String> words) {
        String word = text(name, otherwise);
        if (!words.contains(word)) {
            throw new IllegalArgumentException("--" + name + " is " + word + ", not of " + words);
        }
        return word;
    }

    long number(String name) {
        String value = text(name);
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException wrong) {
            throw new IllegalArgumentException("--" + name + " is no number: " + value, wrong);
        }
    }

    long number(String name, long otherwise) {
        return has(name) ? number(name) : otherwise;
    }

    Path path(String name) {
        return Path.of(text(name));
    }

    /** Complains of what no one asked for. */
    void checkAllRead() {
        if (!unread.isEmpty()) {
            throw new IllegalArgumentException("nobody knows the options " + unread);
        }
    }
}
