import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.connect.data.Date;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Time;
import org.apache.kafka.connect.data.Timestamp;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Schemas and values in a JSON form that loses nothing. The Rust side of the same form is src/codec.rs; both must change
 * together.
 *
 * A schema is null, or the name of a type or of the logical types without parameters ("INT8", "Date", with "?" when
 * optional), or an object of type, optional, name, version, doc,
 * parameters, default, fields, keys, values. A value is null, a boolean, a text, an array, or an object with one entry that
 * names the class: i8 i16 i32 i64 f32 f64 hex dec date map struct. An array within an array and so on, each of one element, is
 * {"nest": [how often, what is within]} from a depth on that readers of JSON refuse.
 */
final class Codec {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final int DEEP = 32;

    /**
     * Schemas by their form. A default that is a struct has a schema of its own, which equals nothing but itself, so the
     * same form must give the same object.
     */
    private static final Map<JsonNode, Schema> KNOWN = new HashMap<>();

    private Codec() {
    }

    static Schema schema(JsonNode node) {
        if (node == null || node.isNull()) {
            return null;
        }
        Schema known = KNOWN.get(node);
        if (known == null) {
            known = made(node);
            KNOWN.put(node, known);
        }
        return known;
    }

    private static Schema made(JsonNode node) {
        if (node.isTextual()) {
            String text = node.textValue();
            boolean optional = text.endsWith("?");
            SchemaBuilder plain = start(optional ? text.substring(0, text.length() - 1) : text);
            return optional ? plain.optional().build() : plain.build();
        }
        Schema.Type type = Schema.Type.valueOf(node.get("type").textValue());
        SchemaBuilder builder = switch (type) {
            case ARRAY -> SchemaBuilder.array(schema(node.get("values")));
            case MAP -> SchemaBuilder.map(schema(node.get("keys")), schema(node.get("values")));
            default -> SchemaBuilder.type(type);
        };
        if (node.path("optional").asBoolean()) {
            builder.optional();
        }
        if (node.has("name")) {
            builder.name(node.get("name").textValue());
        }
        if (node.has("version")) {
            builder.version(node.get("version").intValue());
        }
        if (node.has("doc")) {
            builder.doc(node.get("doc").textValue());
        }
        for (JsonNode pair : node.path("parameters")) {
            builder.parameter(pair.get(0).textValue(), pair.get(1).textValue());
        }
        for (JsonNode field : node.path("fields")) {
            builder.field(field.get(0).textValue(), schema(field.get(1)));
        }
        if (node.has("default")) {
            builder.defaultValue(value(node.get("default"), builder));
        }
        return builder.build();
    }

    private static SchemaBuilder start(String name) {
        return switch (name) {
            case "Date" -> Date.builder();
            case "Time" -> Time.builder();
            case "Timestamp" -> Timestamp.builder();
            default -> SchemaBuilder.type(Schema.Type.valueOf(name));
        };
    }

    /** A value; a struct without a schema of its own takes the given one. */
    static Object value(JsonNode node, Schema own) {
        if (node == null || node.isNull()) {
            return null;
        }
        if (node.isBoolean()) {
            return node.booleanValue();
        }
        if (node.isTextual()) {
            return node.textValue();
        }
        if (node.isArray()) {
            List<Object> items = new ArrayList<>();
            for (JsonNode item : node) {
                items.add(value(item, null));
            }
            return items;
        }
        String kind = node.fieldNames().next();
        JsonNode content = node.get(kind);
        return switch (kind) {
            case "i8" -> (byte) content.intValue();
            case "i16" -> (short) content.intValue();
            case "i32" -> content.intValue();
            case "i64" -> Long.parseLong(content.textValue());
            case "f32" -> Float.parseFloat(content.textValue());
            case "f64" -> Double.parseDouble(content.textValue());
            case "hex" -> HexFormat.of().parseHex(content.textValue());
            case "dec" -> new BigDecimal(new BigInteger(content.get(0).textValue()), content.get(1).intValue());
            case "date" -> new java.util.Date(Long.parseLong(content.textValue()));
            case "map" -> {
                Map<Object, Object> map = new LinkedHashMap<>();
                for (JsonNode pair : content) {
                    map.put(value(pair.get(0), null), value(pair.get(1), null));
                }
                yield map;
            }
            case "struct" -> {
                Schema schema = content.get("schema").isNull() ? own : schema(content.get("schema"));
                Struct struct = new Struct(schema);
                for (Field field : schema.fields()) {
                    Object stored = value(content.get("values").get(field.index()), null);
                    if (stored != null) {
                        struct.put(field, stored);
                    }
                }
                yield struct;
            }
            default -> throw new IllegalArgumentException("no such kind of value: " + kind);
        };
    }

    static JsonNode json(Schema schema) {
        if (schema == null) {
            return JSON.nullNode();
        }
        boolean bare = schema.type().isPrimitive() && schema.name() == null && schema.version() == null
            && schema.doc() == null && schema.parameters() == null && schema.defaultValue() == null;
        for (String name : List.of("Date", "Time", "Timestamp")) {
            if (schema.equals(start(name).build())) {
                return JSON.textNode(name);
            }
            if (schema.equals(start(name).optional().build())) {
                return JSON.textNode(name + "?");
            }
        }
        if (bare) {
            return JSON.textNode(schema.type().name() + (schema.isOptional() ? "?" : ""));
        }
        ObjectNode node = JSON.objectNode();
        node.put("type", schema.type().name());
        if (schema.isOptional()) {
            node.put("optional", true);
        }
        if (schema.name() != null) {
            node.put("name", schema.name());
        }
        if (schema.version() != null) {
            node.put("version", schema.version());
        }
        if (schema.doc() != null) {
            node.put("doc", schema.doc());
        }
        if (schema.parameters() != null) {
            ArrayNode pairs = node.putArray("parameters");
            schema.parameters().forEach((key, text) -> pairs.addArray().add(key).add(text));
        }
        switch (schema.type()) {
            case ARRAY -> node.set("values", json(schema.valueSchema()));
            case MAP -> {
                node.set("keys", json(schema.keySchema()));
                node.set("values", json(schema.valueSchema()));
            }
            case STRUCT -> {
                ArrayNode fields = node.putArray("fields");
                schema.fields().forEach(field -> fields.addArray().add(field.name()).add(json(field.schema())));
            }
            default -> { }
        }
        if (schema.defaultValue() != null) {
            node.set("default", json(schema.defaultValue(), true));
        }
        return node;
    }

    static JsonNode json(Object value) {
        return json(value, false);
    }

    private static JsonNode json(Object value, boolean isDefault) {
        if (value == null) {
            return JSON.nullNode();
        } else if (value instanceof Boolean truth) {
            return JSON.booleanNode(truth);
        } else if (value instanceof String text) {
            return JSON.textNode(text);
        } else if (depth(value) >= DEEP) {
            int depth = depth(value);
            Object inner = value;
            for (int level = 0; level < depth; level++) {
                inner = ((List<?>) inner).get(0);
            }
            ObjectNode node = JSON.objectNode();
            node.putArray("nest").add(depth).add(json(inner));
            return node;
        } else if (value instanceof Iterable<?> items) {
            ArrayNode node = JSON.arrayNode();
            items.forEach(item -> node.add(json(item)));
            return node;
        }
        ObjectNode node = JSON.objectNode();
        if (value instanceof Byte number) {
            node.put("i8", number.intValue());
        } else if (value instanceof Short number) {
            node.put("i16", number.intValue());
        } else if (value instanceof Integer number) {
            node.put("i32", number);
        } else if (value instanceof Long number) {
            node.put("i64", number.toString());
        } else if (value instanceof Float number) {
            node.put("f32", number.toString());
        } else if (value instanceof Double number) {
            node.put("f64", number.toString());
        } else if (value instanceof byte[] bytes) {
            node.put("hex", HexFormat.of().formatHex(bytes));
        } else if (value instanceof ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            node.put("hex", HexFormat.of().formatHex(bytes));
        } else if (value instanceof BigDecimal decimal) {
            node.putArray("dec").add(decimal.unscaledValue().toString()).add(decimal.scale());
        } else if (value instanceof java.util.Date date) {
            node.put("date", Long.toString(date.getTime()));
        } else if (value instanceof Map<?, ?> map) {
            ArrayNode pairs = node.putArray("map");
            map.forEach((key, item) -> pairs.addArray().add(json(key)).add(json(item)));
        } else if (value instanceof Struct struct) {
            ObjectNode content = node.putObject("struct");
            content.set("schema", isDefault ? JSON.nullNode() : json(struct.schema()));
            ArrayNode values = content.putArray("values");
            struct.schema().fields().forEach(field -> values.add(json(struct.getWithoutDefault(field.name()))));
        } else {
            throw new IllegalArgumentException("a value of " + value.getClass() + " cannot be recorded");
        }
        return node;
    }

    private static int depth(Object value) {
        int depth = 0;
        while (value instanceof List<?> items && items.size() == 1) {
            value = items.get(0);
            depth++;
        }
        return depth;
    }

    /** Bytes of a message: null, {"utf8": …} or {"hex": …}. */
    static byte[] bytes(JsonNode node) {
        if (node == null || node.isNull()) {
            return null;
        }
        return node.has("utf8")
            ? node.get("utf8").textValue().getBytes(StandardCharsets.UTF_8)
            : HexFormat.of().parseHex(node.get("hex").textValue());
    }

    static JsonNode jsonBytes(byte[] bytes) {
        if (bytes == null) {
            return JSON.nullNode();
        }
        ObjectNode node = JSON.objectNode();
        try {
            String text = StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .decode(ByteBuffer.wrap(bytes)).toString();
            node.put("utf8", stable(text));
        } catch (CharacterCodingException e) {
            node.put("hex", HexFormat.of().formatHex(bytes));
        }
        return node;
    }

    /** The identity hash that Java prints for arrays changes from run to run. */
    static String stable(String text) {
        return text == null ? null : text.replaceAll("\\[B@[0-9a-f]+", "[B@0");
    }
}
