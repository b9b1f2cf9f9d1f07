//! One trace through two processes: a command, and the service that it asks.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{
    API_TOKEN, Bangui, Builder, Fail2ban, OtlpReceiver, SOON, eventually, hex, parse,
};

fn shell(bangui: &Bangui) -> Builder {
    let address = format!("http://127.0.0.1:{}", bangui.port());
    Bangui::builder().env("BANGUI_ADDRESS", address).env("BANGUI_API_TOKEN", API_TOKEN)
}

fn start(receiver: &OtlpReceiver, fail2ban: &Fail2ban) -> Bangui {
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN);
    let builder = builder.env("BANGUI_API_TOKEN_SCOPE", "write").fail2ban(fail2ban);
    let bangui = builder.export_to(receiver, "grpc").start();
    bangui.wait_for_fail2ban(&bangui.admin());
    bangui
}

fn line_of(stderr: &[String]) -> Value {
    let mut lines = parse(stderr);
    lines.retain(|line| line["event"] == "command_completed");
    let [line] = &lines[..] else { panic!("one line: {stderr:?}") };
    line.clone()
}

#[test]
fn the_commands_span_is_the_root_of_what_the_service_does() {
    let (receiver, fail2ban) = (OtlpReceiver::start(), Fail2ban::start());
    let bangui = start(&receiver, &fail2ban);
    let folder = tempdir().unwrap();
    let exporting = shell(&bangui).export_to(&receiver, "grpc");
    let words = ["ban", "sshd", "203.0.113.40", "--verbose"];
    let output = exporting.run(folder.path(), &words, "");
    assert_eq!(output.code, Some(0), "{output:?}");
    let line = line_of(&output.stderr);
    let id = line["correlation_id"].as_str().unwrap().to_owned();
    assert_eq!((&line["command"], &line["exit_code"]), (&"ban".into(), &0.into()), "{line}");
    // Both logs have the id, and the command's line arrived at the collector, too.
    for event in ["grpc_call_completed", "ban_executed"] {
        bangui.wait_for(event, |own| own["correlation_id"] == id.as_str());
    }
    eventually(SOON, "command_completed by OTLP", || {
        let found = receiver.lines().into_iter().find(|own| own["uid"] == line["uid"]);
        found.ok_or_else(|| "not there".to_owned())
    });
    let chain = ["bangui ban", "bangui.v1.BanService/Ban", "bangui.v1.BanService/Ban"];
    let spans = eventually(SOON, "the whole trace", || {
        let mut spans = receiver.spans();
        spans.retain(|span| hex(&span.trace_id) == id);
        let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
        let is_whole = count(chain[0]) == 1
            && count(chain[1]) == 2
            && count("fail2ban set banip") == 1
            && count("INSERT bans") == 1
            && count("INSERT audit") == 1;
        let names = || spans.iter().map(|it| &it.name).collect::<Vec<_>>();
        if is_whole { Ok(spans.clone()) } else { Err(format!("{:?}", names())) }
    });
    // From the innermost outwards: SQL, the service, the command's call, the command.
    let parent = |span: &Span| spans.iter().find(|it| it.span_id == span.parent_span_id).cloned();
    for inner in ["fail2ban set banip", "INSERT bans"] {
        let mut span = spans.iter().find(|it| it.name == inner).unwrap().clone();
        let mut way = Vec::new();
        while let Some(outer) = parent(&span) {
            way.push((outer.name.clone(), outer.kind));
            span = outer;
        }
        way.reverse();
        // Internal, client, server: as OTLP numbers them.
        let expected = chain.iter().map(ToString::to_string).zip([1, 3, 2]).collect::<Vec<_>>();
        assert_eq!(way[..3], expected, "{inner}");
        assert!(span.parent_span_id.is_empty(), "the command is the root: {span:?}");
    }
    let service_names = ["bangui", "bangui-cli"].map(|name| receiver.payload_with(name).is_some());
    assert_eq!(service_names, [true; 2]);
}

#[test]
fn a_command_that_nobody_observes_leaves_the_services_trace_alone() {
    let (receiver, fail2ban) = (OtlpReceiver::start(), Fail2ban::start());
    let bangui = start(&receiver, &fail2ban);
    let folder = tempdir().unwrap();
    let output = shell(&bangui).run(folder.path(), &["why", "203.0.113.41"], "");
    assert_eq!((output.code, output.stderr), (Some(0), vec![]));
    let called = |line: &Value| line["endpoint"] == "/bangui.v1.HistoryService/GetAddressHistory";
    let line = bangui.wait_for("grpc_call_completed", called);
    let id = line["correlation_id"].as_str().unwrap();
    let span = receiver.wait_for_span(id, "bangui.v1.HistoryService/GetAddressHistory");
    assert!(span.parent_span_id.is_empty(), "a parent that never comes: {span:?}");
    // With a log of its own the id is the same in both, exported or not.
    let output = shell(&bangui).run(folder.path(), &["status", "-v"], "");
    let id = line_of(&output.stderr)["correlation_id"].as_str().unwrap().to_owned();
    bangui.wait_for("grpc_call_completed", |line| line["correlation_id"] == id.as_str());
    // A failure is told at warning, and where nobody answers under the command's own id.
    let nobody = format!("http://127.0.0.1:{}", crate::support::free_port());
    let shell = shell(&bangui).env("BANGUI_ADDRESS", nobody).env("BANGUI_LOG_LEVEL", "warning");
    let output = shell.run(folder.path(), &["status", "-v"], "");
    let line = line_of(&output.stderr);
    assert_eq!((&line["level"], &line["exit_code"]), (&"warning".into(), &69.into()), "{line}");
    let told = output.stderr.iter().find(|line| line.starts_with("bangui status: ")).unwrap();
    assert!(told.contains(line["correlation_id"].as_str().unwrap()), "{told}");
}

#[test]
fn no_token_is_told_however_much_is_told() {
    let (receiver, fail2ban) = (OtlpReceiver::start(), Fail2ban::start());
    let bangui = start(&receiver, &fail2ban);
    let folder = tempdir().unwrap();
    let shell = shell(&bangui).env("BANGUI_LOG_LEVEL", "trace").export_to(&receiver, "grpc");
    let shell = shell.env("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", "false");
    let output = shell.run(folder.path(), &["ban", "sshd", "203.0.113.42", "-v"], "");
    assert_eq!(output.code, Some(0), "{output:?}");
    // Libraries tell of the connection and its headers.
    assert!(output.stderr.iter().any(|line| line.contains("\"h2::")), "{output:?}");
    assert!(!format!("{output:?}").contains(API_TOKEN), "{output:?}");
    receiver.wait_for_span(line_of(&output.stderr)["trace_id"].as_str().unwrap(), "bangui ban");
    assert_eq!(receiver.payload_with(API_TOKEN), None);
}

#[test]
fn a_collector_that_is_away_delays_nobody_for_long() {
    let (receiver, fail2ban) = (OtlpReceiver::start(), Fail2ban::start());
    let bangui = start(&receiver, &fail2ban);
    let folder = tempdir().unwrap();
    // Discard: nobody listens there, and the network behind it does not answer.
    for away in ["http://127.0.0.1:9", "http://192.0.2.1:4317"] {
        let shell = shell(&bangui).env("OTEL_EXPORTER_OTLP_ENDPOINT", away);
        let started = std::time::Instant::now();
        let output = shell.run(folder.path(), &["bans"], "");
        assert_eq!((output.code, output.stderr), (Some(0), vec![]), "{away}");
        assert!(started.elapsed().as_secs() < 5, "{away}: {:?}", started.elapsed());
    }
}
