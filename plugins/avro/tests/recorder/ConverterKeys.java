// Prints the keys of Confluent's converters as their classes define them: one line of JSON for each, sorted. Its argument says whose:
// avro, protobuf or json-schema. See README.md.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.connect.avro.AvroDataConfig;
import io.confluent.connect.json.JsonSchemaDataConfig;
import io.confluent.connect.protobuf.ProtobufDataConfig;
import io.confluent.kafka.serializers.AbstractKafkaSchemaSerDeConfig;
import io.confluent.kafka.serializers.KafkaAvroDeserializerConfig;
import io.confluent.kafka.serializers.KafkaAvroSerializerConfig;
import io.confluent.kafka.serializers.json.KafkaJsonSchemaDeserializerConfig;
import io.confluent.kafka.serializers.json.KafkaJsonSchemaSerializerConfig;
import io.confluent.kafka.serializers.protobuf.KafkaProtobufDeserializerConfig;
import io.confluent.kafka.serializers.protobuf.KafkaProtobufSerializerConfig;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;

public class ConverterKeys {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        List<ConfigDef> definitions = switch (args[0]) {
            case "avro" -> List.of(
                    AvroDataConfig.baseConfigDef(), of(KafkaAvroSerializerConfig.class), of(KafkaAvroDeserializerConfig.class));
            case "protobuf" -> List.of(
                    ProtobufDataConfig.baseConfigDef(), of(KafkaProtobufSerializerConfig.class),
                    of(KafkaProtobufDeserializerConfig.class));
            default -> List.of(
                    JsonSchemaDataConfig.baseConfigDef(), of(KafkaJsonSchemaSerializerConfig.class),
                    of(KafkaJsonSchemaDeserializerConfig.class));
        };
        Map<String, ConfigDef.ConfigKey> keys = new TreeMap<>(AbstractKafkaSchemaSerDeConfig.baseConfigDef().configKeys());
        definitions.forEach(definition -> keys.putAll(definition.configKeys()));
        for (ConfigDef.ConfigKey key : keys.values()) {
            ObjectNode line = JSON.createObjectNode();
            line.put("key", key.name);
            line.put("type", key.type.name());
            line.put("required", !key.hasDefault());
            line.put("default", key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : null);
            line.put("importance", key.importance.name());
            out.println(JSON.writeValueAsString(line));
        }
        out.flush();
    }

    /** A definition that is not public. */
    static ConfigDef of(Class<?> holder) throws Exception {
        Field config = holder.getDeclaredField("config");
        config.setAccessible(true);
        return (ConfigDef) config.get(null);
    }
}
