//! What the integration tests share: processes, clients, receivers, and waiting within a limit.

// Only the integration tests use it, Prometheus and the mailbox.
#[allow(dead_code)]
mod alertmanager;
mod bangui;
mod certificates;
mod client;
mod collector;
mod command;
mod contract;
mod database;
pub(crate) mod fail2ban;
mod fake_socket;
mod gate;
#[allow(dead_code)]
mod https;
pub(crate) mod instruments;
mod lines;
#[allow(dead_code)]
mod list_server;
#[allow(dead_code)]
mod mailbox;
#[allow(dead_code)]
mod monitor;
mod muted;
mod opensearch;
mod otlp;
mod otlp_server;
mod ports;
#[allow(dead_code)]
pub(crate) mod postgres;
mod process;
mod prometheus;
mod raw_call;
mod record;
mod rpc;
// Only the tests of the destinations use it and the sink.
#[allow(dead_code)]
mod rsyslog;
#[allow(dead_code)]
pub(crate) mod shapes;
#[allow(dead_code)]
mod sink;
mod sse;
mod stack;
mod tls;
mod turns;
#[allow(dead_code)]
mod upstream;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[allow(unused_imports)]
pub(crate) use alertmanager::{Alertmanager, Webhook};
pub(crate) use bangui::{Bangui, Builder, PASSWORD, parse};
#[allow(unused_imports)]
pub(crate) use certificates::Certificates;
pub(crate) use client::{Answer, Answers, Client};
pub(crate) use collector::Collector;
pub(crate) use command::Output;
#[allow(unused_imports)]
pub(crate) use database::Database;
pub(crate) use fail2ban::Fail2ban;
pub(crate) use fake_socket::FakeSocket;
pub(crate) use gate::Gate;
#[allow(unused_imports)]
pub(crate) use https::Https;
pub(crate) use lines::Lines;
#[allow(unused_imports)]
pub(crate) use list_server::{ListServer, Reply};
#[allow(unused_imports)]
pub(crate) use mailbox::{Mail, Mailbox};
#[allow(unused_imports)]
pub(crate) use monitor::{Monitor, Series};
pub(crate) use muted::Muted;
pub(crate) use opensearch::OpenSearch;
pub(crate) use otlp::OtlpReceiver;
pub(crate) use ports::free_port;
pub(crate) use process::Process;
#[allow(unused_imports)]
pub(crate) use prometheus::Prometheus;
pub(crate) use raw_call::{framed, raw_call};
pub(crate) use record::{assert_same, hex, is_stdout_only, line_of_otlp, line_of_otlp_json};
pub(crate) use rpc::{API_TOKEN, Rpc, metadata, reason_and_field};
#[allow(unused_imports)]
pub(crate) use rsyslog::{Rsyslog, Security, SyslogRecord};
#[allow(unused_imports)]
pub(crate) use sink::{Counts, Received, Sink, SinkOptions};
#[allow(unused_imports)]
pub(crate) use sse::{Event, Events};
pub(crate) use stack::Stack;
pub(crate) use tls::TlsProxy;
pub(crate) use turns::{heavy, patient};
#[allow(unused_imports)]
pub(crate) use upstream::{Manner, Upstream};

/// The usual limit of a wait: far more than anything needs here, even beside a compiler.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The pause between two looks; it bounds the cost of waiting, not its length.
const LOOK_INTERVAL: Duration = Duration::from_millis(40);

/// Looks until the probe has a value; fails with what was waited for and why it was not there.
pub(crate) fn eventually<T>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, String>,
) -> T {
    let until = Instant::now() + limit;
    loop {
        match probe() {
            Ok(value) => return value,
            Err(why) if Instant::now() >= until => {
                panic!("waited {} s for {what}; last seen: {why}", limit.as_secs())
            }
            Err(_) => sleep(LOOK_INTERVAL),
        }
    }
}

/// Watches for a while that something holds all the time; for what must *not* happen.
pub(crate) fn throughout(
    time: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<(), String>,
) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if let Err(why) = probe() {
            panic!("{what}: {why}");
        }
        sleep(LOOK_INTERVAL);
    }
}

/// Waits until a count has not grown for a while; something that feeds itself is never silent.
pub(crate) fn wait_for_silence(what: &str, count: impl Fn() -> usize) {
    // Tests let exports happen every 200 ms.
    const SILENCE: Duration = Duration::from_secs(3);
    // For some seconds after its start, the watch asks fail2ban for lists, each of which is a
    // trace.
    const SETTLED: Duration = Duration::from_secs(30);
    let mut last = (count(), Instant::now());
    eventually(SETTLED, &format!("an end of {what}"), || {
        let now = count();
        if now != last.0 {
            last = (now, Instant::now());
        }
        expect(last.1.elapsed() >= SILENCE, format!("{now} and growing"))
    });
}

/// `Ok` when the condition holds, with words for when it does not.
pub(crate) fn expect(condition: bool, why: impl Into<String>) -> Result<(), String> {
    if condition { Ok(()) } else { Err(why.into()) }
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script of the repository.
pub(crate) fn script(name: &str) -> PathBuf {
    let path = repository().join("scripts").join(name);
    assert!(path.exists(), "scripts/{name} is missing");
    path
}

/// The little that every child process inherits.
pub(crate) fn inherited() -> Vec<(&'static str, String)> {
    // The caches hold the tools that the scripts would otherwise fetch or build.
    ["PATH", "HOME", "TMPDIR", "BANGUI_BUILD_CACHE", "GOCACHE", "GOMODCACHE", "GOPROXY"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)))
        .collect()
}

/// A number that differs with each call.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
