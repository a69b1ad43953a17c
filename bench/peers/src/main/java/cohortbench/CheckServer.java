package cohortbench;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.apache.kafka.streams.errors.InvalidStateStoreException;

/** Answers {@code GET /check?id=…&now=…} with the ten digits. */
final class CheckServer implements AutoCloseable {
    private static final int THREADS = 2;

    private final Function<String, byte[]> people;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);

    CheckServer(int port, Function<String, byte[]> people) throws IOException {
        this.people = people;
        // Without it, each answer on a kept connection waits for the client's delayed ACK.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        server = HttpServer.create(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/check", this::check);
        server.setExecutor(threads);
        server.start();
    }

    private void check(HttpExchange exchange) throws IOException {
        try {
            Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
            byte[] record = people.apply(query.getOrDefault("id", ""));
            long nowMs = Long.parseLong(query.getOrDefault("now", ""));
            reply(exchange, 200, Catalog.W1.answers(record, nowMs));
        } catch (NumberFormatException wrong) {
            reply(exchange, 400, "now should be milliseconds since 1970");
        } catch (InvalidStateStoreException away) {
            reply(exchange, 503, "the store is moving");
        }
    }

    private static Map<String, String> query(String text) {
        Map<String, String> query = new HashMap<>();
        for (String pair : text == null ? new String[0] : text.split("&")) {
            String[] sides = pair.split("=", 2);
            String value = sides.length > 1 ? sides[1] : "";
            query.put(sides[0], URLDecoder.decode(value, StandardCharsets.UTF_8));
        }
        return query;
    }

    private static void reply(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        try (exchange) {
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
