//! How the page feels to those who use it, as their browsers measured.

use super::Dashboard;
use super::panel::{Panel, lines, number, row};

pub(super) fn dashboard() -> Dashboard {
    let mut panels = vitals();
    panels.extend(over_time());
    panels.extend(calls());
    Dashboard {
        uid: "bangui-frontend",
        title: "BanGUI: Frontend",
        description: "Is the page slow, and is it the page, the network or the service? Web \
                      Vitals are judged at their 75th percentile.",
        refresh: "1m",
        variables: Vec::new(),
        panels,
    }
}

fn quantile(metric: &str, selector: &str, over: &str) -> String {
    format!("histogram_quantile(0.75, sum by (le) (rate({metric}_bucket{selector}[{over}])))")
}

fn vital(title: &'static str, name: &str, means: &'static str, good: f64, fair: f64) -> Panel {
    let selector = format!("{{web_vital=\"{name}\"}}");
    number(title, "s", means)
        .ask(quantile("bangui_web_vitals_duration_seconds", &selector, "1h"), "p75")
        .warn(good, fair)
}

fn vitals() -> Vec<Panel> {
    vec![
        vital("LCP", "LCP", "Until the largest content is seen; good to 2.5 s.", 2.5, 4.0),
        vital("FCP", "FCP", "Until the first content is seen; good to 1.8 s.", 1.8, 3.0),
        vital("TTFB", "TTFB", "Until the first byte of the document; good to 0.6 s.", 0.6, 1.8),
        vital("FID", "FID", "From the first input to its handling; good to 0.1 s.", 0.1, 0.3),
        vital("INP", "INP", "From an input to what is seen of it; good to 0.2 s.", 0.2, 0.5),
        number("CLS", "none", "How much of the page moves while it is read; good to 0.1.")
            .ask(quantile("bangui_web_vitals_cls", "", "1h"), "p75")
            .warn(0.1, 0.25),
    ]
}

fn over_time() -> Vec<Panel> {
    vec![
        row("Web Vitals over time"),
        lines("Web Vitals, p75", "s", "Those that are durations.").ask(
            "histogram_quantile(0.75, sum by (le, web_vital) \
             (rate(bangui_web_vitals_duration_seconds_bucket[30m])))",
            "{{web_vital}}",
        ),
        lines("Layout shift, p75", "none", "Good to 0.1, poor above 0.25.")
            .ask(quantile("bangui_web_vitals_cls", "", "30m"), "CLS")
            .warn(0.1, 0.25),
        lines(
            "Share that is good",
            "percentunit",
            "Of all measurements of a vital; three of four should be good.",
        )
        .ask(
            "sum by (web_vital) \
             (rate(bangui_web_vitals_duration_seconds_count{rating=\"good\"}[30m])) / \
             sum by (web_vital) (rate(bangui_web_vitals_duration_seconds_count[30m]))",
            "{{web_vital}}",
        )
        .up_to(1.0),
    ]
}

fn calls() -> Vec<Panel> {
    vec![
        row("The page's calls of the API"),
        lines("Calls by endpoint", "reqps", "As the browsers made them; a click leads to traces.")
            .ask(
                "sum by (method, endpoint) \
                 (rate(bangui_frontend_api_duration_seconds_count[5m]))",
                "{{method}} {{endpoint}}",
            )
            .leading_to_traces("${__field.labels.method}%20${__field.labels.endpoint}"),
        lines(
            "p95: browser and service",
            "s",
            "What lies between the two lines is the network and the browser.",
        )
        .ask(
            "histogram_quantile(0.95, sum by (le) \
             (rate(bangui_frontend_api_duration_seconds_bucket[5m])))",
            "browser",
        )
        .ask(
            "histogram_quantile(0.95, sum by (le) \
             (rate(bangui_http_request_duration_seconds_bucket{endpoint=~\"/api/.*\"}[5m])))",
            "service",
        ),
        lines(
            "Calls by how they ended",
            "reqps",
            "none is a call without an answer: the network, or a service that is away.",
        )
        .ask(
            "sum by (status_class) (rate(bangui_frontend_api_duration_seconds_count[5m]))",
            "{{status_class}}",
        ),
    ]
}
