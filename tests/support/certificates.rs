//! Certificates of scripts/test-certificates.sh, in a folder that goes away with the test.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::tls::openssl;
use super::{inherited, script};

/// One authority and what it has signed.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes new ones; each call makes another authority, which is a foreign one to the others.
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(script("test-certificates.sh"));
        command.arg(folder.path()).env_clear().envs(inherited()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "no certificates: {error}");
        Self { folder }
    }

    /// The file of a certificate: `ca`, `server`, `expired`, `other-name` or `client`.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.pem"))
    }

    /// The file of a certificate's key; the authority's own is kept nowhere.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.key"))
    }

    /// What openssl says of a certificate, which is its last argument.
    #[allow(dead_code)]
    pub(crate) fn openssl(&self, arguments: &[&str], name: &str) -> String {
        let mut command = Command::new(openssl());
        command.args(arguments).arg(self.certificate(name)).env_clear().envs(inherited());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        assert!(path.exists(), "test-certificates.sh makes no {name}");
        path
    }
}
