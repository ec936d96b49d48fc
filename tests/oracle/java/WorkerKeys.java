import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.runtime.distributed.Crypto;
import org.apache.kafka.connect.runtime.distributed.DistributedConfig;
import org.apache.kafka.connect.runtime.standalone.StandaloneConfig;

import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.TreeMap;

/** Writes the keys of worker files as Kafka Connect defines them: one line of JSON for each mode and key, sorted. */
public final class WorkerKeys {
    private static final ObjectMapper JSON = new ObjectMapper();

    private WorkerKeys() {
    }

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        // Whatever a library prints must not mix with the keys.
        System.setOut(System.err);
        // The definitions are not public, and what is public needs a whole worker file first.
        Method distributed = DistributedConfig.class.getDeclaredMethod("config", Crypto.class);
        distributed.setAccessible(true);
        write(out, "distributed", (ConfigDef) distributed.invoke(null, Crypto.SYSTEM));
        Field standalone = StandaloneConfig.class.getDeclaredField("CONFIG");
        standalone.setAccessible(true);
        write(out, "standalone", (ConfigDef) standalone.get(null));
        out.flush();
    }

    private static void write(PrintStream out, String mode, ConfigDef definition) throws Exception {
        for (ConfigDef.ConfigKey key : new TreeMap<>(definition.configKeys()).values()) {
            ObjectNode line = JSON.createObjectNode();
            line.put("mode", mode);
            line.put("key", key.name);
            line.put("type", key.type.name());
            line.put("required", !key.hasDefault());
            line.put("default", key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : null);
            line.put("importance", key.importance.name());
            line.put("validator", validator(key.validator));
            out.println(JSON.writeValueAsString(line));
        }
    }

    /** What the reference page says of a rule. One that says nothing has its address for a text, which is another in each run. */
    private static String validator(ConfigDef.Validator validator) {
        if (validator == null) {
            return null;
        }
        String text = validator.toString();
        return text.equals(validator.getClass().getName() + "@" + Integer.toHexString(validator.hashCode()))
                ? validator.getClass().getName()
                : text;
    }
}
