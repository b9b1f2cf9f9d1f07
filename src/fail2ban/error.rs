//! What can go wrong between a command and its answer.

use crate::domain::JailName;

/// Why a command has no result. The texts are made to be shown to an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fail2banError {
    /// There is no server at the socket, or the connection broke.
    #[error("fail2ban cannot be reached: {error}")]
    Unreachable {
        /// What the system said.
        error: String,
    },
    /// The socket is there, but this process may not open it.
    #[error(
        "no permission to open fail2ban's socket {path}: it belongs to the user that runs fail2ban"
    )]
    PermissionDenied {
        /// The path of the socket.
        path: String,
    },
    /// No answer came in time; a command that changes something may still be carried out.
    #[error("fail2ban did not answer in time")]
    Timeout,
    /// Too many commands are waiting already.
    #[error("too many commands are waiting for fail2ban")]
    Busy,
    /// The server has no such jail.
    #[error("fail2ban has no jail {0}")]
    UnknownJail(JailName),
    /// The server answered with an error.
    #[error("fail2ban refused the command: {class}: {message}")]
    Refused {
        /// The exception's class, such as `builtins.ValueError`.
        class: String,
        /// The exception's arguments as text.
        message: String,
    },
    /// The answer is not what this command answers.
    #[error("fail2ban answered `{command}` with something unexpected: {reason}")]
    Malformed {
        /// The command without its arguments.
        command: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl Fail2banError {
    /// A word for metrics and spans; there are only these few.
    pub const fn error_type(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::UnknownJail(_) => "unknown_jail",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
        }
    }
}
