package wharf.test;

import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.storage.StringConverter;

/** Writes texts in capitals. There is no native one. */
public class LouderConverter extends StringConverter {
    @Override
    public byte[] fromConnectData(String topic, Schema schema, Object value) {
        return super.fromConnectData(topic, schema, value == null ? null : value.toString().toUpperCase());
    }
}
