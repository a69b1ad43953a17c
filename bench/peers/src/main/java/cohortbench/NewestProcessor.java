package cohortbench;

import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Adds events to the records of people in the store of a partition. */
final class NewestProcessor implements Processor<byte[], byte[], Void, Void> {
    private final String storeName;
    private final Progress progress;
    private final Progress.Counter counter;
    private final EventParser parser = new EventParser(Catalog.W1);
    private KeyValueStore<String, byte[]> people;

    NewestProcessor(String storeName, Progress progress) {
        this.storeName = storeName;
        this.progress = progress;
        this.counter = progress.counter();
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
        people = context.getStateStore(storeName);
    }

    @Override
    public void process(Record<byte[], byte[]> event) {
        progress.begin();
        Sighting sighting = event.value() == null ? null : parser.parse(event.value());
        if (sighting != null) {
            byte[] record = people.get(sighting.person());
            byte[] added = Newest.with(Catalog.W1, record, sighting);
            if (added != record) {
                people.put(sighting.person(), added);
            }
        }
        counter.add(1);
    }
}
