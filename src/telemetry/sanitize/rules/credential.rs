//! Credentials and ids of sessions.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Credential,
    name: "credential",
    summary: "The value behind a key that names credentials or the id of a session.",
    stems: &["credential", "sessionid", "sessid"],
    weak_words: &["session"],
    marks: &[("credential", Parser::Key), ("sess", Parser::Key)],
    redacted: &[
        ("session_id=abc", "session_id=***"),
        ("PHPSESSID=abc; a", "PHPSESSID=***; a"),
        ("credentials: a:b", "credentials: ***"),
        ("session: \"abc\" user_session: abc", "session: \"***\" user_session: ***"),
    ],
    kept: &[
        "session: opened",
        "gnome-session: warning",
        "credentials: missing",
        "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
        "dovecot: pop3-login: Aborted login: rip=192.0.2.1, session=<LgDINsQCkttVIMPg>",
        "session_count=5",
    ],
    ..NOTHING
};
