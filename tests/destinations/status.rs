//! What the status, and so the page, tells of the collector and of the destinations behind it.

use serde_json::Value;

use super::otlp::collector_to;
use crate::support::{Bangui, Client, OtlpReceiver, SOON, eventually, patient};

fn wait_for(client: &Client, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, what, || {
        let status = client.get("/api/dashboard/status").expect(200).json();
        let collector = status["telemetry"]["collector"].clone();
        if fits(&collector) { Ok(collector) } else { Err(status.to_string()) }
    })
}

#[test]
fn the_status_tells_what_destinations_took_and_what_waits() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let mut collector = collector_to(&receiver, &[]);
    let metrics = format!("http://127.0.0.1:{}/metrics", collector.port("TELEMETRY_PORT"));
    let bangui = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_COLLECTOR_METRICS_URL", metrics)
        .export_often()
        .start();
    let admin = bangui.admin();
    let taken = wait_for(&admin, "records that were sent", |it| {
        it["destinations"][0]["sent"].as_u64() > Some(0)
    });
    assert_eq!((&taken["reachable"], &taken["error"]), (&true.into(), &Value::Null));
    let otlp = &taken["destinations"][0];
    assert_eq!((&otlp["name"], &otlp["failing"]), (&"otlp".into(), &false.into()));
    assert_eq!(otlp["error_type"], Value::Null);
    assert_eq!((&otlp["queue_capacity"], &otlp["dropped"]), (&1_000_000.into(), &0.into()));

    receiver.set_failing(true);
    wait_for(&admin, "attempts that fail", |it| {
        let otlp = &it["destinations"][0];
        otlp["failing"] == true
            && otlp["error_type"] == "503"
            && otlp["queue_size"].as_u64() > Some(0)
    });
    receiver.set_status(401);
    wait_for(&admin, "another reason", |it| it["destinations"][0]["error_type"] == "401");
    receiver.set_failing(false);
    wait_for(&admin, "the recovery", |it| {
        let otlp = &it["destinations"][0];
        otlp["failing"] == false && otlp["error_type"] == Value::Null
    });

    collector.kill();
    let gone = wait_for(&admin, "the collector's end", |it| it["reachable"] == false);
    assert_eq!(gone["error"], "nobody answers there");
    assert_eq!(gone["destinations"][0]["name"], "otlp", "what was last known is shown");
}
