package wharf.test;

import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** Reports records whose value begins with `report.prefix`: the record itself, or with `report.late` a copy of it. */
public class ReportingSink extends SinkConnector {
    private Map<String, String> settings;

    @Override
    public void start(Map<String, String> settings) {
        this.settings = settings;
    }

    @Override
    public void stop() {}

    @Override
    public Class<? extends Task> taskClass() {
        return ReportingTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int most) {
        return Collections.singletonList(settings);
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef();
    }

    @Override
    public String version() {
        return "1";
    }

    /** Its task. */
    public static class ReportingTask extends SinkTask {
        private String prefix;
        private boolean late;

        @Override
        public void start(Map<String, String> settings) {
            prefix = settings.get("report.prefix");
            late = Boolean.parseBoolean(settings.get("report.late"));
        }

        @Override
        public void put(Collection<SinkRecord> records) {
            for (SinkRecord record : records) {
                if (!String.valueOf(record.value()).startsWith(prefix)) {
                    continue;
                }
                try {
                    context.errantRecordReporter().report(late ? copy(record) : record, reason()).get();
                } catch (InterruptedException | java.util.concurrent.ExecutionException e) {
                    throw new ConnectException(e);
                }
            }
        }

        private DataException reason() {
            return new DataException(late ? "asked to report it late" : "asked to report it");
        }

        private static SinkRecord copy(SinkRecord record) {
            return new SinkRecord(
                    record.topic(),
                    record.kafkaPartition(),
                    record.keySchema(),
                    record.key(),
                    record.valueSchema(),
                    record.value(),
                    record.kafkaOffset(),
                    record.timestamp(),
                    record.timestampType(),
                    record.headers());
        }

        @Override
        public void stop() {}

        @Override
        public String version() {
            return "1";
        }
    }
}
