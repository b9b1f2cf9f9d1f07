//! The name of a fail2ban jail, checked so that it can be sent to the server as it stands.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name that is accepted: far above real names, and small enough for a log line.
const MAX_NAME_CHARS: usize = 100;

/// A jail's name: ASCII letters, digits and `._-@+`, beginning with a letter, a digit or `_`.
///
/// fail2ban itself accepts nearly anything. A name that began with `-` could be read as an option,
/// `--all` is a word of its own there, a comma would split the server's list of jails, and the
/// marker `<F2B_END_COMMAND>` would break the framing: none of them passes here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JailName(String);

/// Why a text is not a jail's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JailNameError {
    /// There is no text.
    #[error("a jail's name must not be empty")]
    Empty,
    /// It is longer than any real name.
    #[error("a jail's name has at most {MAX_NAME_CHARS} characters")]
    TooLong,
    /// It begins with something that is not a letter, a digit or `_`.
    #[error("a jail's name begins with a letter, a digit or an underscore")]
    BadStart,
    /// It has a character that no jail's name may have.
    #[error("a jail's name has only ASCII letters, digits and the characters . _ - @ +")]
    BadCharacter,
}

impl JailName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(name: &str) -> Result<(), JailNameError> {
        let Some(first) = name.chars().next() else {
            return Err(JailNameError::Empty);
        };
        // Every accepted character is one byte long, so the length in bytes is the limit to check.
        if name.len() > MAX_NAME_CHARS {
            return Err(JailNameError::TooLong);
        }
        if !(first.is_ascii_alphanumeric() || first == '_') {
            return Err(JailNameError::BadStart);
        }
        if name.bytes().any(|byte| !byte.is_ascii_alphanumeric() && !b"._-@+".contains(&byte)) {
            return Err(JailNameError::BadCharacter);
        }
        Ok(())
    }
}

impl FromStr for JailName {
    type Err = JailNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::check(name).map(|()| Self(name.to_owned()))
    }
}

impl TryFrom<String> for JailName {
    type Error = JailNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::check(&name).map(|()| Self(name))
    }
}

impl From<JailName> for String {
    fn from(name: JailName) -> Self {
        name.0
    }
}

impl AsRef<str> for JailName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JailName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_names_pass() {
        for name in ["sshd", "nginx-http-auth", "3proxy", "_x", "web@host.example", "a+b", "x.y"] {
            assert_eq!(name.parse::<JailName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn everything_that_could_mislead_the_server_is_refused() {
        let long = "a".repeat(MAX_NAME_CHARS + 1);
        for (name, error) in [
            ("", JailNameError::Empty),
            ("--all", JailNameError::BadStart),
            ("-x", JailNameError::BadStart),
            (".x", JailNameError::BadStart),
            ("a b", JailNameError::BadCharacter),
            ("a,b", JailNameError::BadCharacter),
            ("a\n", JailNameError::BadCharacter),
            ("a<F2B_END_COMMAND>", JailNameError::BadCharacter),
            ("jäil", JailNameError::BadCharacter),
            (&long, JailNameError::TooLong),
        ] {
            assert_eq!(name.parse::<JailName>(), Err(error), "{name:?}");
        }
    }

    #[test]
    fn serde_validates_too() {
        assert!(serde_json::from_str::<JailName>("\"sshd\"").is_ok());
        assert!(serde_json::from_str::<JailName>("\"--all\"").is_err());
        let name: JailName = "sshd".parse().unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"sshd\"");
    }
}
