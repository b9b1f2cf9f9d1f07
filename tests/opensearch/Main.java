// One real OpenSearch node on 127.0.0.1, in the foreground, for tests of what arrives there.
// scripts/serve-opensearch.sh starts it and says what it reads from the environment.

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

final class Main {
    private static final String NAME = "bangui-test";

    /** The constructor that takes modules from the class path is for subclasses alone. */
    private static final class TestNode extends Node {
        private static final List<Class<? extends Plugin>> MODULES =
                List.of(
                        Netty4Plugin.class,
                        CommonAnalysisPlugin.class,
                        MapperExtrasPlugin.class);

        TestNode(Environment environment) {
            super(environment, MODULES, true);
        }
    }

    private static Settings settings() {
        String folder = System.getenv("OPENSEARCH_DIR");
        return Settings.builder()
                .put("cluster.name", NAME)
                .put("node.name", NAME)
                .put("path.home", folder)
                .put("path.data", folder + "/data")
                .put("path.logs", folder + "/logs")
                .put("network.host", "127.0.0.1")
                .put("http.port", System.getenv("OPENSEARCH_PORT"))
                // 0 lets the kernel choose: nobody joins this node, so nobody has to know.
                .put("transport.port", System.getenv("OPENSEARCH_TRANSPORT_PORT"))
                .put("discovery.type", "single-node")
                // A developer's full disk must not make the indices read-only.
                .put("cluster.routing.allocation.disk.threshold_enabled", false)
                .build();
    }

    private static void closeQuietly(Node node) {
        try {
            node.close();
        } catch (IOException error) {
            System.err.println("opensearch: it did not close well: " + error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName(NAME);
        Environment environment =
                InternalSettingsPreparer.prepareEnvironment(
                        settings(), Map.of(), null, () -> NAME);
        Node node = new TestNode(environment);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> closeQuietly(node)));
        try {
            node.start();
        } catch (Exception error) {
            // A port that is taken, usually.
            System.err.println("opensearch: it cannot start: " + error);
            System.exit(1);
        }
        // The node's own threads are daemons: without this one, the process would end.
        new CountDownLatch(1).await();
    }

    private Main() {}
}
