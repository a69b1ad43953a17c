package cohortbench;

import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/** Tells Flink that sightings have a serializer of their own. */
final class SightingType extends TypeInformation<Sighting> {
    private static final long serialVersionUID = 1L;

    @Override
    public TypeSerializer<Sighting> createSerializer(SerializerConfig config) {
        return SightingSerializer.INSTANCE;
    }

    @Override
    public Class<Sighting> getTypeClass() {
        return Sighting.class;
    }

    @Override
    public boolean isBasicType() {
        return false;
    }

    @Override
    public boolean isTupleType() {
        return false;
    }

    @Override
    public boolean isKeyType() {
        return false;
    }

    @Override
    public int getArity() {
        return 1;
    }

    @Override
    public int getTotalFields() {
        return 1;
    }

    @Override
    public String toString() {
        return "Sighting";
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SightingType;
    }

    @Override
    public int hashCode() {
        return SightingType.class.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof SightingType;
    }
}
