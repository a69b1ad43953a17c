package cohortbench;

import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Parses events at the source, so that unwatched ones go no further. */
final class SightingSchema implements KafkaRecordDeserializationSchema<Sighting> {
    private static final long serialVersionUID = 1L;

    private transient EventParser parser;
    private transient Progress progress;
    private transient Progress.Counter counter;

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        parser = new EventParser(Catalog.W1);
        progress = Progress.OF_PROCESS;
        counter = progress.counter();
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Sighting> sightings) {
        progress.begin();
        Sighting sighting = record.value() == null ? null : parser.parse(record.value());
        if (sighting == null) {
            counter.add(1);
        } else {
            sightings.collect(sighting);
        }
    }

    @Override
    public TypeInformation<Sighting> getProducedType() {
        return new SightingType();
    }
}
