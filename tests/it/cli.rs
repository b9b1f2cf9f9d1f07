//! The commands that ask a running service: what they answer, what they exit with, and what they
//! never do to a terminal.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    API_TOKEN, Bangui, Builder, Client, Fail2ban, Lines, Output, Process, SOON, TlsProxy,
    eventually, expect, free_port,
};

/// A shell whose environment names a service.
struct Shell {
    folder: TempDir,
    builder: Builder,
}

impl Shell {
    fn at(address: &str) -> Self {
        let builder = Bangui::builder().without("BANGUI_ADMIN_PASSWORD");
        let builder = builder.env("BANGUI_ADDRESS", address).env("BANGUI_API_TOKEN", API_TOKEN);
        Self { folder: tempdir().unwrap(), builder }
    }

    fn of(bangui: &Bangui) -> Self {
        Self::at(&format!("http://127.0.0.1:{}", bangui.port()))
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.env(name, value);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.builder = self.builder.without(name);
        self
    }

    fn run(&self, words: &[&str]) -> Output {
        self.builder.run(self.folder.path(), words, "")
    }

    /// The lines of a command that does what it is asked to, and says nothing else.
    #[track_caller]
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let output = self.run(words);
        assert_eq!((output.code, &output.stderr[..]), (Some(0), &[][..]), "{words:?} {output:?}");
        output.stdout
    }

    /// The JSON value of a command that does what it is asked to.
    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let text = self.lines(words).join("\n");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text}"))
    }

    /// The one line about a failure, and its exit code.
    #[track_caller]
    fn failure(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.run(words);
        assert!(output.stdout.is_empty(), "{words:?} {output:?}");
        let [line] = &output.stderr[..] else { panic!("one line: {words:?} {output:?}") };
        (output.code, line.clone())
    }

    /// A command of ours that goes on, with its standard output read line by line.
    fn begin(&self, words: &[&str]) -> (Process, Lines, Lines) {
        let mut process =
            Process::spawn("bangui", self.builder.command(self.folder.path()).args(words));
        let stdout = Lines::of(process.child().stdout.take().unwrap());
        let stderr = Lines::of(process.child().stderr.take().unwrap());
        (process, stdout, stderr)
    }
}

fn start(builder: Builder) -> (Bangui, Client) {
    let builder = builder.env("BANGUI_API_TOKEN", API_TOKEN);
    let bangui = builder.env("BANGUI_API_TOKEN_SCOPE", "write").start();
    let client = bangui.stranger().with("authorization", &format!("Bearer {API_TOKEN}"));
    (bangui, client)
}

fn with_fail2ban(fail2ban: &Fail2ban) -> (Bangui, Client, Shell) {
    let (bangui, client) = start(Bangui::builder().fail2ban(fail2ban));
    bangui.wait_for_fail2ban(&client);
    let shell = Shell::of(&bangui);
    (bangui, client, shell)
}

#[test]
fn a_shell_sees_bans_and_lifts_as_the_json_api_does() {
    let fail2ban = Fail2ban::start();
    let (_bangui, client, shell) = with_fail2ban(&fail2ban);
    assert_eq!(shell.lines(&["bans"]), ["JAIL  ADDRESS  SINCE  UNTIL  REASON"]);
    assert_eq!(shell.json(&["bans", "--json"]), json!([]));

    let told = shell.lines(&["ban", "sshd", "203.0.113.80", "--reason", "too loud"]);
    assert!(told[0].starts_with("203.0.113.80 is banned now in sshd, until: 20"), "{told:?}");
    assert_eq!(fail2ban.banned("sshd"), ["203.0.113.80"]);
    let again = shell.json(&["ban", "--json", "sshd", "203.0.113.80"]);
    let mut listed = client.get("/api/bans").expect(200).json()["items"][0].clone();
    listed["already_banned"] = json!(true);
    assert_eq!((&again, &again["reason"]), (&listed, &json!("too loud")));
    shell.lines(&["ban", "sshd", "2001:DB8::80"]);

    let items = client.get("/api/bans").expect(200).json()["items"].clone();
    assert_eq!(shell.json(&["bans", "--json"]), items);
    assert_eq!(shell.json(&["bans", "--json", "--jail=other"]), json!([]));
    assert_eq!(shell.json(&["bans", "--json", "--query", "DB8"]), json!([items[0]]));
    let table = shell.lines(&["bans", "--jail", "sshd"]);
    assert_eq!(table.len(), 3, "{table:?}");
    let columns: Vec<_> = table[2].split_whitespace().collect();
    assert_eq!((columns[0], columns[1], columns[4]), ("sshd", "203.0.113.80", "too"), "{table:?}");
    assert_eq!(table[0].find("REASON"), table[2].find("too loud"), "{table:?}");

    let status = shell.json(&["status", "--json"]);
    let mut of_json = client.get("/api/dashboard/status").expect(200).json();
    // These change from one look to the next, and the lock has a call of its own.
    of_json.as_object_mut().unwrap().remove("scheduler");
    of_json["uptime_seconds"] = status["uptime_seconds"].clone();
    let age = &status["fail2ban"]["sources"]["list"]["age_seconds"];
    of_json["fail2ban"]["sources"]["list"]["age_seconds"] = age.clone();
    assert_eq!(status, of_json);
    let text = shell.lines(&["status"]).join("\n");
    assert!(
        text.contains("connected since 20") && text.contains("bans        2, 2 began"),
        "{text}"
    );

    let why = shell.json(&["why", "203.0.113.80", "--json"]);
    let of_json = client.get("/api/addresses/203.0.113.80").expect(200).json();
    assert_eq!((&why["bans"], &why["next"]), (&of_json["bans"], &Value::Null));
    assert_eq!(why["items"][0]["actor"], "api-token");
    let told = shell.lines(&["unban", "sshd", "203.0.113.80"]);
    assert_eq!(told, ["203.0.113.80 is no longer banned in sshd"]);
    assert_eq!(shell.json(&["unban", "sshd", "2001:db8::80", "--json"])["ip"], "2001:db8::80");
    assert_eq!(fail2ban.banned("sshd"), [""; 0]);
    let why = shell.lines(&["why", "203.0.113.80"]);
    assert_eq!(why[0], "203.0.113.80 is not banned");
    assert_eq!(why[3].matches("api-token").count(), 2, "{why:#?}");
    assert!(why[3].contains("too loud") && why[4].starts_with("log lines: none known"), "{why:#?}");
    let never = shell.lines(&["why", "203.0.113.81"]);
    assert_eq!(never, ["203.0.113.81 is not banned", "no ban of it was ever observed"]);
}

#[test]
fn each_failure_is_one_line_and_an_exit_code_of_its_own() {
    let mut fail2ban = Fail2ban::start();
    let (bangui, _, shell) = with_fail2ban(&fail2ban);
    for (words, code, about) in [
        (&["ban", "none", "203.0.113.1"][..], 1, "fail2ban has no jail none"),
        (&["ban", "sshd", "nowhere"], 1, "ip: not an IPv4 or IPv6 address"),
        (&["ban", "sshd", "127.0.0.1"], 1, "ip: a loopback address"),
        (&["unban", "sshd", "203.0.113.1"], 1, "is not banned in sshd"),
        (&["why", "nowhere"], 1, "ip: not an IPv4"),
        (&["bans", "--jail", "a b"], 1, "jail: "),
        (&["watch", "--after", "x"], 1, "after_id: "),
    ] {
        let (exit, line) = shell.failure(words);
        assert_eq!((exit, line.contains(about)), (Some(code), true), "{words:?}: {line}");
        // The service's log tells of it under that id.
        let id = line.rsplit_once("(correlation id ").unwrap().1.trim_end_matches(')').to_owned();
        bangui.wait_for("grpc_call_completed", |it| it["correlation_id"] == id.as_str());
    }
    for words in [&["ban", "sshd"][..], &["bans", "extra"], &["why", "--nonsense"]] {
        assert_eq!(shell.failure(words).0, Some(2), "{words:?}");
    }
    let wrong = Shell::of(&bangui).env("BANGUI_API_TOKEN", "another-token-than-ours");
    let (exit, line) = wrong.failure(&["status"]);
    assert!(exit == Some(77) && line.contains("the token is not the service's"), "{line}");
    assert!(!line.contains("another-token"), "{line}");
    for (name, value) in [("BANGUI_ADDRESS", "nowhere"), ("BANGUI_LOG_LEVEL", "loud")] {
        let (exit, line) = Shell::of(&bangui).env(name, value).failure(&["status"]);
        assert!(exit == Some(78) && line.starts_with(name), "{line}");
    }
    let (exit, line) = Shell::of(&bangui).without("BANGUI_API_TOKEN").failure(&["status"]);
    assert!(exit == Some(78) && line.starts_with("BANGUI_API_TOKEN: "), "{line}");

    // A change that is given up says that it may still be made; it is.
    fail2ban.signal("STOP");
    let started = Instant::now();
    let (exit, line) = shell.failure(&["ban", "sshd", "203.0.113.90", "--timeout", "1"]);
    assert!(
        exit == Some(69) && line.contains("within 1 s; the change may still be made"),
        "{line}"
    );
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    fail2ban.signal("CONT");
    eventually(SOON, "the ban that was given up", || {
        let banned = fail2ban.banned("sshd");
        expect(banned == ["203.0.113.90"], format!("{banned:?}"))
    });
}

#[test]
fn what_does_not_answer_is_told_apart_from_what_refuses() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (exit, line) = Shell::at(&nobody).failure(&["bans"]);
    assert!(exit == Some(69) && line.contains("cannot be reached: "), "{line}");
    assert!(line.contains("refused") && line.contains(&nobody), "{line}");
    // A read-only token, no fail2ban, and no TLS.
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN);
    let bangui = builder.start();
    let shell = Shell::of(&bangui);
    bangui.wait_for_event("fail2ban_connection_lost");
    let (exit, line) = shell.failure(&["ban", "sshd", "203.0.113.1"]);
    assert!(exit == Some(77) && line.contains("may read only"), "{line}");
    let (exit, line) = shell.failure(&["bans", "--json"]);
    assert!(exit == Some(69) && line.contains("fail2ban is unreachable"), "{line}");
    let text = shell.lines(&["status"]).join("\n");
    assert!(text.contains("not connected since 20"), "{text}");
    let why = shell.lines(&["why", "203.0.113.1"]);
    assert!(why[0].contains("nobody knows where 203.0.113.1 is banned now"), "{why:?}");
    let https = format!("https://127.0.0.1:{}", bangui.port());
    let (exit, line) = Shell::at(&https).failure(&["status"]);
    assert!(exit == Some(69) && line.contains("cannot be reached: "), "{line}");
}

#[test]
fn https_is_spoken_with_whom_the_system_trusts() {
    let (bangui, _) = start(Bangui::builder());
    let proxy = TlsProxy::to(bangui.port());
    let certificate = proxy.certificate();
    let trusting = Shell::at(&proxy.address()).env("SSL_CERT_FILE", certificate.to_str().unwrap());
    assert_eq!(trusting.json(&["status", "--json"])["version"], env!("CARGO_PKG_VERSION"));
    let (exit, line) = Shell::at(&proxy.address()).failure(&["status"]);
    assert!(exit == Some(69) && line.contains("certificate"), "{line}");
    let other = proxy.address().replace("127.0.0.1", "localhost");
    let other = Shell::at(&other).env("SSL_CERT_FILE", certificate.to_str().unwrap());
    let (exit, line) = other.failure(&["status"]);
    assert!(exit == Some(69) && line.contains("not valid for name"), "{line}");
}

#[test]
fn a_watch_tells_what_happens_until_it_is_interrupted() {
    let fail2ban = Fail2ban::start();
    let (bangui, client, shell) = with_fail2ban(&fail2ban);
    let (mut json_watch, told, mut errors) = shell.begin(&["watch", "--json"]);
    let (mut text_watch, lines, _) = shell.begin(&["watch"]);
    let event = |kind: &str, ip: &str| {
        eventually(SOON, &format!("{kind} of {ip}"), || {
            let lines = told.so_far();
            let events: Vec<Value> =
                lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found = events.iter().find(|it| it["event"] == kind && it["data"]["ip"] == ip);
            found.cloned().ok_or_else(|| format!("{lines:#?}"))
        })
    };
    eventually(SOON, "how things are", || {
        let (of_json, of_text) = (told.so_far().len(), lines.so_far().len());
        expect(of_json >= 2 && of_text >= 2, format!("{of_json} {of_text}"))
    });
    let ban = |ip: &str| {
        let body = json!({ "jail": "sshd", "ip": ip, "reason": "seen" });
        client.post("/api/bans", &body).expect(201).correlation_id().to_owned()
    };
    let (id, _) = (ban("203.0.113.85"), ban("203.0.113.86"));
    let first = event("ban", "203.0.113.85");
    assert_eq!(first["data"]["correlation_id"], id.as_str());
    assert_eq!(
        (&first["data"]["source"], &first["data"]["reason"]),
        (&json!("operator"), &json!("seen"))
    );
    event("ban", "203.0.113.86");
    eventually(SOON, "the same in text", || {
        let lines = lines.so_far();
        let found =
            lines.iter().any(|it| it.starts_with("ban        203.0.113.86 in sshd, until: 20"));
        expect(found, format!("{lines:#?}"))
    });
    // It is taken up where it was left.
    let (mut resumed, again, _) =
        shell.begin(&["watch", "--json", "--after", first["id"].as_str().unwrap()]);
    eventually(SOON, "the ban after that", || {
        let lines = again.so_far();
        let bans: Vec<_> = lines.iter().filter(|it| it.contains("\"event\":\"ban\"")).collect();
        expect(bans.len() == 1 && bans[0].contains("203.0.113.86"), format!("{lines:#?}"))
    });
    for (process, signal) in
        [(&mut json_watch, "INT"), (&mut text_watch, "TERM"), (&mut resumed, "INT")]
    {
        let started = Instant::now();
        assert_eq!(process.end(signal).code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
    assert_eq!(errors.finish(), [""; 0]);
    eventually(SOON, "the watches' ends", || {
        let lines = bangui.events("grpc_call_completed");
        let over = lines.iter().filter(|it| it["grpc_status"] == "CANCELLED").count();
        expect(over == 3, format!("{lines:#?}"))
    });
    // The end of the service is not what was asked for.
    let (mut cut, told, mut errors) = shell.begin(&["watch"]);
    eventually(SOON, "how things are", || expect(told.so_far().len() >= 2, "nothing"));
    bangui.stop();
    assert_eq!(cut.wait(SOON).unwrap().code(), Some(69));
    assert!(
        errors.finish()[0].starts_with("bangui watch: the service stops"),
        "{errors:?}",
        errors = errors.so_far()
    );
}

#[test]
fn a_reader_who_has_gone_is_no_failure_and_a_full_disk_is_one() {
    let fail2ban = Fail2ban::start();
    let (bangui, _, shell) = with_fail2ban(&fail2ban);
    // More than a pipe holds.
    let addresses: Vec<_> = (0..1400).map(|it| format!("10.9.{}.{}", it / 250, it % 250)).collect();
    // In small steps, so that fail2ban has time to answer in between.
    for some in addresses.chunks(100) {
        let mut words = vec!["set", "sshd", "banip"];
        words.extend(some.iter().map(String::as_str));
        fail2ban.command(&words);
    }
    let listed = eventually(Duration::from_secs(60), "all bans", || {
        // A busy fail2ban may be taken for one that is away.
        let output = shell.run(&["bans", "--json"]);
        let bans = serde_json::from_str::<Value>(&output.stdout.join("\n"));
        let bans = bans.map_err(|error| format!("{error}: {output:?}"))?;
        let count = bans.as_array().unwrap().len();
        if count == addresses.len() { Ok(bans) } else { Err(format!("{count}")) }
    });
    assert_eq!(listed[0]["jail"], "sshd");
    assert_eq!(shell.lines(&["bans"]).len(), addresses.len() + 1);
    for words in ["bans", "bans --json", "watch", "status"] {
        let script = format!("set -o pipefail; \"$0\" {words} | head -c 1 >/dev/null");
        let own = shell.builder.command(shell.folder.path());
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).arg(own.get_program()).current_dir(shell.folder.path());
        command.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut process = Process::spawn("bash", command.stderr(Stdio::piped()));
        let mut stderr = Lines::of(process.child().stderr.take().unwrap());
        if words == "watch" {
            // It learns of it with the next event.
            eventually(SOON, "the end of the watch", || {
                fail2ban.command(&["set", "sshd", "banip", "203.0.113.95"]);
                fail2ban.command(&["set", "sshd", "unbanip", "203.0.113.95"]);
                expect(process.status().is_some(), "it goes on")
            });
        }
        let status = process.wait(SOON).unwrap_or_else(|| panic!("{words} does not end"));
        assert_eq!((status.code(), stderr.finish()), (Some(0), vec![]), "{words}");
    }
    let mut command = shell.builder.command(shell.folder.path());
    command.arg("bans").stdout(File::options().write(true).open("/dev/full").unwrap());
    let mut process = Process::spawn("bangui", &mut command);
    let mut stderr = Lines::of(process.child().stderr.take().unwrap());
    assert_eq!(process.wait(SOON).unwrap().code(), Some(74));
    assert!(stderr.finish()[0].contains("cannot be written"));
    drop(bangui);
}

#[test]
fn nothing_that_a_terminal_obeys_gets_through() {
    let fail2ban = Fail2ban::start();
    let (_bangui, client, shell) = with_fail2ban(&fail2ban);
    let evil = "\u{1b}[2J\u{9b}31m\u{7}\r\u{202e}gone";
    let body = json!({ "jail": "sshd", "ip": "203.0.113.99", "reason": evil });
    client.post("/api/bans", &body).expect(201);
    let (mut watch, watched, _) = shell.begin(&["watch"]);
    let again = ["ban", "sshd", "203.0.113.98", "--reason", evil];
    let mut outputs = vec![shell.run(&again)];
    for words in [
        &["bans"][..],
        &["bans", "--json"],
        &["why", "203.0.113.99"],
        &["why", "203.0.113.99", "--json"],
        &["ban", evil, "203.0.113.98"],
        &["unban", "sshd", evil],
        &["why", evil],
        &["bans", evil],
        &["bans", &format!("--{evil}")],
    ] {
        outputs.push(shell.run(words));
    }
    let lines = outputs.iter().flat_map(|it| it.stdout.iter().chain(&it.stderr));
    for line in lines {
        assert!(!line.contains(|it: char| it.is_control() || it == '\u{202e}'), "{line:?}");
    }
    // It is told nevertheless, and JSON has it whole.
    assert!(outputs[1].stdout.iter().any(|it| it.contains("\\u{1b}[2J")), "{outputs:?}");
    let bans: Value = serde_json::from_str(&outputs[2].stdout.join("\n")).unwrap();
    assert_eq!(bans[0]["reason"], evil);
    eventually(SOON, "the ban in the watch", || {
        let lines = watched.so_far();
        let found = lines.iter().find(|line| line.contains("203.0.113.98"));
        let found = found.ok_or_else(|| format!("{lines:?}"))?;
        expect(!found.contains(char::is_control) && found.contains("\\u{1b}"), found)
    });
    watch.end("INT");
}
