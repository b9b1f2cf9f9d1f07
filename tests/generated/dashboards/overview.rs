//! Is everything working, and if not, where to look.

use super::Dashboard;
use super::panel::{Panel, lines, number, row};

/// A quantile of the latency of all requests.
fn latency(quantile: &str) -> String {
    format!(
        "histogram_quantile({quantile}, sum by (le) \
         (rate(bangui_http_request_duration_seconds_bucket[$__rate_interval])))"
    )
}

pub(super) fn dashboard() -> Dashboard {
    let mut panels = numbers();
    panels.extend(requests());
    panels.extend(fail2ban());
    panels.extend(process());
    Dashboard {
        uid: "bangui-overview",
        title: "BanGUI: Overview",
        description: "Is everything working? If a number on top is not green, the row that \
                      explains it is below.",
        refresh: "10s",
        variables: Vec::new(),
        panels,
    }
}

fn numbers() -> Vec<Panel> {
    vec![
        number("Service", "bool_yes_no", "Whether every instance answers its scrape.")
            .ask(r#"min(up{job="bangui"})"#, "up")
            .need(1.0),
        number(
            "fail2ban answers",
            "bool_yes_no",
            "BanGUI knows the jails only while fail2ban answers; no says nothing about whether \
             fail2ban itself bans.",
        )
        .ask("clamp_max(count(bangui_jails_total) or vector(0), 1)", "answers")
        .need(1.0),
        number("Bans in force", "short", "Over all jails; empty while fail2ban is away.")
            .ask("max(bangui_bans_total)", "bans"),
        number("Failures of ours", "percentunit", "Share of requests that end as 5xx, 5 minutes.")
            .ask(
                "(sum(rate(bangui_http_requests_total{status_code=\"5xx\"}[5m])) or vector(0)) / \
                 sum(rate(bangui_http_requests_total[5m]))",
                "5xx",
            )
            .warn(0.001, 0.01),
        number("p95 latency", "s", "95 % of the answers of the last 5 minutes began within it.")
            .ask(
                "histogram_quantile(0.95, sum by (le) \
                 (rate(bangui_http_request_duration_seconds_bucket[5m])))",
                "p95",
            )
            .warn(0.25, 1.0),
        number(
            "Log records lost",
            "short",
            "Records that an output never got in the last hour; see the dashboard of the pipeline.",
        )
        .ask("sum(increase(bangui_log_lost_total[1h]))", "lost")
        .warn(1.0, 1000.0),
    ]
}

fn requests() -> Vec<Panel> {
    let operation = "${__field.labels.method}%20${__field.labels.endpoint}";
    vec![
        row("Requests"),
        lines("Request rate", "reqps", "Requests a second by endpoint; a click leads to traces.")
            .ask(
                "sum by (method, endpoint) (rate(bangui_http_requests_total[$__rate_interval]))",
                "{{method}} {{endpoint}}",
            )
            .leading_to_traces(operation),
        lines("Latency percentiles", "s", "To the first byte of the answer, all endpoints.")
            .ask(latency("0.5"), "p50")
            .ask(latency("0.95"), "p95")
            .ask(latency("0.99"), "p99")
            .warn(0.25, 1.0),
        lines(
            "Error rate",
            "reqps",
            "Answers that are failures of ours. 503 on bans and jails is fail2ban, 504 took \
             too long, 500 has http_internal_error in the log.",
        )
        .ask("sum(rate(bangui_http_requests_total{status_code=~\"5..\"}[5m])) or vector(0)", "all")
        .ask(
            "sum by (method, endpoint) \
             (rate(bangui_http_requests_total{status_code=~\"5..\"}[5m]))",
            "{{method}} {{endpoint}}",
        )
        .leading_to_traces(operation),
        lines(
            "Active requests",
            "short",
            "Requests whose last byte is not sent; an open page counts one on /api/events.",
        )
        .ask("sum by (endpoint) (bangui_http_active_requests)", "{{endpoint}}"),
        lines("p95 latency by endpoint", "s", "The five slowest endpoints.")
            .ask(
                "topk(5, histogram_quantile(0.95, sum by (le, method, endpoint) \
                 (rate(bangui_http_request_duration_seconds_bucket[5m]))))",
                "{{method}} {{endpoint}}",
            )
            .leading_to_traces(operation),
        lines("gRPC calls by status", "reqps", "Their HTTP status is nearly always 200.").ask(
            "sum by (rpc_response_status_code) \
             (rate(rpc_server_call_duration_seconds_count[$__rate_interval]))",
            "{{rpc_response_status_code}}",
        ),
    ]
}

fn fail2ban() -> Vec<Panel> {
    vec![
        row("What requests wait for"),
        lines(
            "fail2ban connection health",
            "cps",
            "Failures to reach fail2ban a second; above zero, banning answers 503.",
        )
        .ask("sum(rate(bangui_fail2ban_connection_errors_total[5m]))", "errors")
        .warn(0.001, 0.1),
        lines("fail2ban commands, p95", "s", "With the wait for their turn, by command.").ask(
            "histogram_quantile(0.95, sum by (le, bangui_fail2ban_command) \
             (rate(bangui_fail2ban_command_duration_seconds_bucket[5m])))",
            "{{bangui_fail2ban_command}}",
        ),
        lines("Database, p95", "s", "By statement and table; a slow disk makes each write late.")
            .ask(
                "topk(5, histogram_quantile(0.95, sum by (le, db_operation_name, \
                 db_collection_name) (rate(db_client_operation_duration_seconds_bucket[5m]))))",
                "{{db_operation_name}} {{db_collection_name}}",
            ),
    ]
}

fn process() -> Vec<Panel> {
    vec![
        row("Process and scheduled tasks"),
        lines(
            "CPU and busy workers",
            "percentunit",
            "CPU of the process; the share of time that \
              the runtime's workers were not idle.",
        )
        .ask(
            "sum by (instance) (rate(process_cpu_time_seconds_total{job=\"bangui\"}[5m]))",
            "CPU {{instance}}",
        )
        .ask(
            "sum by (instance) (rate(bangui_tokio_busy_time_seconds_total[5m])) / \
                 sum by (instance) (bangui_tokio_workers)",
            "busy {{instance}}",
        ),
        lines("Memory", "bytes", "What the process has in RAM.")
            .ask("process_memory_usage_bytes{job=\"bangui\"}", "{{instance}}"),
        lines("Threads and descriptors", "short", "Neither should grow with time.")
            .ask("process_thread_count{job=\"bangui\"}", "threads {{instance}}")
            .ask("process_unix_file_descriptor_count{job=\"bangui\"}", "descriptors {{instance}}"),
        lines("Time since a task's last success", "s", "One that grows is a task that fails.").ask(
            "min by (bangui_task_name) (bangui_task_last_success_age_seconds)",
            "{{bangui_task_name}}",
        ),
        lines("Task runs, failed", "cps", "By task and by what went wrong; zero is all well.").ask(
            "sum(rate(bangui_task_duration_seconds_count{error_type!=\"\"}[5m])) or vector(0)",
            "failed",
        ),
        lines("Scheduler's lock", "short", "Instances that run the scheduled tasks: one, always.")
            .ask("sum(bangui_scheduler_lock_held)", "holders"),
    ]
}
