//! What sanitizing a text costs: the full rule set against the predecessor's seven rules, as one
//! regex, as seven, and as Python would run them; and whether hostile texts cost linear time.
//!
//! `BENCH_ONLY` with a contestant's name runs nothing else, for a profiler.
#![expect(clippy::print_stdout, reason = "the table on stdout is what a benchmark is for")]
#![expect(clippy::print_stderr, reason = "progress and failures are no part of the table")]

mod support;

use std::borrow::Cow;
use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

use bangui::telemetry::sanitize::sanitize_for_logging;
use nix::sys::resource::UsageWho;
use regex::{Captures, Regex};
use support::{Bound, Goal, Result, Rounds};

/// What a log says all day; nothing in it looks like the name of a secret.
const BENIGN: [&str; 8] = [
    "2026-11-23 14:02:17,482 fail2ban.filter [8123]: INFO [sshd] Found 203.0.113.57 - \
     2026-11-23 14:02:17 (attempt 3 of 5)",
    "Nov 23 14:02:17 edge-01 sshd[24817]: Invalid user admin from 203.0.113.57 port 51514, \
     connection closed by remote host",
    "203.0.113.57 - - [23/Nov/2026:14:02:17 +0000] \"GET /wp-content/plugins/ HTTP/1.1\" 404 153 \
     \"-\" \"Mozilla/5.0 (X11; Linux)\"",
    "postfix/smtpd[3311]: NOQUEUE: reject: RCPT from unknown[198.51.100.77]: 554 5.7.1 Relay \
     access denied; helo=<mx1.example.net>",
    "2026-11-23 14:02:18,003 fail2ban.actions [8123]: NOTICE [nginx-botsearch] Ban 198.51.100.77 \
     for 3600 seconds, restored 0",
    "jail recidive reloaded: findtime 86400, bantime 604800, maxretry 5, 12 addresses banned now, \
     348 since the start",
    "iptables -w -n -L INPUT | grep -q 'f2b-sshd' returned 1, running the start command of the \
     action again (try 2 of 3)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/142.0.0.0 Safari/537.36",
];

/// As benign, but with words in them that might name a secret: what fail2ban is about.
const SUSPICIOUS: [&str; 6] = [
    "Nov 23 14:02:17 edge-01 sshd[24817]: Failed password for root from 203.0.113.57 port 51514 \
     ssh2 (attempt 2 of 5)",
    "Nov 23 14:02:17 edge-01 sshd[24817]: pam_unix(sshd:auth): authentication failure; logname= \
     uid=0 tty=ssh user=root",
    "dovecot: imap-login: Disconnected (auth failed, 3 attempts in 14 secs): user=<info>, \
     method=PLAIN, rip=198.51.100.77",
    "the list https://lists.example.org/drop.txt took 182 ms: 1,024 addresses, 17 new, 3 gone, \
     none of them our own",
    "nginx-http-auth: user \"admin\" was not found in \"/etc/nginx/.htpasswd\", client: \
     203.0.113.57, server: localhost",
    "asterisk: NOTICE[2211] chan_sip.c: Registration from '\"100\" <sip:100@192.0.2.5>' failed \
     for '203.0.113.57:5070'",
];

/// The documented examples, to show that all contestants do the same work.
const SECRETS: [(&str, &str); 8] = [
    ("login password=Secret123 again", "login password=*** again"),
    ("api_key=key123", "api_key=***"),
    ("api-key=key123", "api-key=***"),
    ("token=eyJhbG", "token=***"),
    ("Authorization: Bearer tok1234567", "Authorization: ***"),
    ("secret=myvalue", "secret=***"),
    ("-----BEGIN RSA PRIVATE KEY-----", "*** PRIVATE KEY ***"),
    ("id AKIAIOSFODNN7EXAMPLE here", "id AKIA*** here"),
];

/// What hostile texts repeat: openings without an end, anchors of rules, what is nested, and what
/// is redacted again and again.
const HOSTILE: [&str; 40] = [
    "token=token=",
    "token=a ",
    "token token ",
    "password: ",
    "password=\"",
    "password='x' ",
    "password=\\\"",
    "secret",
    "secret_",
    "secret: |\n  ",
    "api_key%3D",
    "&pwd=%3D",
    "-",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----\nMIIE\n",
    "-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY----- ",
    "-----END PRIVATE KEY-----",
    "://",
    "a://b:c",
    "a://b:c@d ",
    "http://user@",
    "@",
    ":=",
    "\"",
    "'",
    "\\",
    "\\\"",
    "{\"token\":",
    "{\"a\":[",
    "[\"password\",",
    "('password', ",
    "Some(\"",
    "Secret(\"a\") token=",
    "eyJ",
    "eyJa.eyJb.",
    "AKIA",
    "Authorization: ",
    "Bearer Bearer ",
    "Cookie: a=b; \n",
    "\u{17f}ecret=\u{200b}a ",
];

/// The same inside of a string of a JSON document, which is read in another way.
const HOSTILE_IN_DOCUMENT: [&str; 6] =
    ["token=a ", "token token ", "{\"token\":\"a\"} ", "\\\"", "-----BEGIN ", "a://b:c"];

const SHORT_BYTES: usize = 4 * 1024;
const LONG_BYTES: usize = 64 * 1024;

/// How often the benign lines are gone through in a turn. The faster, the more often, so that
/// every turn takes some ten milliseconds.
const PASSES: u32 = 20_000;
const PASSES_OF_COPY: u32 = 200_000;
const PASSES_OF_PYTHON: u32 = 1_000;
/// A turn with a hostile text takes at least this long.
const HOSTILE_TURN_SECONDS: f64 = 0.003;

/// How many of the hostile texts the closing table shows.
const HOSTILE_SHOWN: usize = 5;

/// The seven rules as one alternation, in the way one would write it.
struct Alternation(Regex);

impl Alternation {
    fn new() -> Result<Self> {
        let keys = r"(?i:(?<key>password|api[_-]key|token|secret)=\S+)";
        let bearer = r"(?<bearer>(?i:authorization:\s*bearer\s+\S+))";
        let pem = "(?<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----)";
        let aws = "AKIA[0-9A-Z]{16}";
        Ok(Self(Regex::new(&[keys, bearer, pem, aws].join("|"))?))
    }

    fn sanitize<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.replace_all(text, |found: &Captures<'_>| match found.name("key") {
            Some(key) => format!("{}=***", key.as_str()),
            None if found.name("bearer").is_some() => "Authorization: ***".to_owned(),
            None if found.name("pem").is_some() => "*** PRIVATE KEY ***".to_owned(),
            None => "AKIA***".to_owned(),
        })
    }
}

/// The seven rules one after another.
struct Seven([(Regex, &'static str); 7]);

impl Seven {
    fn new() -> Result<Self> {
        let rule =
            |pattern: &str, replacement| Ok::<_, regex::Error>((Regex::new(pattern)?, replacement));
        Ok(Self([
            rule(r"(?i)(password)=\S+", "$1=***")?,
            rule(r"(?i)(api[_-]key)=\S+", "$1=***")?,
            rule(r"(?i)(token)=\S+", "$1=***")?,
            rule(r"(?i)authorization:\s*bearer\s+\S+", "Authorization: ***")?,
            rule(r"(?i)(secret)=\S+", "$1=***")?,
            rule("-----BEGIN [A-Z ]*PRIVATE KEY-----", "*** PRIVATE KEY ***")?,
            rule("AKIA[0-9A-Z]{16}", "AKIA***")?,
        ]))
    }

    fn sanitize<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut current = Cow::Borrowed(text);
        for (pattern, replacement) in &self.0 {
            if let Cow::Owned(changed) = pattern.replace_all(&current, *replacement) {
                current = Cow::Owned(changed);
            }
        }
        current
    }
}

/// The contestants, by the place of their figure.
struct Contestants {
    alternation: Alternation,
    seven: Seven,
}

const SANITIZE: usize = 0;
const ALTERNATION: usize = 1;
const SEVEN: usize = 2;
const COPY: usize = 3;
const PYTHON: usize = 4;
const NAMES: [&str; 5] = ["sanitize", "alternation", "seven", "copy", "python"];
const WHAT: [&str; 5] = [
    "BanGUI, the full rule set",
    "one regex alternation of the seven rules",
    "seven times `replace_all`",
    "memcpy of the line",
    "Python, seven times `re.sub`",
];

impl Contestants {
    fn new() -> Result<Self> {
        Ok(Self { alternation: Alternation::new()?, seven: Seven::new()? })
    }

    /// CPU seconds for a line.
    fn turn(&self, contestant: usize, lines: &[&str]) -> Result<f64> {
        match contestant {
            SANITIZE => per_line(lines, PASSES, |line| {
                black_box(sanitize_for_logging(line));
            }),
            ALTERNATION => per_line(lines, PASSES, |line| {
                black_box(self.alternation.sanitize(line));
            }),
            SEVEN => per_line(lines, PASSES, |line| {
                black_box(self.seven.sanitize(line));
            }),
            COPY => {
                let mut copy = String::with_capacity(1024);
                per_line(lines, PASSES_OF_COPY, |line| {
                    copy.clear();
                    copy.push_str(line);
                    black_box(&mut copy);
                })
            }
            _ => {
                let (_, seconds) = python(lines, PASSES_OF_PYTHON)?;
                Ok(seconds / f64::from(PASSES_OF_PYTHON) / count(lines))
            }
        }
    }

    /// Benign lines stay as they are and the documented secrets go, whoever does it.
    fn verify(&self) -> Result<()> {
        let (inputs, outputs): (Vec<_>, Vec<_>) =
            BENIGN.iter().chain(&SUSPICIOUS).map(|line| (*line, *line)).chain(SECRETS).unzip();
        let (by_python, _) = python(&inputs, 0)?;
        for (place, (input, expected)) in inputs.iter().zip(outputs).enumerate() {
            let all = [
                sanitize_for_logging(input),
                self.alternation.sanitize(input),
                self.seven.sanitize(input),
                Cow::Borrowed(*input),
                Cow::Borrowed(by_python[place].as_str()),
            ];
            for (contestant, output) in all.iter().enumerate() {
                if output != expected && contestant != COPY {
                    let name = NAMES[contestant];
                    return Err(format!("{name} makes {output:?} of {input:?}").into());
                }
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are a handful of lines")]
fn count(lines: &[&str]) -> f64 {
    lines.len() as f64
}

/// CPU time of some work, on all threads of this process.
fn cpu_of(work: impl FnOnce()) -> Result<f64> {
    let before = support::cpu_time(UsageWho::RUSAGE_SELF)?;
    work();
    Ok((support::cpu_time(UsageWho::RUSAGE_SELF)? - before).as_secs_f64())
}

fn per_line(lines: &[&str], passes: u32, mut work: impl FnMut(&str)) -> Result<f64> {
    let cpu = cpu_of(|| {
        for _ in 0..passes {
            for line in lines {
                work(black_box(line));
            }
        }
    })?;
    Ok(cpu / f64::from(passes) / count(lines))
}

/// The lines as Python sanitizes them, and the CPU seconds for so many passes over them.
fn python(lines: &[&str], passes: u32) -> Result<(Vec<String>, f64)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/seven_rules.py");
    let mut child = Command::new("python3")
        .args([script, &passes.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("python3: {error}"))?;
    // Dropped at once: the end of its input is what the script waits for.
    child.stdin.take().ok_or("no stdin")?.write_all(lines.join("\n").as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("seven_rules.py ended with {}", output.status).into());
    }
    let mut output: Vec<String> =
        String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect();
    let seconds = output.pop().ok_or("seven_rules.py says nothing")?.parse()?;
    match output.len() == lines.len() {
        true => Ok((output, seconds)),
        false => Err("seven_rules.py lost lines".into()),
    }
}

/// What a hostile text costs when it is short and when it is sixteen times as long.
struct Hostile {
    unit: String,
    short: f64,
    long: f64,
    rounds: Rounds,
}

impl Hostile {
    fn measure_all() -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for unit in HOSTILE {
            let text = |bytes| Ok(repeated(unit, bytes));
            all.push(Self::measure(format!("`{}`", unit.escape_default()), text)?);
        }
        for unit in HOSTILE_IN_DOCUMENT {
            let text = |bytes| Ok(serde_json::to_string(&[repeated(unit, bytes)])?);
            all.push(Self::measure(format!("`{}` in JSON", unit.escape_default()), text)?);
        }
        Ok(all)
    }

    fn measure(unit: String, text: impl Fn(usize) -> Result<String>) -> Result<Self> {
        let texts = [text(SHORT_BYTES)?, text(LONG_BYTES)?];
        // Long enough for a figure, and the same in every round.
        let times = texts.each_ref().map(|text| {
            let once = sanitize_often(text, 4).unwrap_or_default() / 4.0;
            times_of(once)
        });
        let rounds = Rounds::run(2, |which| {
            Ok(sanitize_often(&texts[which], times[which])? / f64::from(times[which]))
        })?;
        let (short, long) = (rounds.medians[0], rounds.medians[1]);
        let measured = Self { unit, short, long, rounds };
        // The table shows the worst alone; whoever waits for it sees them all.
        eprintln!("{measured}");
        Ok(measured)
    }

    fn ratio(&self) -> f64 {
        self.long / self.short
    }
}

impl std::fmt::Display for Hostile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "| {} | {:.1} µs | {:.1} µs | {:.1}× | {:.0} MB/s | {} |",
            // A table would take it for the end of a cell, even within code.
            self.unit.replace('|', "\\|"),
            self.short * 1e6,
            self.long * 1e6,
            self.ratio(),
            65_536.0 / 1e6 / self.long,
            self.rounds,
        )
    }
}

/// How often something is done in a turn that takes so many seconds once.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn times_of(once: f64) -> u32 {
    (HOSTILE_TURN_SECONDS / once.max(1e-7)).ceil().clamp(1.0, 30_000.0) as u32
}

fn sanitize_often(text: &str, times: u32) -> Result<f64> {
    cpu_of(|| {
        for _ in 0..times {
            black_box(sanitize_for_logging(black_box(text)));
        }
    })
}

fn repeated(unit: &str, bytes: usize) -> String {
    let mut text = unit.repeat(bytes / unit.len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
    text
}

fn main() -> ExitCode {
    support::run("sanitizer", run_only, compare)
}

fn run_only(name: &str) -> Result<()> {
    let place = NAMES.iter().position(|it| *it == name);
    let place = place.ok_or_else(|| format!("BENCH_ONLY={name} is none of {NAMES:?}"))?;
    let contestants = Contestants::new()?;
    for _ in 0..support::number_from_env("BENCH_TURNS", 10)? {
        contestants.turn(place, &BENIGN)?;
    }
    Ok(())
}

fn compare() -> Result<()> {
    let machine = support::machine();
    let contestants = Contestants::new()?;
    contestants.verify()?;
    let benign = Rounds::run(NAMES.len(), |place| contestants.turn(place, &BENIGN))?;
    let suspicious = Rounds::run(NAMES.len(), |place| contestants.turn(place, &SUSPICIOUS))?;
    let hostile = Hostile::measure_all()?;
    println!("\n### Sanitizing a text\n\n{machine}\n");
    println!(
        "Benign lines of {} bytes ({benign}), and benign lines of {} bytes with words like \
         `password` in them ({suspicious}):\n",
        mean_length(&BENIGN),
        mean_length(&SUSPICIOUS),
    );
    println!("| | benign | against the alternation | with such words | against it |");
    println!("|---|---|---|---|---|");
    for (place, what) in WHAT.iter().enumerate() {
        println!(
            "| {what} | {:.0} ns | {:.2}× | {:.0} ns | {:.2}× |",
            benign.medians[place] * 1e9,
            benign.medians[place] / benign.medians[ALTERNATION],
            suspicious.medians[place] * 1e9,
            suspicious.medians[place] / suspicious.medians[ALTERNATION],
        );
    }
    print_hostile(&hostile);
    print!("\n{}", support::goals_table(&goals(&benign, &hostile)));
    Ok(())
}

fn mean_length(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.len()).sum::<usize>() / lines.len()
}

/// The worst by growth, and the one that is slowest for its length.
fn print_hostile(hostile: &[Hostile]) {
    let mut by_ratio: Vec<_> = hostile.iter().collect();
    by_ratio.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
    let slowest = hostile.iter().max_by(|a, b| a.long.total_cmp(&b.long));
    let shown = by_ratio.into_iter().take(HOSTILE_SHOWN).chain(slowest);
    println!(
        "\n{} hostile texts, a unit over and over: the {HOSTILE_SHOWN} that grow the most, and \
         the slowest.\n",
        hostile.len(),
    );
    println!("| unit | 4 KiB | 64 KiB | ratio | speed | |");
    println!("|---|---|---|---|---|---|");
    for it in shown {
        println!("{it}");
    }
}

fn goals(benign: &Rounds, hostile: &[Hostile]) -> Vec<Goal> {
    let cost = &benign.medians;
    let worst = hostile.iter().max_by(|a, b| a.ratio().total_cmp(&b.ratio()));
    let (unit, ratio) = worst.map_or(("", f64::NAN), |it| (it.unit.as_str(), it.ratio()));
    vec![
        Goal {
            what: "benign line, full rule set, against one regex of the seven rules".into(),
            ratio: cost[SANITIZE] / cost[ALTERNATION],
            bound: Bound::AtMost(2.0),
        },
        Goal {
            what: "benign line, times faster than the seven rules in Python".into(),
            ratio: cost[PYTHON] / cost[SANITIZE],
            bound: Bound::AtLeast(30.0),
        },
        Goal {
            what: format!(
                "hostile text, 64 KiB against 4 KiB, worst of {} ({unit})",
                hostile.len(),
            ),
            ratio,
            bound: Bound::AtMost(20.0),
        },
    ]
}
