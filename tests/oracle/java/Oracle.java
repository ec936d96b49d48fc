import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaProjector;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.HashMap;
import java.util.TimeZone;

/**
 * Asks the classes of Kafka Connect: one case per line of standard input, one answer per line of standard output. A case
 * says with "op" what is to be called; an answer is {"ok": …} or {"error": [class, message]}.
 */
public final class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String TOPIC = "topic";
    private static final String HEADER = "header";

    private Oracle() {
    }

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        // Whatever a library prints must not mix with the answers.
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.print(JSON.writeValueAsString(answer(JSON.readTree(line))));
            out.print('\n');
        }
        out.flush();
    }

    private static JsonNode answer(JsonNode asked) {
        ObjectNode answer = JSON.createObjectNode();
        TimeZone.setDefault(TimeZone.getTimeZone(asked.path("zone").asText("UTC")));
        try {
            answer.set("ok", call(asked));
        } catch (Unprepared e) {
            throw e;
        } catch (Exception | StackOverflowError e) {
            answer.putArray("error").add(e.getClass().getSimpleName()).add(Codec.stable(e.getMessage()));
        }
        return answer;
    }

    /** The case itself could not be read: a mistake of the table, not an answer. */
    private static final class Unprepared extends RuntimeException {
        Unprepared(JsonNode asked, Exception cause) {
            super("cannot prepare " + asked, cause);
        }
    }

    private static Schema schema(JsonNode asked, String name) {
        try {
            return Codec.schema(asked.get(name));
        } catch (Exception e) {
            throw new Unprepared(asked, e);
        }
    }

    private static Object value(JsonNode asked) {
        try {
            return Codec.value(asked.get("value"), null);
        } catch (Exception e) {
            throw new Unprepared(asked, e);
        }
    }

    private static ConnectRecord<?> record(JsonNode asked) {
        try {
            return Records.record(asked.get("record"));
        } catch (Exception e) {
            throw new Unprepared(asked, e);
        }
    }

    private static JsonNode call(JsonNode asked) throws Exception {
        String op = asked.get("op").textValue();
        return switch (op) {
            case "from" -> from(asked);
            case "to" -> to(asked);
            case "parse" -> pair(Values.parseString(asked.get("text").textValue()));
            case "convert" -> Codec.json(convert(asked));
            case "text" -> Codec.json(Values.convertToString(schema(asked, "schema"), value(asked)));
            case "infer" -> Codec.json(Values.inferSchema(value(asked)));
            case "project" ->
                Codec.json(SchemaProjector.project(schema(asked, "schema"), value(asked), schema(asked, "target")));
            case "config" -> config(asked);
            case "transform" -> Records.transform(asked, record(asked));
            case "test" -> Records.test(asked, record(asked));
            case "definition" -> Records.definition(asked);
            default -> throw new Unprepared(asked, new IllegalArgumentException(op));
        };
    }

    private static Object convert(JsonNode asked) {
        Schema schema = schema(asked, "schema");
        Object value = value(asked);
        String target = asked.get("target").textValue();
        return switch (target) {
            case "boolean" -> Values.convertToBoolean(schema, value);
            case "byte" -> Values.convertToByte(schema, value);
            case "short" -> Values.convertToShort(schema, value);
            case "integer" -> Values.convertToInteger(schema, value);
            case "long" -> Values.convertToLong(schema, value);
            case "float" -> Values.convertToFloat(schema, value);
            case "double" -> Values.convertToDouble(schema, value);
            case "list" -> Values.convertToList(schema, value);
            case "map" -> Values.convertToMap(schema, value);
            case "struct" -> Values.convertToStruct(schema, value);
            case "date" -> Values.convertToDate(schema, value);
            case "time" -> Values.convertToTime(schema, value);
            case "timestamp" -> Values.convertToTimestamp(schema, value);
            case "decimal" -> Values.convertToDecimal(schema, value, asked.get("scale").intValue());
            default -> throw new Unprepared(asked, new IllegalArgumentException(target));
        };
    }

    private static JsonNode config(JsonNode asked) {
        Object parsed = ConfigDef.parseType(
            "key", asked.get("text").textValue(), ConfigDef.Type.valueOf(asked.get("target").textValue()));
        return Codec.json(parsed instanceof Password password ? password.value() : parsed);
    }

    private static JsonNode from(JsonNode asked) throws Exception {
        Schema schema = schema(asked, "schema");
        Object value = value(asked);
        Object converter = converter(asked);
        return Codec.jsonBytes(converter instanceof Converter plain
            ? plain.fromConnectData(TOPIC, schema, value)
            : ((HeaderConverter) converter).fromConnectHeader(TOPIC, HEADER, schema, value));
    }

    private static JsonNode to(JsonNode asked) throws Exception {
        byte[] bytes = Codec.bytes(asked.get("bytes"));
        Object converter = converter(asked);
        return pair(converter instanceof Converter plain
            ? plain.toConnectData(TOPIC, bytes)
            : ((HeaderConverter) converter).toConnectHeader(TOPIC, HEADER, bytes));
    }

    /** A configured Converter, or for "use": "header" something that is only asked as a HeaderConverter. */
    private static Object converter(JsonNode asked) throws Exception {
        String name = asked.get("converter").textValue();
        String packageName = switch (name) {
            case "JsonConverter" -> "json";
            case "StringConverter", "SimpleHeaderConverter" -> "storage";
            default -> "converters";
        };
        Object made = Class.forName("org.apache.kafka.connect." + packageName + "." + name)
            .getConstructor().newInstance();
        Map<String, Object> config = new HashMap<>();
        asked.path("config").fieldNames().forEachRemaining(
            key -> config.put(key, asked.get("config").get(key).textValue()));
        String use = asked.path("use").asText("value");
        if (use.equals("header")) {
            config.put("converter.type", use);
            HeaderConverter inner = (HeaderConverter) made;
            inner.configure(config);
            return new HeaderOnly(inner);
        }
        Converter plain = (Converter) made;
        plain.configure(config, use.equals("key"));
        return plain;
    }

    /** Hides that a header converter is often a record converter too. */
    private record HeaderOnly(HeaderConverter inner) implements HeaderConverter {
        @Override
        public SchemaAndValue toConnectHeader(String topic, String key, byte[] bytes) {
            return inner.toConnectHeader(topic, key, bytes);
        }

        @Override
        public byte[] fromConnectHeader(String topic, String key, Schema schema, Object value) {
            return inner.fromConnectHeader(topic, key, schema, value);
        }

        @Override
        public ConfigDef config() {
            return inner.config();
        }

        @Override
        public void configure(Map<String, ?> configs) {
            inner.configure(configs);
        }

        @Override
        public void close() {
        }
    }

    private static JsonNode pair(SchemaAndValue read) {
        ObjectNode node = JSON.createObjectNode();
        node.set("schema", Codec.json(read == null ? null : read.schema()));
        node.set("value", Codec.json(read == null ? null : read.value()));
        return node;
    }
}
