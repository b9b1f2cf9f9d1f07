//! The command line: few words, so they are matched as they stand.

use super::backup::Backup;
use super::copy_database::CopyDatabase;
use super::dead_letters::DeadLetters;

/// What `bangui help` prints.
pub(super) const USAGE: &str = "\
usage: bangui [COMMAND]

  serve                 serve (the default)
  config                print the effective settings, secrets masked; check all of them
  config --send-test    send a log record as the service does, and tell how far it gets
  healthcheck           ask the running service whether it serves
  admin setup-code      print the code with which the first account is made
  admin reset-password  give the account a new password, read from standard input
  backup [--to PATH] [--force]
                        copy the database while it is in use; --force replaces a file
  copy-database [--from FILE]
                        copy the embedded database to the empty Postgres that
                        BANGUI_DATABASE_URL names, while the service is stopped
  check-database        check all of the database, which takes its time
  dead-letters list [DESTINATION] [--json]
                        show what destinations have refused for too long
  dead-letters replay [DESTINATION]
                        let the collector send it once more
  dead-letters drop DESTINATION|--all
                        remove it for good
  status, bans, ban, unban, watch, why
                        ask a running service: see `bangui bans --help`
  sanitize [--json]     standard input to standard output through the sanitizer
  help, version

Settings come from the environment: see docs/CONFIGURATION.md.";

/// One more than the longest command has, so that words too many are seen.
const WORDS_MAX: usize = 5;
/// So much of a word that is no command is repeated to whoever typed it.
const NAME_SHOWN_MAX: usize = 40;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve,
    /// Print and check the settings.
    Config,
    /// Send a test record.
    SendTest,
    /// Ask the running service.
    Healthcheck,
    /// Print the set-up code.
    SetupCode,
    /// Change the password.
    ResetPassword,
    /// Copy the database.
    Backup(Backup),
    /// Copy the embedded database to Postgres.
    CopyDatabase(CopyDatabase),
    /// Check all of the database.
    CheckDatabase,
    /// What destinations have refused for too long.
    DeadLetters(DeadLetters),
    /// Sanitize standard input.
    Sanitize {
        /// Whether each line is a JSON value.
        is_json: bool,
    },
    /// Print the usage.
    Help,
    /// Print the version.
    Version,
}

impl Command {
    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.take(WORDS_MAX).collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["serve"] => Ok(Self::Serve),
            ["config"] => Ok(Self::Config),
            ["config", "--send-test"] => Ok(Self::SendTest),
            ["healthcheck"] => Ok(Self::Healthcheck),
            ["admin", "setup-code"] => Ok(Self::SetupCode),
            ["admin", "reset-password"] => Ok(Self::ResetPassword),
            ["sanitize"] => Ok(Self::Sanitize { is_json: false }),
            ["sanitize", "--json"] => Ok(Self::Sanitize { is_json: true }),
            ["check-database"] => Ok(Self::CheckDatabase),
            ["help", ..] | [.., "--help" | "-h"] => Ok(Self::Help),
            ["backup", rest @ ..] => {
                Backup::parse(rest).map(Self::Backup).ok_or_else(|| misused("backup"))
            }
            ["copy-database", rest @ ..] => CopyDatabase::parse(rest)
                .map(Self::CopyDatabase)
                .ok_or_else(|| misused("copy-database")),
            ["dead-letters", rest @ ..] => DeadLetters::parse(rest)
                .map(Self::DeadLetters)
                .ok_or_else(|| misused("dead-letters")),
            ["version" | "--version" | "-V"] => Ok(Self::Version),
            [command, ..] => Err(misused(command)),
        }
    }
}

/// What somebody is told whose words are no command: how the one that they meant is written, or
/// where all of them are listed.
fn misused(command: &str) -> String {
    let lines: Vec<&str> = USAGE.lines().collect();
    let is_meant = |line: &str| line.split_whitespace().next() == Some(command);
    let mut shown = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_meant(line)) {
        shown.push(*line);
        let rest = lines.iter().skip(at + 1);
        shown.extend(rest.take_while(|line| line.starts_with("    ")));
    }
    if shown.is_empty() {
        let name: String = command.chars().take(NAME_SHOWN_MAX).collect();
        return format!("bangui: there is no command {name:?}; `bangui help` lists them");
    }
    format!("bangui {command}: these words are not understood; its usage is\n{}", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_are_commands_and_anything_else_is_told_the_usage() {
        assert_eq!(parse(""), Ok(Command::Serve));
        assert_eq!(parse("config --send-test"), Ok(Command::SendTest));
        assert_eq!(parse("sanitize --json"), Ok(Command::Sanitize { is_json: true }));
        let destination = || Some("otlp".to_owned());
        let backup = |to: Option<&str>, is_forced| {
            Ok(Command::Backup(Backup { to: to.map(str::to_owned), is_forced }))
        };
        assert_eq!(parse("backup"), backup(None, false));
        assert_eq!(parse("backup --force --to x.db"), backup(Some("x.db"), true));
        for wrong in ["x.db", "--to", "--to a --to b", "--force --force", "--to a b"] {
            assert!(parse(&format!("backup {wrong}")).is_err(), "{wrong}");
        }
        assert_eq!(parse("check-database"), Ok(Command::CheckDatabase));
        let copy = |from: Option<&str>| {
            Ok(Command::CopyDatabase(CopyDatabase { from: from.map(str::to_owned) }))
        };
        assert_eq!(parse("copy-database"), copy(None));
        assert_eq!(parse("copy-database --from x.db"), copy(Some("x.db")));
        assert!(
            ["--from", "x.db", "--from a b"]
                .iter()
                .all(|wrong| parse(&format!("copy-database {wrong}")).is_err())
        );
        let list = DeadLetters::List { destination: destination(), is_json: true };
        assert_eq!(parse("dead-letters list otlp --json"), Ok(Command::DeadLetters(list)));
        let drop = |destination| Ok(Command::DeadLetters(DeadLetters::Drop { destination }));
        assert_eq!(parse("dead-letters drop otlp"), drop(destination()));
        assert_eq!(parse("dead-letters drop --all"), drop(None));
        for wrong in
            ["drop", "", "list --all", "replay --all", "list a --json b", "list --json --json"]
        {
            assert!(parse(&format!("dead-letters {wrong}")).is_err(), "{wrong}");
        }
        assert!(parse("serve now").is_err() && parse("sanitize --json x").is_err());
        for help in ["help", "--help", "backup --help", "config -h", "help backup"] {
            assert_eq!(parse(help), Ok(Command::Help), "{help}");
        }
    }

    #[test]
    fn wrong_words_are_told_what_is_meant_and_not_everything() {
        let told = |line| parse(line).expect_err("it is no command");
        assert_eq!(told("frob"), r#"bangui: there is no command "frob"; `bangui help` lists them"#);
        let backup = told("backup x.db");
        assert!(backup.starts_with("bangui backup: "), "{backup}");
        assert!(backup.contains("[--to PATH]") && backup.contains("replaces a file"), "{backup}");
        assert!(!backup.contains("check-database"), "{backup}");
        assert_eq!(told("dead-letters drop").matches("dead-letters").count(), 4);
        assert!(told(&"x".repeat(500)).len() < 100);
    }
}
