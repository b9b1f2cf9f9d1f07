//! Why a request has no answer: one table that gives each kind of failure its HTTP status, its gRPC
//! code and its reason, so that both doors say the same.

use std::fmt::Display;
use std::time::Duration;

use http::StatusCode;
use tonic::Code;

use super::clean;
use crate::domain::{AddressError, JailNameError};
use crate::{auth, history, jails, lock, settings, tasks};

/// What a client is told of a cause that only the log names.
const INTERNAL: &str = "something failed here; the log says what";

/// When to ask again while the database is away. It is tried for five seconds each time.
const DATABASE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What went wrong, as far as a program may want to tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read.
    Malformed,
    /// Nobody is signed in, and there is no token that is ours.
    Unauthenticated,
    /// The name, the password or the code is wrong.
    WrongPassword,
    /// The caller is known and may not.
    Forbidden,
    /// There is no such call.
    UnknownCall,
    /// fail2ban has no such jail.
    UnknownJail,
    /// The address is not banned there.
    NotBanned,
    /// What is asked for is not there.
    NotFound,
    /// The message came too slowly.
    TooSlow,
    /// It was done before, and can be done once only.
    Conflict,
    /// The message is too large.
    TooLarge,
    /// A field cannot be used.
    InvalidField,
    /// The same was done too often.
    TooOften,
    /// fail2ban answered, but not with what was asked for.
    Fail2banRefused,
    /// fail2ban is away, or too busy.
    Fail2banUnreachable,
    /// Something else that the answer needs is away, or busy.
    Unavailable,
    /// Too many requests at once.
    Overloaded,
    /// Too many listen already.
    TooManyListeners,
    /// The service stops.
    Stopping,
    /// There was no answer in time.
    TooLate,
    /// Something failed here.
    Internal,
}

impl Kind {
    /// The table. A code says what to do (try again, sign in, change the request); the reason
    /// says what it was.
    const fn row(self) -> (StatusCode, Code, &'static str) {
        use StatusCode as Http;
        match self {
            Self::Malformed => (Http::BAD_REQUEST, Code::InvalidArgument, "MALFORMED"),
            Self::Unauthenticated => (Http::UNAUTHORIZED, Code::Unauthenticated, "UNAUTHENTICATED"),
            Self::WrongPassword => (Http::UNAUTHORIZED, Code::Unauthenticated, "WRONG_PASSWORD"),
            Self::Forbidden => (Http::FORBIDDEN, Code::PermissionDenied, "FORBIDDEN"),
            Self::UnknownCall => (Http::NOT_FOUND, Code::Unimplemented, "UNKNOWN_CALL"),
            Self::UnknownJail => (Http::NOT_FOUND, Code::NotFound, "UNKNOWN_JAIL"),
            Self::NotBanned => (Http::NOT_FOUND, Code::NotFound, "NOT_BANNED"),
            Self::NotFound => (Http::NOT_FOUND, Code::NotFound, "NOT_FOUND"),
            Self::TooSlow => (Http::REQUEST_TIMEOUT, Code::DeadlineExceeded, "TOO_SLOW"),
            Self::Conflict => (Http::CONFLICT, Code::FailedPrecondition, "CONFLICT"),
            Self::TooLarge => (Http::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, "TOO_LARGE"),
            Self::InvalidField => {
                (Http::UNPROCESSABLE_ENTITY, Code::InvalidArgument, "INVALID_FIELD")
            }
            Self::TooOften => (Http::TOO_MANY_REQUESTS, Code::ResourceExhausted, "TOO_OFTEN"),
            Self::Fail2banRefused => {
                (Http::BAD_GATEWAY, Code::FailedPrecondition, "FAIL2BAN_REFUSED")
            }
            Self::Fail2banUnreachable => {
                (Http::SERVICE_UNAVAILABLE, Code::Unavailable, "FAIL2BAN_UNREACHABLE")
            }
            Self::Unavailable => (Http::SERVICE_UNAVAILABLE, Code::Unavailable, "UNAVAILABLE"),
            Self::Overloaded => (Http::SERVICE_UNAVAILABLE, Code::Unavailable, "OVERLOADED"),
            Self::TooManyListeners => {
                (Http::SERVICE_UNAVAILABLE, Code::ResourceExhausted, "TOO_MANY_LISTENERS")
            }
            Self::Stopping => (Http::SERVICE_UNAVAILABLE, Code::Unavailable, "STOPPING"),
            Self::TooLate => (Http::GATEWAY_TIMEOUT, Code::DeadlineExceeded, "TOO_LATE"),
            Self::Internal => (Http::INTERNAL_SERVER_ERROR, Code::Internal, "INTERNAL"),
        }
    }

    /// The status of the JSON API.
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The code of the gRPC API.
    pub const fn code(self) -> Code {
        self.row().1
    }

    /// The reason in a gRPC error's details.
    pub const fn reason(self) -> &'static str {
        self.row().2
    }
}

/// Something that went wrong, as the client is told.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// A failure in the words that the client reads.
    pub fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), field: None, retry_after: None }
    }

    /// A field that cannot be used. Fields have the same names in both APIs.
    pub fn field(field: &'static str, message: impl Display) -> Self {
        Self { field: Some(field), ..Self::new(Kind::InvalidField, message) }
    }

    /// A caller whom nobody knows.
    pub fn unauthenticated() -> Self {
        Self::new(Kind::Unauthenticated, "sign in first")
    }

    /// A failure of ours. The cause goes to the log, not to the client.
    pub fn internal(error: impl Display) -> Self {
        tracing::error!(name: "http_internal_error", error = %error);
        Self::new(Kind::Internal, INTERNAL)
    }

    /// The store failed. Whether it is away, the client is told; why, only the log.
    pub(super) fn store(error: impl Display, is_unavailable: bool) -> Self {
        if !is_unavailable {
            return Self::internal(error);
        }
        tracing::error!(name: "http_internal_error", error = %error);
        Self::new(Kind::Unavailable, "the database is away; try again soon")
            .after(DATABASE_RETRY_AFTER)
    }

    /// A panic, which the hook for panics has told already.
    pub fn panicked() -> Self {
        Self::new(Kind::Internal, INTERNAL)
    }

    /// The same, with the wait after which it may be tried again.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The field that cannot be used.
    pub fn of_field(&self) -> Option<&'static str> {
        self.field
    }

    /// The wait after which it may be tried again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What is wrong, sanitized: it may quote fail2ban, a neighbour or the client itself.
    pub fn message(&self) -> String {
        clean(self.message.clone())
    }

    /// The same with the field in front, for who reads no fields.
    pub fn detail(&self) -> String {
        match self.field {
            Some(field) => clean(format!("{field}: {}", self.message)),
            None => self.message(),
        }
    }
}

impl From<history::Error> for Failure {
    fn from(error: history::Error) -> Self {
        let is_unavailable = error.0.is_unavailable();
        Self::store(error, is_unavailable)
    }
}

impl From<lock::Error> for Failure {
    fn from(error: lock::Error) -> Self {
        let is_unavailable = error.is_unavailable();
        Self::store(error, is_unavailable)
    }
}

impl From<jails::Error> for Failure {
    fn from(error: jails::Error) -> Self {
        match error {
            jails::Error::UnknownJail(_) => Self::new(Kind::UnknownJail, error),
            jails::Error::NotBanned(..) => Self::new(Kind::NotBanned, error),
            jails::Error::Unavailable(_) => Self::new(Kind::Fail2banUnreachable, error),
            jails::Error::Refused(_) => Self::new(Kind::Fail2banRefused, error),
            jails::Error::OwnAddress => Self::field("ip", error),
            jails::Error::Store(cause) => Self::store(&cause, cause.is_unavailable()),
            jails::Error::Interrupted(_) => Self::internal(error),
        }
    }
}

impl From<settings::Error> for Failure {
    fn from(error: settings::Error) -> Self {
        match error {
            settings::Error::Store(cause) => Self::store(&cause, cause.is_unavailable()),
            settings::Error::Interrupted(_) => Self::internal(error),
        }
    }
}

impl From<tasks::Error> for Failure {
    fn from(error: tasks::Error) -> Self {
        match error {
            tasks::Error::Unknown(_) => Self::new(Kind::NotFound, error),
            tasks::Error::Running(_) | tasks::Error::Already(_) => Self::new(Kind::Conflict, error),
            tasks::Error::Store(cause) => Self::store(&cause, cause.is_unavailable()),
            tasks::Error::Interrupted(_) => Self::internal(error),
        }
    }
}

impl From<auth::Error> for Failure {
    fn from(error: auth::Error) -> Self {
        match error {
            auth::Error::Wrong | auth::Error::WrongCode => Self::new(Kind::WrongPassword, error),
            auth::Error::Throttled(wait) => Self::new(Kind::TooOften, error).after(wait),
            auth::Error::AlreadySetUp => Self::new(Kind::Conflict, error),
            auth::Error::UnusablePassword => Self::field("password", error),
            auth::Error::Password(_) => Self::new(Kind::Unavailable, error),
            auth::Error::Store(cause) => Self::store(&cause, cause.is_unavailable()),
            auth::Error::System(_) => Self::internal(error),
        }
    }
}

impl From<JailNameError> for Failure {
    fn from(error: JailNameError) -> Self {
        Self::field("jail", error)
    }
}

impl From<AddressError> for Failure {
    fn from(error: AddressError) -> Self {
        Self::field("ip", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_the_field_and_no_secret() {
        let failure = Failure::field("x", "token=hunter2 is wrong");
        assert_eq!(failure.detail(), "x: token=*** is wrong");
        assert_eq!(failure.message(), "token=*** is wrong");
        assert_eq!(failure.kind().status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
