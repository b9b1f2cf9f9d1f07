//! Whether telemetry arrives: from the service's buffers through the collector's queues to the
//! destinations.

use super::Dashboard;
use super::panel::{Panel, lines, number, row};

pub(super) fn dashboard() -> Dashboard {
    let mut panels = numbers();
    panels.extend(service());
    panels.extend(collector());
    panels.extend(destinations());
    Dashboard {
        uid: "bangui-pipeline",
        title: "BanGUI: Telemetry pipeline",
        description: "Does every log record, span and metric arrive, and if not, where does it \
                      wait? From top to bottom as they travel.",
        refresh: "10s",
        variables: Vec::new(),
        panels,
    }
}

fn numbers() -> Vec<Panel> {
    vec![
        number("Collector", "bool_yes_no", "Whether it answers its scrape.")
            .ask("min(up{job=\"otel-collector\"})", "up")
            .need(1.0),
        number("Waits in the service", "short", "Records that the collector has not acknowledged.")
            .ask("sum(bangui_log_buffered)", "records")
            .warn(1000.0, 5000.0),
        number("Waits in the collector", "short", "Items in its queues on disk, all destinations.")
            .ask("sum(otelcol_exporter_queue_size)", "items")
            .warn(1000.0, 100_000.0),
        number("Oldest held", "s", "How long the longest-held batch has been refused.")
            .ask("max(bangui_collector_oldest_held_seconds) or vector(0)", "age")
            .warn(60.0, 3600.0),
        number("Dead letters, 24 h", "short", "Records that a destination will never take.")
            .ask("sum(increase(bangui_collector_dead_letters_total[24h])) or vector(0)", "records")
            .warn(1.0, 100.0),
        number("Lost for good, 24 h", "short", "Records that were given up on the way out.")
            .ask(
                "sum(increase(otelcol_exporter_send_failed_log_records_total\
                 {exporter=~\"otlp/to_.*\"}[24h])) or vector(0)",
                "records",
            )
            .warn(1.0, 100.0),
    ]
}

fn service() -> Vec<Panel> {
    vec![
        row("1. The service hands on"),
        lines("Records by level", "cps", "A burst of one level is where to begin to read.").ask(
            "sum by (bangui_log_level) (rate(bangui_log_records_total[$__rate_interval]))",
            "{{bangui_log_level}}",
        ),
        lines("Buffer in the service", "short", "Beyond the limit the oldest records are lost.")
            .ask("sum by (instance) (bangui_log_buffered)", "waiting {{instance}}")
            .ask("min(bangui_log_buffer_limit)", "limit"),
        lines(
            "Delivered and lost",
            "cps",
            "repeated is left out on purpose and counted; stdout_full is nobody reading stdout; \
             buffer_full is a collector that was away for too long.",
        )
        .ask("sum(rate(bangui_log_delivered_total[$__rate_interval]))", "delivered")
        .ask(
            "sum by (bangui_log_lost_reason) (rate(bangui_log_lost_total[$__rate_interval]))",
            "lost: {{bangui_log_lost_reason}}",
        ),
        lines("Exports", "cps", "By signal; failures are tried again.").ask(
            "sum by (bangui_telemetry_signal, bangui_result) \
             (rate(bangui_telemetry_exports_total[$__rate_interval]))",
            "{{bangui_telemetry_signal}} {{bangui_result}}",
        ),
        lines("Secrets taken out", "short", "In each 10 minutes, by rule; somebody logs secrets.")
            .ask(
                "topk(5, sum by (bangui_sanitizer_rule) \
                 (increase(bangui_sanitizer_redactions_total[10m])))",
                "{{bangui_sanitizer_rule}}",
            ),
    ]
}

fn collector() -> Vec<Panel> {
    vec![
        row("2. The collector takes, keeps and sends"),
        lines("Taken", "cps", "Items a second that it has acknowledged, by signal.")
            .ask(
                "sum(rate(otelcol_receiver_accepted_log_records_total\
                 {receiver=\"otlp\"}[$__rate_interval]))",
                "log records",
            )
            .ask(
                "sum(rate(otelcol_receiver_accepted_spans_total\
                 {receiver=\"otlp\"}[$__rate_interval]))",
                "spans",
            )
            .ask(
                "sum(rate(otelcol_receiver_accepted_metric_points_total\
                 {receiver=\"otlp\"}[$__rate_interval]))",
                "metric points",
            ),
        lines(
            "Refused",
            "cps",
            "By receiver: otlp is memory or a full queue, the service keeps and tries again; \
             others are a destination's hop.",
        )
        .ask(
            "sum by (receiver) \
             (rate(otelcol_receiver_refused_log_records_total[$__rate_interval]))",
            "log records {{receiver}}",
        )
        .ask(
            "sum by (receiver) (rate(otelcol_receiver_refused_spans_total[$__rate_interval]))",
            "spans {{receiver}}",
        ),
        lines("Queues on disk", "percentunit", "How full, by destination.")
            .ask(
                "max by (exporter, data_type) (otelcol_exporter_queue_size / \
                 otelcol_exporter_queue_capacity)",
                "{{exporter}} {{data_type}}",
            )
            .warn(0.5, 0.9),
        lines("Memory", "bytes", "It begins to refuse at 400 MiB.")
            .ask("max(otelcol_process_memory_rss_bytes)", "collector")
            .warn(350e6, 420e6),
        lines("CPU", "percentunit", "Of one core.")
            .ask("sum(rate(otelcol_process_cpu_seconds_total[$__rate_interval]))", "collector"),
        lines("Series handed to Prometheus", "cps", "Metric points a second.").ask(
            "sum by (exporter) \
             (rate(otelcol_exporter_sent_metric_points_total[$__rate_interval]))",
            "{{exporter}}",
        ),
    ]
}

fn destinations() -> Vec<Panel> {
    let age = "From the oldest record of a batch to the destination's answer; only with \
               external destinations.";
    vec![
        row("3. Destinations answer"),
        lines("Log records sent", "cps", "By exporter; to_X is the queue of destination X.").ask(
            "sum by (exporter) (rate(otelcol_exporter_sent_log_records_total[$__rate_interval]))",
            "{{exporter}}",
        ),
        lines("Spans sent", "cps", "By exporter.").ask(
            "sum by (exporter) (rate(otelcol_exporter_sent_spans_total[$__rate_interval]))",
            "{{exporter}}",
        ),
        lines("Failed sends", "cps", "Log records of failed attempts, by exporter.").ask(
            "sum by (exporter) \
             (rate(otelcol_exporter_send_failed_log_records_total[$__rate_interval]))",
            "{{exporter}}",
        ),
        lines("Delay to the destination, p95", "s", age).ask(
            "histogram_quantile(0.95, sum by (le, destination) \
             (rate(bangui_collector_delivery_delay_seconds_bucket[5m])))",
            "{{destination}}",
        ),
        lines(
            "Refusals that are held",
            "cps",
            "By destination and reason: what it answered, or \
              what went wrong before.",
        )
        .ask(
            "sum by (destination, error_type) \
                 (rate(bangui_collector_held_total[$__rate_interval]))",
            "{{destination}} {{error_type}}",
        ),
        lines("Batches held now", "short", "They are sent again until the destination takes them.")
            .ask("sum by (destination) (bangui_collector_held_batches)", "{{destination}}"),
    ]
}
