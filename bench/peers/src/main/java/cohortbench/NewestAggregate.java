package cohortbench;

import org.apache.flink.api.common.functions.AggregateFunction;

/** Gathers the events of one window into a record. */
final class NewestAggregate implements AggregateFunction<Sighting, byte[], byte[]> {
    private static final long serialVersionUID = 1L;

    @Override
    public byte[] createAccumulator() {
        return new byte[Catalog.W1.size()];
    }

    @Override
    public byte[] add(Sighting sighting, byte[] record) {
        return Newest.with(Catalog.W1, record, sighting);
    }

    @Override
    public byte[] getResult(byte[] record) {
        return record;
    }

    @Override
    public byte[] merge(byte[] one, byte[] other) {
        throw new UnsupportedOperationException("sliding windows are never merged");
    }
}
