//! What databases repeat of a statement.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Sql,
    name: "sql",
    summary: "Values of columns that name a secret, where an error of a database repeats them, \
              and passwords that a statement sets.",
    marks: &[("identified by ", Parser::Statement)],
    redacted: &[
        ("Key (token)=(abc) already exists.", "Key (token)=(***) already exists."),
        (
            "Key (user_id, token)=(5, a)b) already exists.",
            "Key (user_id, token)=(***) already exists.",
        ),
        (
            "Duplicate entry 'a b' for key 'users.token'",
            "Duplicate entry '***' for key 'users.token'",
        ),
        (
            "INSERT INTO u (name, password) VALUES ('bob', 'x)y'), ('eve', 'z')",
            "INSERT INTO u (name, password) VALUES (***)",
        ),
        (
            "syntax error at or near \"x1\" in UPDATE u SET token = $1",
            "syntax error at or near \"***\" in UPDATE u SET token = $1",
        ),
        ("CREATE USER 'a'@'%' IDENTIFIED BY 'x y';", "CREATE USER 'a'@'%' IDENTIFIED BY '***';"),
        ("ALTER ROLE a WITH ENCRYPTED PASSWORD 'x1'", "ALTER ROLE a WITH ENCRYPTED PASSWORD '***'"),
        ("alter user a with password 'x1'", "alter user a with password '***'"),
        ("SET PASSWORD FOR 'a'@'h' = PASSWORD('x1')", "SET PASSWORD FOR 'a'@'h' = PASSWORD('***')"),
        ("SET PASSWORD FOR 'a'@'h' = 'x1'", "SET PASSWORD FOR 'a'@'h' = '***'"),
    ],
    kept: &[
        "ALTER USER bob WITH PASSWORD $1",
        "SET PASSWORD FOR 'bob'@'%' = ?",
        "the password 'field' is required",
        "Key (email)=(a@b) already exists.",
        "UNIQUE constraint failed: sessions.token",
        "syntax error at or near \"x1\"",
        "INSERT INTO u (name, token_hash) VALUES ('bob', 'z')",
        "no such column: password",
    ],
    ..NOTHING
};
