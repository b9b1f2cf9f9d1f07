//! Watching over gRPC: the news, where a reader resumes, and one who is too slow.

use std::time::Duration;

use bangui::proto::v1::watch_response::Event;
use bangui::proto::v1::{BanRequest, EventSource, ListBansRequest, WatchResponse};
use tonic::{Code, Streaming};

use crate::support::{API_TOKEN, Bangui, Fail2ban, Rpc, metadata};

fn start(fail2ban: Option<&Fail2ban>) -> (Bangui, Rpc) {
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN);
    let builder = builder.env("BANGUI_API_TOKEN_SCOPE", "write");
    let bangui = match fail2ban {
        Some(fail2ban) => builder.fail2ban(fail2ban).start(),
        None => builder.start(),
    };
    if fail2ban.is_some() {
        let client = bangui.stranger().with("authorization", &format!("Bearer {API_TOKEN}"));
        bangui.wait_for_fail2ban(&client);
    }
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    (bangui, rpc)
}

/// Reads until a message fits.
fn read_until(
    rpc: &Rpc,
    stream: &mut Streaming<WatchResponse>,
    fits: impl Fn(&Event) -> bool,
) -> WatchResponse {
    loop {
        let message = rpc.next(stream).unwrap().expect("the stream goes on");
        if message.event.as_ref().is_some_and(&fits) {
            return message;
        }
    }
}

fn is_ban_of(ip: &str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Ban(it) if it.ban.as_ref().is_some_and(|it| it.ip == ip))
}

#[test]
fn a_reader_hears_the_state_then_the_news_and_resumes_where_it_was() {
    let fail2ban = Fail2ban::start();
    let (_bangui, rpc) = start(Some(&fail2ban));
    let mut events = rpc.watch("").unwrap();
    let first = rpc.next(&mut events).unwrap().unwrap();
    let second = rpc.next(&mut events).unwrap().unwrap();
    assert!(matches!(first.event, Some(Event::Status(_))), "{first:?}");
    assert!(matches!(second.event, Some(Event::Jails(_))), "{second:?}");
    let ban = |ip: &str| {
        let message = BanRequest { jail: "sshd".into(), ip: ip.into(), reason: String::new() };
        let answer = rpc.wait(rpc.bans().ban(rpc.request(message))).unwrap();
        metadata(answer.metadata(), "x-correlation-id")
    };
    let (id, _) = (ban("203.0.113.50"), ban("203.0.113.51"));
    let message = read_until(&rpc, &mut events, is_ban_of("203.0.113.50"));
    let Some(Event::Ban(event)) = &message.event else { unreachable!() };
    assert_eq!(
        (event.source(), event.correlation_id.as_deref()),
        (EventSource::Operator, Some(id.as_str()))
    );
    read_until(&rpc, &mut events, is_ban_of("203.0.113.51"));

    let mut resumed = rpc.watch(&message.id).unwrap();
    let next = read_until(&rpc, &mut resumed, |event| matches!(event, Event::Ban(_)));
    assert!(is_ban_of("203.0.113.51")(next.event.as_ref().unwrap()), "{next:?}");
    // A position of another run of the process is no longer remembered.
    let mut lost = rpc.watch("dead-7").unwrap();
    let missed = read_until(&rpc, &mut lost, |event| matches!(event, Event::Missed(_)));
    assert_ne!(missed.id, "dead-7");
}

#[test]
fn a_slow_reader_is_told_that_it_missed_something() {
    let fail2ban = Fail2ban::start();
    let (bangui, rpc) = start(Some(&fail2ban));
    // A window that holds a few messages only, and nobody who reads them.
    let slow = Rpc::connect_with(&bangui, |endpoint| endpoint.initial_stream_window_size(1024));
    let slow = slow.token(API_TOKEN);
    let mut events = slow.watch("").unwrap();
    let addresses: Vec<_> = (0..1400).map(|it| format!("10.9.{}.{}", it / 250, it % 250)).collect();
    for some in addresses.chunks(200) {
        let mut words = vec!["set", "sshd", "banip"];
        words.extend(some.iter().map(String::as_str));
        fail2ban.command(&words);
    }
    // Another reader sees the last one, so all have been told.
    let listing = || {
        let request = rpc.request(ListBansRequest::default());
        let stream = rpc.wait(rpc.bans().list_bans(request)).unwrap();
        rpc.all(stream).len()
    };
    crate::support::eventually(Duration::from_secs(60), "all bans", || {
        let bans = listing();
        crate::support::expect(bans == addresses.len(), format!("{bans}"))
    });
    let missed = read_until(&slow, &mut events, |event| matches!(event, Event::Missed(_)));
    // From there on the stream goes on.
    let message =
        BanRequest { jail: "sshd".into(), ip: "203.0.113.99".into(), reason: String::new() };
    rpc.wait(rpc.bans().ban(rpc.request(message))).unwrap();
    read_until(&slow, &mut events, is_ban_of("203.0.113.99"));
    assert!(missed.id.contains('-'), "{missed:?}");
}

#[test]
fn a_stop_ends_the_streams_at_once() {
    let (bangui, rpc) = start(None);
    let mut events = rpc.watch("").unwrap();
    rpc.next(&mut events).unwrap();
    let started = std::time::Instant::now();
    let ended = bangui.stop();
    let last = std::iter::repeat_with(|| rpc.next(&mut events)).find_map(Result::err).unwrap();
    assert_eq!((last.code(), reason_of_trailers(&last)), (Code::Unavailable, "STOPPING".into()));
    assert_eq!(ended.status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(!ended.lines.iter().any(|line| line["event"] == "http_drain_timed_out"));
    let watched = ended.lines.iter().find(|line| line["grpc_status"] == "UNAVAILABLE");
    assert_eq!(watched.unwrap()["endpoint"], "/bangui.v1.WatchService/Watch");
}

/// Trailers have no correlation id of their own; it came with the head.
fn reason_of_trailers(status: &tonic::Status) -> String {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    details.error_info().unwrap().reason.clone()
}
