import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Transformations, predicates, and the records they work on; the Rust side of the form is src/record_codec.rs. */
final class Records {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PACKAGE = "org.apache.kafka.connect.transforms.";
    private static final String DEBEZIUM = "io.debezium.";
    private static final Map<String, ClassLoader> LOADERS = new HashMap<>();

    private Records() {
    }

    /** Configures a transformation and applies it once. */
    static JsonNode transform(JsonNode asked, ConnectRecord<?> record) throws Exception {
        // Names of months and the first day of the week depend on it.
        Locale.setDefault(Locale.US);
        try {
            Transformation<?> made = (Transformation<?>) made(asked);
            made.configure(config(asked));
            return json(apply(made, record));
        } finally {
            Locale.setDefault(Locale.ROOT);
        }
    }

    static JsonNode test(JsonNode asked, ConnectRecord<?> record) throws Exception {
        Predicate<?> made = (Predicate<?>) made(asked);
        made.configure(config(asked));
        return JSON.getNodeFactory().booleanNode(test(made, record));
    }

    /** The keys of a class: name, type, default, validator and importance of each. */
    static JsonNode definition(JsonNode asked) throws Exception {
        Object made = made(asked);
        ConfigDef definition = made instanceof Transformation<?> transformation
            ? transformation.config() : ((Predicate<?>) made).config();
        ArrayNode keys = JSON.createArrayNode();
        for (ConfigDef.ConfigKey key : definition.configKeys().values()) {
            Object fallback = key.defaultValue;
            keys.add(String.join("|", key.name, key.type.name(),
                fallback == ConfigDef.NO_DEFAULT_VALUE ? "required" : ConfigDef.convertToString(fallback, key.type) + "",
                key.validator == null ? "" : key.validator.toString(), key.importance.name()));
        }
        return keys;
    }

    private static Object made(JsonNode asked) throws Exception {
        String name = asked.get("class").textValue();
        Class<?> found = name.startsWith(DEBEZIUM)
            ? Class.forName(name, true, loader(asked)) : Class.forName(PACKAGE + name);
        return found.getConstructor().newInstance();
    }

    /** The version of Debezium that knows the keys of this configuration, with its own jars. */
    private static ClassLoader loader(JsonNode asked) throws Exception {
        boolean old = asked.path("config").has("drop.tombstones") || asked.path("config").has("delete.handling.mode");
        String folder = System.getProperty(old ? "oracle.debezium.3.1" : "oracle.debezium");
        ClassLoader known = LOADERS.get(folder);
        if (known == null) {
            List<URL> jars = new ArrayList<>();
            for (File jar : new File(folder).listFiles()) {
                jars.add(jar.toURI().toURL());
            }
            known = new URLClassLoader(jars.toArray(URL[]::new), Records.class.getClassLoader());
            LOADERS.put(folder, known);
        }
        return known;
    }

    private static Map<String, Object> config(JsonNode asked) {
        Map<String, Object> config = new HashMap<>();
        asked.path("config").fieldNames().forEachRemaining(
            key -> config.put(key, asked.get("config").get(key).textValue()));
        return config;
    }

    @SuppressWarnings("unchecked")
    private static <R extends ConnectRecord<R>> ConnectRecord<?> apply(Transformation<?> made, ConnectRecord<?> record) {
        return ((Transformation<R>) made).apply((R) record);
    }

    @SuppressWarnings("unchecked")
    private static <R extends ConnectRecord<R>> boolean test(Predicate<?> made, ConnectRecord<?> record) {
        return ((Predicate<R>) made).test((R) record);
    }

    static ConnectRecord<?> record(JsonNode node) {
        String topic = node.get("topic").textValue();
        Integer partition = node.has("partition") ? node.get("partition").intValue() : null;
        Long timestamp = node.has("timestamp") ? Long.valueOf(node.get("timestamp").textValue()) : null;
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : node.path("headers")) {
            headers.add(header.get(0).textValue(), Codec.value(header.get(2), null), Codec.schema(header.get(1)));
        }
        var keySchema = Codec.schema(node.get("keySchema"));
        var key = Codec.value(node.get("key"), keySchema);
        var valueSchema = Codec.schema(node.get("schema"));
        var value = Codec.value(node.get("value"), valueSchema);
        if (node.has("offset")) {
            return new SinkRecord(topic, partition, keySchema, key, valueSchema, value, node.get("offset").longValue(),
                timestamp, TimestampType.NO_TIMESTAMP_TYPE, headers);
        }
        return new SourceRecord(null, null, topic, partition, keySchema, key, valueSchema, value, timestamp, headers);
    }

    private static JsonNode json(ConnectRecord<?> record) {
        if (record == null) {
            return JSON.getNodeFactory().nullNode();
        }
        ObjectNode node = JSON.createObjectNode();
        node.put("topic", record.topic());
        if (record.kafkaPartition() != null) {
            node.put("partition", record.kafkaPartition());
        }
        if (record instanceof SinkRecord sink) {
            node.put("offset", sink.kafkaOffset());
            if (!List.of("topic").contains(sink.originalTopic())) {
                throw new IllegalStateException("the original topic has moved");
            }
        }
        node.set("keySchema", Codec.json(record.keySchema()));
        node.set("key", Codec.json(record.key()));
        node.set("schema", Codec.json(record.valueSchema()));
        node.set("value", Codec.json(record.value()));
        if (record.timestamp() != null) {
            node.put("timestamp", record.timestamp().toString());
        }
        if (!record.headers().isEmpty()) {
            ArrayNode headers = node.putArray("headers");
            for (Header header : record.headers()) {
                headers.addArray().add(header.key()).add(Codec.json(header.schema())).add(Codec.json(header.value()));
            }
        }
        node.properties().removeIf(entry -> entry.getValue().isNull());
        return node;
    }
}
