//! Tells a service manager that the service listens (systemd's `Type=notify`), so that whoever
//! waits for its start finds it answering.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;

/// What systemd sets for a service of that type: the path of the socket that it listens on.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// Does nothing where nobody waits for it.
pub(super) fn tell() -> io::Result<()> {
    match std::env::var_os(SOCKET_VARIABLE) {
        Some(path) if !path.is_empty() => tell_on(&path),
        _ => Ok(()),
    }
}

fn tell_on(path: &OsStr) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A full queue must not hold the service up.
    socket.set_nonblocking(true)?;
    socket.send_to(b"READY=1\n", path).map(drop).map_err(|error| {
        io::Error::new(error.kind(), format!("{SOCKET_VARIABLE}: cannot tell it: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        tell_on(path.as_os_str()).unwrap();
        let mut told = [0; 64];
        let length = manager.recv(&mut told).unwrap();
        assert_eq!(&told[..length], b"READY=1\n");
    }

    #[test]
    fn an_absent_manager_is_an_error_that_names_the_variable() {
        let error = tell_on(OsStr::new("/nonexistent/notify")).unwrap_err();
        assert!(error.to_string().starts_with("NOTIFY_SOCKET: "), "{error}");
    }
}
