//! Why a command did not do what it was asked to: an exit code for scripts, a line for people.

use std::error::Error;
use std::io;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::proto::code_name;

/// Done as asked.
pub(super) const EXIT_OK: u8 = 0;
/// The service refused, or what is meant is not there.
const EXIT_REFUSED: u8 = 1;
/// The command line is wrong, as shells and most commands say it.
pub(super) const EXIT_USAGE: u8 = 2;
/// `EX_UNAVAILABLE` of sysexits.h: no answer, of BanGUI or of the fail2ban behind it.
const EXIT_UNAVAILABLE: u8 = 69;
/// `EX_SOFTWARE`: a failure inside of the service or of the command.
const EXIT_SOFTWARE: u8 = 70;
/// `EX_IOERR`: the answer cannot be written.
const EXIT_OUTPUT: u8 = 74;
/// `EX_NOPERM`: the token is not the service's, or may not do this.
const EXIT_PERMISSION: u8 = 77;
/// `EX_CONFIG`.
pub(super) const EXIT_CONFIG: u8 = 78;

/// A longer chain of causes is none.
const CAUSES_MAX: usize = 16;

/// A command that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: u8,
    pub(super) message: String,
    /// A word for spans.
    pub(super) error_type: &'static str,
    /// The status of the call, if it came to one.
    pub(super) code: Option<&'static str>,
    /// Under which the service tells of it, if it does.
    pub(super) correlation_id: Option<String>,
    /// Whoever read the answer has gone: `bangui bans | head` is no failure.
    pub(super) is_quiet: bool,
}

impl Failure {
    fn new(exit: u8, error_type: &'static str, message: String) -> Self {
        Self { exit, message, error_type, code: None, correlation_id: None, is_quiet: false }
    }

    /// A mistake of ours.
    pub(super) fn inside() -> Self {
        let message = "something failed in the command itself; --verbose says what".to_owned();
        Self::new(EXIT_SOFTWARE, "panic", message)
    }

    /// Nobody answers at the address.
    pub(super) fn unreachable(address: &str, error: &dyn Error) -> Self {
        let message = format!("{address} cannot be reached: {}", root_cause(error));
        Self::new(EXIT_UNAVAILABLE, "unreachable", message)
    }

    /// No answer came in time.
    pub(super) fn too_late(seconds: u64, is_change: bool) -> Self {
        let more = if is_change { "; the change may still be made" } else { "" };
        let message = format!("no answer within {seconds} s{more}");
        let code = Some(code_name(Code::DeadlineExceeded));
        Self { code, ..Self::new(EXIT_UNAVAILABLE, "timeout", message) }
    }

    /// What the service says of a call.
    pub(super) fn of(status: &Status) -> Self {
        let exit = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded => EXIT_UNAVAILABLE,
            Code::Unauthenticated | Code::PermissionDenied => EXIT_PERMISSION,
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented => EXIT_SOFTWARE,
            _ => EXIT_REFUSED,
        };
        let details = status.get_error_details();
        let message = match (status.code(), status.message()) {
            // Its words are for the page, where one can.
            (Code::Unauthenticated, _) => "the token is not the service's".to_owned(),
            (code, "") => code.to_string(),
            (_, message) => message.to_owned(),
        };
        let from_head = status.metadata().get("x-correlation-id").and_then(|it| it.to_str().ok());
        let from_details = details.request_info().map(|it| it.request_id.as_str());
        let correlation_id = from_head.or(from_details).map(str::to_owned);
        let code = code_name(status.code());
        Self { code: Some(code), correlation_id, ..Self::new(exit, code, message) }
    }

    /// The line for people.
    pub(super) fn line(&self, command: &str) -> String {
        match &self.correlation_id {
            Some(id) => format!("bangui {command}: {} (correlation id {id})", self.message),
            None => format!("bangui {command}: {}", self.message),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { is_quiet: true, ..Self::new(EXIT_OK, "broken_pipe", String::new()) };
        }
        Self::new(EXIT_OUTPUT, "output", format!("the answer cannot be written: {error}"))
    }
}

/// The innermost cause, which is the one that an operator can do something about.
fn root_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    for _ in 0..CAUSES_MAX {
        let Some(cause) = innermost.source() else { break };
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_exit_code_and_no_failure_looks_like_success() {
        for code in 1..=16 {
            let failure = Failure::of(&Status::new(Code::from_i32(code), "x"));
            assert!([1, 69, 70, 77].contains(&failure.exit), "{code}: {failure:?}");
        }
        let exit = |code| Failure::of(&Status::new(code, "x")).exit;
        assert_eq!((exit(Code::NotFound), exit(Code::InvalidArgument)), (1, 1));
        assert_eq!((exit(Code::Unavailable), exit(Code::Unauthenticated)), (69, 77));
    }

    #[test]
    fn only_a_reader_who_has_gone_is_no_failure() {
        let failure = |kind| Failure::from(io::Error::from(kind));
        let gone = failure(io::ErrorKind::BrokenPipe);
        assert!(gone.is_quiet && gone.exit == EXIT_OK);
        let full = failure(io::ErrorKind::StorageFull);
        assert!(!full.is_quiet && full.exit == EXIT_OUTPUT);
    }
}
