//! One connection to the server: connecting, one exchange, and noticing its end while idle.

use std::{io, path::Path, time::Duration};

use tokio::{
    net::UnixStream,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    error::Fail2banError,
    frame::{self, FrameError},
    pickle::{self, MAX_PICKLE_BYTES, PickleError, Value},
};

/// The pause between two attempts while the server's queue of connections (of length 1) is full.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);
/// How long a refused connection is tried again: a starting server binds just before it listens.
const REFUSED_PATIENCE: Duration = Duration::from_millis(200);
/// A larger reply is decoded on a thread for blocking work, so that requests are not held up.
const BLOCKING_DECODE_BYTES: usize = 256 * 1024;

/// Why an exchange failed; after any of these the connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error("the reply could not be decoded")]
    Decoder,
}

/// A connected stream with no request under way.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
}

impl Connection {
    /// Connects; tries again while the server is only busy, until the deadline.
    pub(super) async fn open(path: &Path, deadline: Instant) -> Result<Self, Fail2banError> {
        let started = Instant::now();
        loop {
            let error = match UnixStream::connect(path).await {
                Ok(stream) => return Ok(Self { stream }),
                Err(error) => error,
            };
            let is_worth_waiting = match error.kind() {
                io::ErrorKind::WouldBlock => true,
                io::ErrorKind::ConnectionRefused => started.elapsed() < REFUSED_PATIENCE,
                _ => false,
            };
            if !is_worth_waiting || Instant::now() + CONNECT_PAUSE >= deadline {
                return Err(connect_error(path, &error));
            }
            sleep(CONNECT_PAUSE).await;
        }
    }

    /// Sends one command and reads its reply. A caller that drops this must drop the connection.
    pub(super) async fn exchange(&mut self, words: &[String]) -> Result<Value, ExchangeError> {
        frame::write(&mut self.stream, pickle::encode_command(words)).await?;
        let reply = frame::read(&mut self.stream, MAX_PICKLE_BYTES).await?;
        if reply.len() < BLOCKING_DECODE_BYTES {
            return Ok(pickle::decode(&reply)?);
        }
        let decoded = spawn_blocking(move || pickle::decode(&reply)).await;
        Ok(decoded.map_err(|_| ExchangeError::Decoder)??)
    }

    /// Waits until the server ends the idle connection, or speaks without being asked.
    pub(super) async fn ended(&self) -> ExchangeError {
        loop {
            if let Err(error) = self.stream.readable().await {
                return FrameError::Io(error).into();
            }
            let error = match self.stream.try_read(&mut [0; 1]) {
                Ok(0) => FrameError::Closed,
                Ok(_) => FrameError::Unexpected,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => FrameError::Io(error),
            };
            return error.into();
        }
    }
}

impl ExchangeError {
    /// Whether the server hung up instead of answering, as a restarted one has.
    pub(super) fn is_hang_up(&self) -> bool {
        match self {
            Self::Frame(FrameError::Closed) => true,
            Self::Frame(FrameError::Io(error)) => {
                matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
            }
            _ => false,
        }
    }

    /// The error that the command's caller gets.
    pub(super) fn into_command_error(self, command: &'static str) -> Fail2banError {
        match self {
            Self::Frame(FrameError::Io(_) | FrameError::Closed) => {
                Fail2banError::Unreachable { error: self.to_string() }
            }
            _ => Fail2banError::Malformed { command, reason: self.to_string() },
        }
    }
}

fn connect_error(path: &Path, error: &io::Error) -> Fail2banError {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Fail2banError::PermissionDenied { path: path.to_string() }
        }
        io::ErrorKind::NotFound => {
            Fail2banError::Unreachable { error: format!("there is no socket {path}") }
        }
        io::ErrorKind::ConnectionRefused => {
            Fail2banError::Unreachable { error: format!("nobody listens at {path}") }
        }
        _ => Fail2banError::Unreachable { error: format!("{path}: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_socket_is_named_as_such() {
        // Root may open every socket, so the kernel's answer is made up here.
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = connect_error(Path::new("/run/fail2ban.sock"), &error);
        assert_eq!(error.error_type(), "permission_denied");
        assert!(error.to_string().contains("/run/fail2ban.sock"));
    }
}
