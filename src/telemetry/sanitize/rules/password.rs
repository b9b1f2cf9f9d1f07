//! Passwords by the name of their key.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Password,
    name: "password",
    summary: "The value behind a key that names a password, in any notation.",
    stems: &["password", "passwd", "passwort", "passphrase", "passcode", "pwd"],
    weak_words: &["pass"],
    marks: &[("pass", Parser::Key), ("pwd", Parser::Key)],
    redacted: &[
        ("password=X", "password=***"),
        ("Password: x1 done", "Password: *** done"),
        ("db_password=x1, user=root", "db_password=***, user=root"),
        (r#"password="a b \" c" d=1"#, r#"password="***" d=1"#),
        ("passwd=x pwd=y passphrase=z", "passwd=*** pwd=*** passphrase=***"),
        ("smtp_pass=x1", "smtp_pass=***"),
        ("password_hash=$argon2id$v=19$m=1", "password_hash=***"),
        (
            "dovecot: Password mismatch (given password: a b) x)",
            "dovecot: Password mismatch (given password: ***) x)",
        ),
        ("(given password: a)b c)", "(given password: ***)"),
        ("/login?pwd=x1&user=bob", "/login?pwd=***&user=bob"),
        ("<password>x1 y</password>", "<password>***</password>"),
        ("mysql --password x1 -h db", "mysql --password *** -h db"),
        ("password: |\n  x1\n  y2\nuser: z", "password: |\n  ***\nuser: z"),
        ("a:\n  password: >-\n    x1\n  user: z", "a:\n  password: >-\n    ***\n  user: z"),
        ("password: |\\n  x1\\nuser: z", "password: |\\n  ***\\nuser: z"),
        ("\u{1b}[31mpassword\u{1b}[0m=x1", "\u{1b}[31mpassword\u{1b}[0m=***"),
        ("pass\u{200b}word\u{feff}: x1 y", "pass\u{200b}word\u{feff}: *** y"),
        ("pa\u{17f}sword=x1", "pa\u{17f}sword=***"),
        ("ｐａｓｓｗｏｒｄ＝x1", "ｐａｓｓｗｏｒｄ＝***"),
        ("next=%2Fa%3Fpassword%3Dx1%26a%3Db", "next=%2Fa%3Fpassword%3D***%26a%3Db"),
    ],
    kept: &[
        "Failed password for invalid user admin from 192.0.2.1 port 4711 ssh2",
        "Access denied for user 'root'@'localhost' (using password: YES)",
        "password_length=12 password_policy=strict",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 rhost=192.0.2.1",
        "pass=12 fail=3",
        "PWD=/root OLDPWD=/",
        "passenger=3 bypass=x compass=n",
        "password=*** token: [REDACTED]",
        "password: |",
    ],
    ..NOTHING
};
