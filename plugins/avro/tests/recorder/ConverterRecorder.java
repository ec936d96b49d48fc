// Prints what Confluent's converters make of each case. Its argument says which: avro, protobuf or json-schema.
//
// Cases come on standard input, one JSON object per line; each goes out again with a member "expect". See README.md.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.avro.AvroConverter;
import io.confluent.connect.json.JsonSchemaConverter;
import io.confluent.connect.protobuf.ProtobufConverter;
import io.confluent.kafka.schemaregistry.ParsedSchema;
import io.confluent.kafka.schemaregistry.SchemaProvider;
import io.confluent.kafka.schemaregistry.avro.AvroSchema;
import io.confluent.kafka.schemaregistry.avro.AvroSchemaProvider;
import io.confluent.kafka.schemaregistry.client.MockSchemaRegistryClient;
import io.confluent.kafka.schemaregistry.client.rest.entities.Schema;
import io.confluent.kafka.schemaregistry.client.rest.entities.SchemaReference;
import io.confluent.kafka.schemaregistry.json.JsonSchema;
import io.confluent.kafka.schemaregistry.json.JsonSchemaProvider;
import io.confluent.kafka.schemaregistry.protobuf.ProtobufSchema;
import io.confluent.kafka.schemaregistry.protobuf.ProtobufSchemaProvider;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;

public class ConverterRecorder {
    static final ObjectMapper JSON = new ObjectMapper();
    static final String TOPIC = "t";
    /** The byte and the id in front of a payload. */
    static final int PREFIX = 5;

    /** avro, protobuf or json-schema. */
    final String format;
    final JsonConverter json = new JsonConverter();

    ConverterRecorder(String format) {
        this.format = format;
        json.configure(Map.of("schemas.enable", "true", "replace.null.with.default", "false"), false);
    }

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        // Whatever a library prints must not mix with the answers.
        System.setOut(System.err);
        ConverterRecorder recorder = new ConverterRecorder(args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode test = (ObjectNode) JSON.readTree(line);
            test.set("expect", recorder.answer(test));
            out.println(JSON.writeValueAsString(test));
        }
        out.flush();
    }

    ObjectNode answer(ObjectNode test) {
        ObjectNode expect = JSON.createObjectNode();
        try (MockSchemaRegistryClient client = registry()) {
            if (test.has("envelope")) {
                fromConnect(client, test, expect);
            } else {
                expect.set("envelope", toConnect(converter(client, test), message(client, test)));
            }
        } catch (Throwable e) {
            expect.removeAll();
            failure(expect, e);
        }
        return expect;
    }

    static MockSchemaRegistryClient registry() {
        return new MockSchemaRegistryClient(
                List.<SchemaProvider>of(new AvroSchemaProvider(), new ProtobufSchemaProvider(), new JsonSchemaProvider()));
    }

    Converter converter(MockSchemaRegistryClient client, JsonNode test) {
        Map<String, Object> config = new HashMap<>();
        config.put("schema.registry.url", "mock://t");
        config.put("value.subject.name.strategy", "io.confluent.kafka.serializers.subject.TopicNameStrategy");
        test.path("config").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
        Converter converter = switch (format) {
            case "avro" -> new AvroConverter(client);
            case "protobuf" -> new ProtobufConverter(client);
            default -> new JsonSchemaConverter(client);
        };
        converter.configure(config, false);
        return converter;
    }

    void fromConnect(MockSchemaRegistryClient client, ObjectNode test, ObjectNode expect) throws Exception {
        SchemaAndValue in = json.toConnectData(TOPIC, JSON.writeValueAsBytes(test.get("envelope")));
        byte[] message = converter(client, test).fromConnectData(TOPIC, in.schema(), in.value());
        if (message == null) {
            expect.putNull("payload");
            return;
        }
        int id = ByteBuffer.wrap(message).getInt(1);
        ParsedSchema registered = client.getSchemaById(id);
        String schema = registered.canonicalString();
        expect.put("schema", schema);
        if (!registered.references().isEmpty()) {
            expect.set("references", references(client, registered.references()));
        }
        expect.put("payload", text(Arrays.copyOfRange(message, PREFIX, message.length)));
        if (!registered.references().isEmpty() && test.path("config").has("schema.backup.enabled")) {
            return;
        }
        ObjectNode back = JSON.createObjectNode();
        // Another registry has the schema as its text only, as a real one has.
        try (MockSchemaRegistryClient other = registry()) {
            int otherId = other.register(TOPIC + "-value", parsed(schema, List.of(), Map.of()));
            ByteBuffer.wrap(message).putInt(1, otherId);
            back.set("envelope", toConnect(converter(other, test), message));
        } catch (Throwable e) {
            back.removeAll();
            failure(back, e);
        }
        expect.set("back", back);
    }

    /** What a schema refers to, with the texts and what they refer to themselves. */
    ArrayNode references(MockSchemaRegistryClient client, List<SchemaReference> references) throws Exception {
        ArrayNode all = JSON.createArrayNode();
        for (SchemaReference reference : references) {
            Schema used = client.getByVersion(reference.getSubject(), reference.getVersion(), false);
            ObjectNode one = all.addObject();
            one.put("name", reference.getName());
            one.put("subject", reference.getSubject());
            one.put("version", reference.getVersion());
            one.put("schema", used.getSchema());
            if (used.getReferences() != null && !used.getReferences().isEmpty()) {
                one.set("references", references(client, used.getReferences()));
            }
        }
        return all;
    }

    JsonNode toConnect(Converter converter, byte[] message) throws Exception {
        SchemaAndValue out = converter.toConnectData(TOPIC, message);
        return JSON.readTree(json.fromConnectData(TOPIC, out.schema(), out.value()));
    }

    /** The message of a case, with its schemas registered: those that others use first, the last one is the message's. */
    byte[] message(MockSchemaRegistryClient client, ObjectNode test) throws Exception {
        Map<String, String> resolved = new LinkedHashMap<>();
        List<SchemaReference> references = new ArrayList<>();
        for (JsonNode part : test.path("uses")) {
            String name = part.get("name").asText();
            String schema = part.get("schema").asText();
            client.register(name, parsed(schema, List.copyOf(references), Map.copyOf(resolved)));
            references.add(new SchemaReference(name, name, 1));
            resolved.put(name, schema);
        }
        int id = client.register(TOPIC + "-value", parsed(test.get("schema").asText(), references, resolved));
        String text = test.get("payload").asText();
        byte[] payload = isText() ? text.getBytes(StandardCharsets.UTF_8) : HexFormat.of().parseHex(text);
        return ByteBuffer.allocate(PREFIX + payload.length).put((byte) 0).putInt(id).put(payload).array();
    }

    ParsedSchema parsed(String text, List<SchemaReference> references, Map<String, String> resolved) {
        return switch (format) {
            case "avro" -> new AvroSchema(text, references, resolved, null);
            case "protobuf" -> new ProtobufSchema(text, references, resolved, null, null);
            default -> new JsonSchema(text, references, resolved, null);
        };
    }

    boolean isText() {
        return format.equals("json-schema");
    }

    String text(byte[] payload) {
        return isText() ? new String(payload, StandardCharsets.UTF_8) : HexFormat.of().formatHex(payload);
    }

    static void failure(ObjectNode out, Throwable e) {
        out.put("error", e.getClass().getName());
        out.put("message", String.valueOf(e.getMessage()));
    }
}
