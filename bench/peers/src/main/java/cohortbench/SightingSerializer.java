package cohortbench;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/** Writes sightings for Flink's shuffle, without reflection or boxes. */
final class SightingSerializer extends TypeSerializerSingleton<Sighting> {
    static final SightingSerializer INSTANCE = new SightingSerializer();
    private static final long serialVersionUID = 1L;

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public Sighting createInstance() {
        return new Sighting("", 0, Sighting.NO_TAG, 0);
    }

    @Override
    public Sighting copy(Sighting from) {
        return from;
    }

    @Override
    public Sighting copy(Sighting from, Sighting reuse) {
        return from;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Sighting sighting, DataOutputView target) throws IOException {
        StringValue.writeString(sighting.person(), target);
        target.writeLong(sighting.timeMs());
        target.writeLong(sighting.tag());
        target.writeInt(sighting.slots());
    }

    @Override
    public Sighting deserialize(DataInputView source) throws IOException {
        return new Sighting(StringValue.readString(source), source.readLong(), source.readLong(),
                source.readInt());
    }

    @Override
    public Sighting deserialize(Sighting reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public TypeSerializerSnapshot<Sighting> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Finds the serializer again when a checkpoint is read. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Sighting> {
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
