//! Secrets that stand behind their name in a list: command lines, commands to fail2ban.

use super::{NOTHING, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Argument,
    name: "argument",
    summary: "What follows an option that names a secret in a list of arguments, and the last \
              item of a list behind such a name.",
    redacted: &[
        (
            "['set', 'sshd', 'action', 'smtp', 'password', 'x y']",
            "['set', 'sshd', 'action', 'smtp', 'password', '***']",
        ),
        (
            r#"cmd ["set","sshd","action","smtp","password","x"] failed"#,
            r#"cmd ["set","sshd","action","smtp","password","***"] failed"#,
        ),
        (
            r#"["set","sshd","action","smtp","password","x"]"#,
            r#"["set","sshd","action","smtp","password","***"]"#,
        ),
        (
            "['set', 'sshd', 'action', 'smtp', 'password', \"it's\"]",
            "['set', 'sshd', 'action', 'smtp', 'password', \"***\"]",
        ),
        ("(b'password', b'x')", "(b'password', b'***')"),
        (r#"["smtp","password",12345]"#, r#"["smtp","password","***"]"#),
        ("['password','x']", "['password','***']"),
        (r#"["--password","x","-h","db"]"#, r#"["--password","***","-h","db"]"#),
        ("('--api-key', 'x', '-v')", "('--api-key', '***', '-v')"),
        (
            "fail2ban-client set sshd action smtp password x1",
            "fail2ban-client set sshd action smtp password ***",
        ),
    ],
    kept: &[
        "['set', 'sshd', 'banip', '192.0.2.1']",
        r#"["--password","--user","bob"]"#,
        "['username', 'password', 'email', 'name']",
        r#"["username","password"]"#,
        r#"["username","password","email"]"#,
        "get sshd action smtp password",
    ],
    ..NOTHING
};
