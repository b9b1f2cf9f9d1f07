//! Passwords that stand in the arguments of known programs without a name: `curl -u bob:x`,
//! `sshpass -p x`, `mysql -px`, `redis-cli -a x`, `docker login -p x`; as a shell takes them, or
//! as a list of arguments.

use super::flat::{Found, Replacement};
use super::rules::Rule;
use super::scan::Hit;
use super::value::{backslashes_before, bare_end, is_masked, is_quote, line_end, quoted_end};

/// How far an option is looked for behind the name of its program.
const MAX_COMMAND_BYTES: usize = 512;

/// Options of curl that are followed by a user and a password.
const CURL_USERS: [&[u8]; 4] = [b"-u", b"--user", b"-U", b"--proxy-user"];

/// What a program takes a password by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Curl,
    Mysql,
    Redis,
    Docker,
    Sshpass,
}

impl Program {
    /// The program that an argument names, with or without its directory.
    pub(super) fn named(argument: &str) -> Option<Self> {
        match argument.rsplit('/').next()? {
            "curl" => Some(Self::Curl),
            "mysql" | "mysqldump" | "mysqladmin" => Some(Self::Mysql),
            "redis-cli" => Some(Self::Redis),
            "sshpass" => Some(Self::Sshpass),
            _ => None,
        }
    }

    /// The program whose mark was hit, and where its name ends.
    fn at(bytes: &[u8], hit: &Hit) -> Option<(Self, usize)> {
        let end = hit.start + hit.len;
        match bytes[hit.start] | 0x20 {
            // These marks end with what separates the name from its arguments.
            b'c' => Some((Self::Curl, end - 1)),
            b'd' => Some((Self::Docker, end - 1)),
            b'r' => Some((Self::Redis, end)),
            _ => {
                let rest = &bytes[end..];
                let tool = [&b"dump"[..], b"admin"].into_iter().find(|it| rest.starts_with(it));
                let end = end + tool.map_or(0, <[u8]>::len);
                let separator = |byte: &u8| *byte == b' ' || *byte == b'\\' || is_quote(*byte);
                bytes.get(end).is_some_and(separator).then_some((Self::Mysql, end))
            }
        }
    }

    /// Tells whether the argument behind this one is a password, or has one in it.
    pub(super) fn takes_value(self, word: &[u8]) -> bool {
        match self {
            Self::Curl => CURL_USERS.contains(&word),
            Self::Redis => word == b"-a",
            Self::Docker | Self::Sshpass => word == b"-p",
            Self::Mysql => false,
        }
    }

    /// Where the value starts that stands in one word with its option.
    pub(super) fn glued_value(self, word: &[u8]) -> Option<usize> {
        let prefix: &[u8] = match self {
            Self::Curl => b"-u",
            Self::Redis => return None,
            Self::Docker | Self::Sshpass | Self::Mysql => b"-p",
        };
        (word.len() > prefix.len() && word.starts_with(prefix)).then_some(prefix.len())
    }

    /// Where in a value the password starts: behind the user, where there is one.
    pub(super) fn password_in(self, value: &str) -> Option<usize> {
        match self {
            Self::Curl => Some(value.find(':')? + 1),
            _ => Some(0),
        }
    }
}

/// Finds the secrets behind these, and remembers for each how far it has looked, so
/// that a name that stands there a thousand times makes no text be read a thousand times.
#[derive(Default)]
pub(super) struct Commands {
    searched: [usize; 5],
}

impl Commands {
    /// The secret behind the name of a program.
    pub(super) fn find(&mut self, text: &str, hit: &Hit) -> Option<Found> {
        let bytes = text.as_bytes();
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if hit.start > 0 && part(bytes[hit.start - 1]) {
            return None;
        }
        let (program, name_end) = Program::at(bytes, hit)?;
        let searched = &mut self.searched[program as usize];
        let from = name_end.max(*searched);
        let found = find_option(text, from, name_end + MAX_COMMAND_BYTES, program, searched)?;
        *searched = found.end;
        Some(found)
    }
}

/// The same for `sshpass`, whose name has the mark of a key in it and ends at `name_end`.
pub(super) fn find_sshpass(text: &str, name_end: usize) -> Option<Found> {
    find_option(text, name_end, name_end + MAX_COMMAND_BYTES, Program::Sshpass, &mut 0)
}

/// The secret in the arguments from `from` on, as far as `limit` and the line go; `searched`
/// becomes the place of the last argument that was looked at.
fn find_option(
    text: &str,
    from: usize,
    limit: usize,
    program: Program,
    searched: &mut usize,
) -> Option<Found> {
    let bytes = text.as_bytes();
    if from >= limit.min(bytes.len()) {
        return None;
    }
    let limit = line_end(&bytes[..bytes.len().min(limit)], from);
    let mut at = from;
    let mut is_value = false;
    loop {
        let separator = |byte: &u8| is_quote(*byte) || matches!(byte, b' ' | b'\t' | b',' | b'\\');
        let start = at + bytes[at..limit].iter().take_while(|byte| separator(byte)).count();
        // Behind a pipe or a semicolon stands another command.
        if start == limit || matches!(bytes[start], b'|' | b';' | b')' | b']') {
            return None;
        }
        *searched = start;
        let word = &bytes[start..argument_end(&bytes[..limit], start)];
        let glued = if is_value { Some(0) } else { program.glued_value(word) };
        if let Some(offset) = glued
            && let Some(found) = secret(text, start, start + offset, program)
        {
            return Some(found);
        }
        is_value = !is_value && program.takes_value(word);
        at = start + word.len().max(1);
    }
}

/// Where an argument ends: with its quote, if there is one right before it.
fn argument_end(bytes: &[u8], start: usize) -> usize {
    match bytes[start - 1] {
        quote if is_quote(quote) => {
            quoted_end(bytes, start, quote, backslashes_before(bytes, start - 1, 0))
        }
        _ => bare_end(bytes, start),
    }
}

/// The secret in the value at `start` of the argument at `argument`, if it is not masked already.
fn secret(text: &str, argument: usize, start: usize, program: Program) -> Option<Found> {
    let bytes = text.as_bytes();
    let end = argument_end(bytes, argument);
    let value = text.get(start..end)?;
    let start = start + program.password_in(value)?;
    let is_secret = start < end && !is_masked(&text[start..end]);
    is_secret.then_some(Found { start, end, with: Replacement::Mask, rule: Rule::Argument })
}
