// Prints what Confluent's AvroData and Avro's own reader and writer make of each case.
//
// Cases come on standard input, one JSON object per line; each goes out again with a member "expect". See README.md.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.avro.AvroData;
import io.confluent.connect.avro.AvroDataConfig;
import io.confluent.kafka.serializers.NonRecordContainer;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

public class Recorder {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        JsonConverter json = new JsonConverter();
        json.configure(Map.of("schemas.enable", "true", "replace.null.with.default", "false"), false);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode test = (ObjectNode) JSON.readTree(line);
            ObjectNode expect = JSON.createObjectNode();
            try {
                Map<String, Object> config = new HashMap<>();
                test.path("config").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
                AvroData data = new AvroData(new AvroDataConfig(config));
                if (test.has("envelope")) {
                    fromConnect(json, data, test.get("envelope"), expect);
                } else {
                    toConnect(json, data, test, expect);
                }
            } catch (Throwable e) {
                expect.removeAll();
                expect.put("error", e.getClass().getName());
                expect.put("message", String.valueOf(e.getMessage()));
            }
            test.set("expect", expect);
            System.out.println(JSON.writeValueAsString(test));
        }
    }

    static void fromConnect(JsonConverter json, AvroData data, JsonNode envelope, ObjectNode expect) throws Exception {
        SchemaAndValue in = json.toConnectData("t", JSON.writeValueAsBytes(envelope));
        Schema schema = data.fromConnectSchema(in.schema());
        expect.put("avro", schema.toString());
        Object value = data.fromConnectData(in.schema(), in.value());
        if (value instanceof NonRecordContainer) {
            value = ((NonRecordContainer) value).getValue();
        }
        if (value == null) {
            expect.putNull("hex");
            return;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (schema.getType() == Schema.Type.BYTES) {
            out.write(((ByteBuffer) value).array());
        } else {
            BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
            new GenericDatumWriter<>(schema, new GenericData()).write(value, encoder);
            encoder.flush();
        }
        expect.put("hex", HexFormat.of().formatHex(out.toByteArray()));
    }

    static void toConnect(JsonConverter json, AvroData data, ObjectNode test, ObjectNode expect) throws Exception {
        Schema schema = new Schema.Parser().setValidateDefaults(false).parse(test.get("avro").asText());
        byte[] bytes = HexFormat.of().parseHex(test.get("hex").asText());
        Object value;
        if (schema.getType() == Schema.Type.BYTES) {
            value = bytes;
        } else {
            value = new GenericDatumReader<>(schema).read(null, DecoderFactory.get().binaryDecoder(bytes, null));
            if (schema.getType() == Schema.Type.STRING) {
                value = value.toString();
            }
        }
        Integer version = test.has("version") ? test.get("version").asInt() : null;
        SchemaAndValue out = data.toConnectData(schema, value, version);
        expect.set("envelope", JSON.readTree(json.fromConnectData("t", out.schema(), out.value())));
    }
}
