//! Objects that hold a name and a value.

use super::{NOTHING, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::NamedPair,
    name: "named_pair",
    summary: "The value of an object whose `key` or `name` names a secret.",
    redacted: &[
        (r#"<add key="password" value="x y"/>"#, r#"<add key="password" value="***"/>"#),
        (r#"{"key":"password","value":"x"}"#, r#"{"key":"password","value":"***"}"#),
        (r#"{"value":"x","name":"api_key"}"#, r#"{"value":"***","name":"api_key"}"#),
        (r#"[{"key":"token","value":{"stringValue":"x"}}]"#, r#"[{"key":"token","value":"***"}]"#),
        (
            "got {'name': 'password', 'value': 'x y'} z",
            "got {'name': 'password', 'value': '***'} z",
        ),
        (
            r#"got {"key": "password", "value": 12} z"#,
            r#"got {"key": "password", "value": "***"} z"#,
        ),
    ],
    kept: &[
        r#"{"key":"user","value":"bob"}"#,
        r#"{"name":"password","label":"Password"}"#,
        "got {'name': 'password', 'type': 'text'} z",
    ],
    ..NOTHING
};
