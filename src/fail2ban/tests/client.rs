//! The client against servers that misbehave; time is paused, so every wait is instant.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{
    fake_server::{FakeServer, GREETING, Step},
    fixture,
};
use crate::{
    domain::{JailName, Subject},
    fail2ban::{Client, Fail2banError, Limits, frame::END_MARKER},
};

const PONG: Step = Step::Reply(fixture!("ping"));

fn jail() -> JailName {
    "sshd".parse().unwrap()
}

fn address(text: &str) -> Subject {
    Subject::reported(text).unwrap()
}

/// Waits until the link is as wanted, and tells its error.
async fn wait_for_link(client: &Client, connected: bool) -> Option<String> {
    let mut link = client.link();
    let wanted = link.wait_for(|link| link.connected == connected && link.version.is_some());
    let link = timeout(Duration::from_secs(5), wanted).await.unwrap().unwrap();
    link.last_error.clone()
}

#[tokio::test(start_paused = true)]
async fn commands_are_sent_exactly() {
    let server = FakeServer::start(vec![vec![
        GREETING,
        PONG,
        Step::Reply(fixture!("status")),
        Step::Reply(fixture!("status_sshd_short")),
        Step::Reply(fixture!("get_banip_with_time")),
        Step::Reply(fixture!("set_banip")),
        Step::Reply(fixture!("set_unbanip")),
        Step::Reply(fixture!("get_bantime")),
        Step::Reply(fixture!("get_findtime")),
        Step::Reply(fixture!("get_maxretry")),
        Step::Reply(fixture!("get_logtarget")),
    ]]);
    let client = server.client();
    assert!(!client.link().borrow().connected);
    client.ping().await.unwrap();
    assert_eq!(client.link().borrow().version.as_deref(), Some("1.0.2"));
    assert_eq!(client.status().await.unwrap().len(), 2);
    assert_eq!(client.jail_status(&jail()).await.unwrap().currently_banned, 5);
    assert_eq!(client.bans(&jail()).await.unwrap().len(), 5);
    let ips = [address("203.0.113.9"), address("2001:db8::1")];
    assert_eq!(client.ban(&jail(), &ips).await.unwrap(), 2);
    let subjects = [ips[0].clone(), address("192.0.2.0/28")];
    assert_eq!(client.unban(&jail(), &subjects).await.unwrap(), 2);
    assert_eq!(client.bantime_seconds(&jail()).await.unwrap(), 600);
    assert_eq!(client.findtime_seconds(&jail()).await.unwrap(), 600);
    assert_eq!(client.maxretry(&jail()).await.unwrap(), 3);
    assert_eq!(client.log_target().await.unwrap(), "/srv/demo/fail2ban.log");
    assert_eq!(client.ban(&jail(), &[]).await.unwrap(), 0);
    let commands = [
        "ping",
        "status",
        "status sshd short",
        "get sshd banip --with-time",
        "set sshd banip 203.0.113.9 2001:db8::1",
        "set sshd unbanip 203.0.113.9 192.0.2.0/28",
        "get sshd bantime",
        "get sshd findtime",
        "get sshd maxretry",
        "get logtarget",
    ];
    assert_eq!(server.commands(), commands);
}

#[tokio::test(start_paused = true)]
async fn an_old_server_is_asked_for_the_short_status_only_once() {
    let full = Step::Reply(fixture!("status_sshd"));
    let server = FakeServer::start(vec![vec![GREETING, full.clone(), full]]);
    let client = server.client();
    client.jail_status(&jail()).await.unwrap();
    client.jail_status(&jail()).await.unwrap();
    assert_eq!(server.commands(), ["status sshd short", "status sshd"]);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_server_keep_the_connection() {
    let server = FakeServer::start(vec![vec![
        GREETING,
        Step::Reply(fixture!("unknown_jail_status")),
        Step::Reply(fixture!("unbanip_absent")),
        Step::Reply(fixture!("status")),
        PONG,
    ]]);
    let client = server.client();
    let unknown = client.jail_status(&jail()).await.unwrap_err();
    assert_eq!(unknown, Fail2banError::UnknownJail(jail()));
    let refused = client.unban(&jail(), &[address("203.0.113.77")]).await.unwrap_err();
    assert_eq!(refused.error_type(), "refused");
    // A reply of another command has the wrong form, but it is a reply.
    let malformed = client.maxretry(&jail()).await.unwrap_err();
    assert!(matches!(malformed, Fail2banError::Malformed { command: "get maxretry", .. }));
    client.ping().await.unwrap();
    assert!(client.link().borrow().connected);
}

#[tokio::test(start_paused = true)]
async fn garbage_gives_an_error_and_the_next_command_a_new_connection() {
    for garbage in [
        Step::Raw([b"garbage".as_slice(), END_MARKER].concat()),
        Step::Raw(END_MARKER.to_vec()),
        Step::Raw([fixture!("ping"), END_MARKER, b"more"].concat()),
        Step::Flood,
    ] {
        let server = FakeServer::start(vec![vec![GREETING, garbage], vec![GREETING, PONG]]);
        let client = server.client();
        let error = client.ping().await.unwrap_err();
        assert!(matches!(error, Fail2banError::Malformed { command: "ping", .. }), "{error}");
        assert!(!client.link().borrow().connected);
        client.ping().await.unwrap();
        assert!(client.link().borrow().connected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_at_the_socket_is_no_fail2ban() {
    let strangers = vec![
        vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n<F2B_END_COMMAND>".to_vec())],
        vec![Step::Reply(fixture!("get_maxretry"))],
        vec![Step::Reply(b"]\x8c\x08SHUTDOWNa.")],
        vec![GREETING, PONG],
    ];
    let server = FakeServer::start(strangers);
    let client = server.client();
    for _ in 0..3 {
        let error = client.ping().await.unwrap_err();
        assert!(matches!(error, Fail2banError::Malformed { command: "version", .. }), "{error}");
    }
    client.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn half_a_reply_and_a_hang_up_are_unreachable() {
    for step in [Step::Raw(fixture!("ping")[..5].to_vec()), Step::ReadThenClose] {
        let is_half = matches!(step, Step::Raw(_));
        let server = FakeServer::start(vec![vec![GREETING, step], vec![GREETING, PONG]]);
        let client = server.client();
        let error = client.ping().await.unwrap_err();
        // The fake is silent after half a reply, so that the deadline ends the wait.
        let expected = if is_half { "timeout" } else { "unreachable" };
        assert_eq!(error.error_type(), expected);
        client.ping().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_costs_one_deadline_and_its_late_reply_is_not_taken() {
    let server = FakeServer::start(vec![
        vec![GREETING, Step::SlowReply(Duration::from_secs(6), fixture!("get_maxretry"))],
        vec![GREETING, PONG],
    ]);
    let client = server.client();
    let started = Instant::now();
    assert_eq!(client.maxretry(&jail()).await, Err(Fail2banError::Timeout));
    assert_eq!(started.elapsed().as_secs(), 5);
    client.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_ban_is_waited_for() {
    let slow = Step::SlowReply(Duration::from_secs(30), fixture!("set_banip"));
    let server = FakeServer::start(vec![vec![GREETING, slow]]);
    assert_eq!(server.client().ban(&jail(), &[address("192.0.2.1")]).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_shift_the_replies() {
    let slow = Step::SlowReply(Duration::from_secs(2), fixture!("get_maxretry"));
    let server = FakeServer::start(vec![vec![GREETING, PONG, slow, PONG]]);
    let client = server.client();
    client.ping().await.unwrap();
    let impatient = timeout(Duration::from_secs(1), client.maxretry(&jail())).await;
    assert!(impatient.is_err());
    client.ping().await.unwrap();
    assert_eq!(server.commands(), ["ping", "get sshd maxretry", "ping"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_nobody_waits_for_is_not_sent() {
    let slow = Step::SlowReply(Duration::from_secs(2), fixture!("ping"));
    let server = FakeServer::start(vec![vec![GREETING, slow, PONG]]);
    let client = server.client();
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    tokio::task::yield_now().await;
    let ips = [address("192.0.2.1")];
    let abandoned = timeout(Duration::from_secs(1), client.ban(&jail(), &ips)).await;
    assert!(abandoned.is_err());
    first.await.unwrap().unwrap();
    client.ping().await.unwrap();
    assert_eq!(server.commands(), ["ping", "ping"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_busy_at_once() {
    let server = FakeServer::start(vec![vec![GREETING, Step::Hang]; 3]);
    let limits = Limits { queue: 2, ..Limits::default() };
    let client = Client::spawn(server.path(), limits);
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let client = client.clone();
        waiting.push(tokio::spawn(async move { client.ping().await }));
        // Lets the task behind the client take the first command out of the queue.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut types = Vec::new();
    for task in waiting {
        types.push(task.await.unwrap().unwrap_err().error_type());
    }
    assert_eq!(types, ["timeout", "timeout", "timeout", "busy", "busy", "busy"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_idle_connection_is_noticed() {
    for (last, message) in [
        (Step::Close, "the server closed the connection"),
        (Step::Speak(b"hello"), "the server sent more than was asked for"),
    ] {
        let server = FakeServer::start(vec![vec![GREETING, PONG, last], vec![GREETING, PONG]]);
        let client = server.client();
        client.ping().await.unwrap();
        assert_eq!(wait_for_link(&client, false).await.as_deref(), Some(message));
        client.ping().await.unwrap();
        assert_eq!(wait_for_link(&client, true).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_on_a_new_connection_and_a_change_is_not() {
    let scripts = || vec![vec![GREETING, PONG, Step::ReadThenClose], vec![GREETING, PONG]];
    let server = FakeServer::start(scripts());
    let client = server.client();
    client.ping().await.unwrap();
    client.ping().await.unwrap();
    assert_eq!(server.commands(), ["ping", "ping", "ping"]);

    let server = FakeServer::start(scripts());
    let client = server.client();
    client.ping().await.unwrap();
    let error = client.ban(&jail(), &[address("192.0.2.1")]).await.unwrap_err();
    assert_eq!(error.error_type(), "unreachable");
    client.ping().await.unwrap();
    assert_eq!(server.commands(), ["ping", "set sshd banip 192.0.2.1", "ping"]);
}

#[tokio::test(start_paused = true)]
async fn an_absent_server_is_told_at_once_and_found_when_it_comes() {
    let server = FakeServer::absent();
    let client = server.client();
    let started = Instant::now();
    let error = client.ping().await.unwrap_err();
    assert!(error.to_string().contains("there is no socket"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(client.link().borrow().last_error.is_some());

    // A socket that nobody serves, as a killed server leaves it.
    drop(std::os::unix::net::UnixListener::bind(server.path()).unwrap());
    let error = client.ping().await.unwrap_err();
    assert!(error.to_string().contains("nobody listens"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));

    FakeServer::remove_socket(&server.path());
    server.serve(vec![vec![GREETING, PONG]]);
    client.ping().await.unwrap();
    let link = client.link().borrow().clone();
    assert!(link.connected && link.last_error.is_none());
}
