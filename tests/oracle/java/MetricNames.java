import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.clients.GroupRebalanceConfig;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.MetricNameTemplate;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.ConnectMetricsRegistry;
import org.apache.kafka.connect.runtime.distributed.ConnectProtocolCompatibility;
import org.apache.kafka.connect.runtime.distributed.DistributedConfig;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/**
 * Writes the metrics that Kafka Connect names: those of its own registry, those of its membership of a group, and those that every
 * client registers for the program it is in. One line of JSON for each group and name, sorted.
 */
public final class MetricNames {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Metrics of the registry of metrics itself. */
    private static final String OF_METRICS = "kafka-metrics-count";

    private MetricNames() {
    }

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ROOT);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        // Whatever a library prints must not mix with the names.
        System.setOut(System.err);
        TreeSet<String> lines = new TreeSet<>();
        for (MetricNameTemplate template : new ConnectMetricsRegistry().getAllTemplates()) {
            lines.add(line(template.group(), template.name(), template.tags(), template.description()));
        }
        try (Metrics metrics = new Metrics()) {
            GroupRebalanceConfig config =
                    new GroupRebalanceConfig(new DistributedConfig(worker()), GroupRebalanceConfig.ProtocolType.CONNECT);
            // It registers its metrics when it is made, and asks its client, its store and its listener later.
            new WorkerCoordinator(config, new LogContext(), null, metrics, "connect", Time.SYSTEM, "http://localhost:8083", null, null,
                    ConnectProtocolCompatibility.SESSIONED, 0);
            AppInfoParser.registerAppInfo("kafka.connect", "connect-1", metrics, 0);
            for (MetricName name : metrics.metrics().keySet()) {
                if (!name.group().equals(OF_METRICS)) {
                    lines.add(line(name.group(), name.name(), name.tags().keySet(), name.description()));
                }
            }
        }
        lines.forEach(out::println);
        out.flush();
    }

    private static Map<String, String> worker() {
        Map<String, String> worker = new HashMap<>();
        worker.put("bootstrap.servers", "localhost:9092");
        worker.put("group.id", "g");
        worker.put("key.converter", "org.apache.kafka.connect.json.JsonConverter");
        worker.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
        worker.put("config.storage.topic", "configs");
        worker.put("offset.storage.topic", "offsets");
        worker.put("status.storage.topic", "statuses");
        return worker;
    }

    private static String line(String group, String name, Collection<String> tags, String description) throws Exception {
        ObjectNode line = JSON.createObjectNode();
        line.put("group", group);
        line.put("name", name);
        tags.forEach(line.putArray("tags")::add);
        line.put("description", description);
        return JSON.writeValueAsString(line);
    }
}
