package cohortbench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Deserializer;

/** Parses events where the consumer unpacked them, without a copy; unwatched ones become null. */
final class SightingDeserializer implements Deserializer<Sighting> {
    private final EventParser parser = new EventParser(Catalog.W1);

    @Override
    public Sighting deserialize(String topic, byte[] value) {
        return value == null ? null : parser.parse(value);
    }

    @Override
    public Sighting deserialize(String topic, Headers headers, ByteBuffer value) {
        if (value == null || !value.hasArray()) {
            return Deserializer.super.deserialize(topic, headers, value);
        }
        int offset = value.arrayOffset() + value.position();
        return parser.parse(value.array(), offset, value.remaining());
    }
}
