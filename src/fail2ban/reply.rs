//! From a reply's value to what a command promises, or to the server's error.
//!
//! Every parser skips what it does not know, since versions add lines; it fails only when what it
//! needs is missing, and then says what that is.

use super::pickle::Value;
use crate::domain::{JailName, JailStatus};
use crate::telemetry::sanitize::sanitize_for_logging;

/// The longest error message that is kept: an exception can quote a whole command.
const MAX_MESSAGE_CHARS: usize = 512;
/// How many of an exception's arguments are kept.
const MAX_MESSAGE_ARGS: usize = 4;

/// What the server says instead of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerError {
    /// An exception of a command, or a text that begins with `ERROR:`.
    Exception { class: String, message: String },
    /// The server is going down and serves nobody any more.
    Shutdown,
    /// None of the four shapes of a reply.
    Malformed,
}

/// What a parser misses.
pub(super) type Parsed<T> = Result<T, &'static str>;

/// Takes a reply's four shapes apart.
pub(super) fn unwrap(reply: Value) -> Result<Value, ServerError> {
    match reply {
        Value::Tuple(items) => match <[Value; 2]>::try_from(items) {
            Ok([Value::Int(0), value]) => Ok(value),
            Ok([Value::Int(1), exception]) => Err(exception_error(&exception)),
            _ => Err(ServerError::Malformed),
        },
        Value::Str(text) => Err(match text.strip_prefix("ERROR:") {
            Some(message) => ServerError::Exception {
                class: String::from("ERROR"),
                message: error_message(message.trim()),
            },
            None => ServerError::Malformed,
        }),
        Value::List(items) if matches!(&items[..], [only] if only.as_str() == Some("SHUTDOWN")) => {
            Err(ServerError::Shutdown)
        }
        _ => Err(ServerError::Malformed),
    }
}

fn exception_error(exception: &Value) -> ServerError {
    let Value::Object { class, args } = exception else {
        return ServerError::Malformed;
    };
    let shown = |value: &Value| match value {
        Value::Str(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        _ => String::from("…"),
    };
    let args: Vec<String> = args.iter().take(MAX_MESSAGE_ARGS).map(shown).collect();
    ServerError::Exception { class: clean_message(class), message: error_message(&args.join(", ")) }
}

/// An exception can quote a whole command or a line of a configuration. Secrets go before the text
/// is cut, because half of one is no longer recognised.
fn error_message(message: &str) -> String {
    clean_message(&sanitize_for_logging(message))
}

fn clean_message(message: &str) -> String {
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    message.chars().take(MAX_MESSAGE_CHARS).map(visible).collect()
}

/// The reply of `ping`.
pub(super) fn pong(value: &Value) -> Parsed<()> {
    if value.as_str() == Some("pong") { Ok(()) } else { Err("it is not `pong`") }
}

/// A reply that is one text: `version`, `get logtarget`.
pub(super) fn text(value: &Value) -> Parsed<String> {
    value.as_str().map(clean_message).ok_or("it is no text")
}

/// A reply that is one text or nothing: `get dbfile`.
pub(super) fn text_or_none(value: &Value) -> Parsed<Option<String>> {
    match value {
        Value::None => Ok(None),
        value => text(value).map(Some),
    }
}

/// A reply that is one integer, which can be negative: `get J bantime`.
pub(super) fn integer(value: &Value) -> Parsed<i64> {
    value.as_i64().ok_or("it is no integer")
}

/// A reply that is a count.
pub(super) fn count(value: &Value) -> Parsed<u64> {
    integer(value).and_then(|number| u64::try_from(number).map_err(|_| "it is a negative count"))
}

/// The reply of `status`: the names of the jails.
///
/// A name that cannot be sent back safely is left out: nothing could be done with such a jail.
pub(super) fn jail_names(value: &Value) -> Parsed<Vec<JailName>> {
    let list = field(value, "Jail list").and_then(Value::as_str).ok_or("it has no jail list")?;
    Ok(list.split(',').filter_map(|name| name.trim().parse().ok()).collect())
}

/// The reply of `status J`, and of `status J short`; and whether it has the list of bans, which the
/// second leaves out.
pub(super) fn jail_status(jail: &JailName, value: &Value) -> Parsed<(JailStatus, bool)> {
    let filter = field(value, "Filter").ok_or("it has no section Filter")?;
    let actions = field(value, "Actions").ok_or("it has no section Actions")?;
    let number = |section, key| field(section, key).ok_or("a count is missing").and_then(count);
    let sources = field(filter, "File list").or_else(|| field(filter, "Journal matches"));
    let has_list = field(actions, "Banned IP list").is_some();
    let status = JailStatus {
        name: jail.clone(),
        currently_banned: number(actions, "Currently banned")?,
        total_banned: number(actions, "Total banned")?,
        currently_failed: number(filter, "Currently failed")?,
        total_failed: number(filter, "Total failed")?,
        file_list: sources.map(texts).unwrap_or_default(),
    };
    Ok((status, has_list))
}

/// The lines of `get J banip --with-time`.
pub(super) fn lines(value: &Value) -> Parsed<impl Iterator<Item = Parsed<&str>>> {
    let items = value.as_items().ok_or("it is no list")?;
    Ok(items.iter().map(|item| item.as_str().ok_or("an entry is no text")))
}

/// The value of a key in a list of pairs, or in a dict.
fn field<'a>(value: &'a Value, wanted: &str) -> Option<&'a Value> {
    if let Value::Dict(pairs) = value {
        return pairs.iter().find(|(key, _)| key.as_str() == Some(wanted)).map(|(_, value)| value);
    }
    value.as_items()?.iter().find_map(|pair| match pair.as_items()? {
        [key, value] if key.as_str() == Some(wanted) => Some(value),
        _ => None,
    })
}

/// The texts of a list, or one text.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value.as_items() {
        Some(items) => items.iter().filter_map(Value::as_str).map(clean_message).collect(),
        None => value.as_str().map(clean_message).into_iter().collect(),
    }
}
