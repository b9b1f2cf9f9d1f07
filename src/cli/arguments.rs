//! The words behind `bangui`: a command, what it is about, and its options in any order.

use std::time::Duration;

use super::visible;

/// What `bangui COMMAND --help` prints.
pub(super) const USAGE: &str = "\
usage: bangui status                          the state of the service and of fail2ban
       bangui bans [--jail JAIL] [--query TEXT]  the bans in force, newest first
       bangui ban JAIL IP [--reason TEXT]     ban an address
       bangui unban JAIL IP                   lift a ban
       bangui watch [--after ID]              what happens, as it happens, until Ctrl-C
       bangui why IP                          where an address is banned, and what was before

  --jail JAIL      of this jail only
  --query TEXT     whose address contains this text
  --reason TEXT    your words, for the history
  --after ID       first what happened since the event with this id (watch --json tells ids)
  --json           JSON instead of text: one value, or one a line while watching
  --timeout S      give up after so many seconds, 1 to 70 (30); `bans` waits so long for each
  --verbose        write the command's own log to standard error, as JSON lines
  --help           this text

BANGUI_ADDRESS (http://127.0.0.1:8000) says where the service is, BANGUI_API_TOKEN or
BANGUI_API_TOKEN_FILE holds its token. Exit codes: 0 done, 1 refused or not found, 2 wrong command
line, 69 no answer, 70 a failure inside, 74 cannot write, 77 not allowed, 78 wrong settings.";

/// How long an answer may take; the service itself gives up after 70 s.
const WAIT_SECONDS_DEFAULT: u64 = 30;
const WAIT_SECONDS_MAX: u64 = 70;

/// The options that have a value, and the commands that take them.
const VALUES: [(&str, &[&str]); 5] = [
    ("--jail", &["bans"]),
    ("--query", &["bans"]),
    ("--reason", &["ban"]),
    ("--after", &["watch"]),
    ("--timeout", &["status", "bans", "ban", "unban", "why"]),
];

/// The commands, and what each is about.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("status", &[]),
    ("bans", &[]),
    ("ban", &["JAIL", "IP"]),
    ("unban", &["JAIL", "IP"]),
    ("watch", &[]),
    ("why", &["IP"]),
];

/// A command with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Status,
    Bans { jail: String, query: String },
    Ban { jail: String, ip: String, reason: String },
    Unban { jail: String, ip: String },
    Watch { after: String },
    Why { ip: String },
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The command's word, for spans and lines.
    pub(super) name: &'static str,
    pub(super) command: Command,
    pub(super) is_json: bool,
    pub(super) is_verbose: bool,
    pub(super) wait: Duration,
}

/// The command line, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Run(Arguments),
    Help,
}

/// Reads the words after the program's name; nothing if the first one is no command of ours.
pub(super) fn parse(words: &[String]) -> Option<Result<Parsed, String>> {
    let (first, rest) = words.split_first()?;
    let (name, about) = COMMANDS.iter().find(|(name, _)| name == first)?;
    let parsed = read(name, about, rest);
    Some(parsed.map_err(|wrong| format!("bangui {name}: {wrong}; see `bangui {name} --help`")))
}

/// What is found in the words behind a command.
#[derive(Default)]
struct Found {
    about: Vec<String>,
    values: Vec<(&'static str, String)>,
    is_json: bool,
    is_verbose: bool,
}

impl Found {
    /// The value of an option, or no text.
    fn value(&mut self, option: &str) -> String {
        let at = self.values.iter().position(|(own, _)| *own == option);
        at.map_or_else(String::new, |at| self.values.swap_remove(at).1)
    }
}

fn read(name: &'static str, about: &[&str], words: &[String]) -> Result<Parsed, String> {
    let Some(mut found) = collect(name, words)? else { return Ok(Parsed::Help) };
    if let Some(missing) = about.get(found.about.len()) {
        return Err(format!("{missing} is missing"));
    }
    if let Some(extra) = found.about.get(about.len()) {
        return Err(format!("`{}` is too much", visible(extra)));
    }
    let wait = match found.value("--timeout").as_str() {
        "" => WAIT_SECONDS_DEFAULT,
        text => text
            .parse()
            .ok()
            .filter(|seconds| (1..=WAIT_SECONDS_MAX).contains(seconds))
            .ok_or_else(|| format!("--timeout must be from 1 to {WAIT_SECONDS_MAX}"))?,
    };
    let mut subjects = std::mem::take(&mut found.about).into_iter();
    let mut next = || subjects.next().unwrap_or_default();
    let command = match name {
        "status" => Command::Status,
        "bans" => Command::Bans { jail: found.value("--jail"), query: found.value("--query") },
        "ban" => Command::Ban { jail: next(), ip: next(), reason: found.value("--reason") },
        "unban" => Command::Unban { jail: next(), ip: next() },
        "watch" => Command::Watch { after: found.value("--after") },
        _ => Command::Why { ip: next() },
    };
    let Found { is_json, is_verbose, .. } = found;
    let wait = Duration::from_secs(wait);
    Ok(Parsed::Run(Arguments { name, command, is_json, is_verbose, wait }))
}

/// Sorts the words; nothing if help is wanted.
fn collect(name: &str, words: &[String]) -> Result<Option<Found>, String> {
    let mut found = Found::default();
    let mut words = words.iter();
    let mut is_over = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" if !is_over => is_over = true,
            "--help" | "-h" if !is_over => return Ok(None),
            "--json" if !is_over => found.is_json = true,
            "--verbose" | "-v" if !is_over => found.is_verbose = true,
            option if !is_over && option.starts_with('-') && option.len() > 1 => {
                let (option, value) = match option.split_once('=') {
                    Some((option, value)) => (option, Some(value.to_owned())),
                    None => (option, None),
                };
                let known = VALUES.iter().find(|(own, _)| *own == option);
                let known = known.filter(|(_, commands)| commands.contains(&name));
                let Some((option, _)) = known else {
                    return Err(format!("{} is no option here", visible(option)));
                };
                let value = value.or_else(|| words.next().cloned());
                let value = value.ok_or_else(|| format!("{option} has no value"))?;
                if found.values.iter().any(|(own, _)| own == option) {
                    return Err(format!("{option} stands there twice"));
                }
                found.values.push((option, value));
            }
            about => found.about.push(about.to_owned()),
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Parsed, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        parse(&words).expect("a command of ours")
    }

    fn command(words: &[&str]) -> Command {
        match read(words) {
            Ok(Parsed::Run(arguments)) => arguments.command,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn options_stand_anywhere_and_have_their_value_beside_or_behind_an_equals_sign() {
        let ban = Command::Ban { jail: "sshd".into(), ip: "::1".into(), reason: "a b".into() };
        for words in [
            ["ban", "sshd", "::1", "--reason", "a b"].as_slice(),
            &["ban", "--reason=a b", "sshd", "--json", "--", "::1"],
            &["ban", "-v", "--timeout", "5", "sshd", "--reason", "a b", "::1"],
        ] {
            assert_eq!(command(words), ban, "{words:?}");
        }
        // What looks like an option is one only in its place.
        let odd = Command::Unban { jail: "--all".into(), ip: "-".into() };
        assert_eq!(command(&["unban", "--", "--all", "-"]), odd);
        let reason = Command::Ban { jail: "a".into(), ip: "b".into(), reason: "--json".into() };
        assert_eq!(command(&["ban", "a", "b", "--reason", "--json"]), reason);
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_harmless_line() {
        for words in [
            ["ban", "sshd"].as_slice(),
            &["why"],
            &["why", "a", "b\u{1b}[2J\n"],
            &["status", "--jail", "sshd"],
            &["bans", "--jail"],
            &["bans", "--jail", "a", "--jail=b"],
            &["bans", "--\u{1b}]0;x\u{7}"],
            &["watch", "--timeout", "5"],
            &["why", "a", "--timeout", "0"],
            &["why", "a", "--timeout", "71"],
        ] {
            let wrong = read(words).expect_err("wrong");
            assert!(!wrong.contains(char::is_control), "{wrong:?}");
        }
        assert!(parse(&["serve".to_owned()]).is_none() && parse(&[]).is_none());
        assert_eq!(read(&["ban", "--help", "--nonsense"]), Ok(Parsed::Help));
    }
}
