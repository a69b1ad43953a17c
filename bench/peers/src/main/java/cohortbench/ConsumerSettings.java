package cohortbench;

import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/** The settings of the Kafka consumer in every contestant. */
final class ConsumerSettings {
    private ConsumerSettings() {}

    static Properties of(Run run) {
        Properties settings = fetching();
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, run.brokers());
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, run.id());
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        return settings;
    }

    /** Few large fetches, and large batches out of them. */
    static Properties fetching() {
        Properties settings = new Properties();
        settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, "4194304");
        settings.put(ConsumerConfig.RECEIVE_BUFFER_CONFIG, "1048576");
        settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "5000");
        return settings;
    }
}
