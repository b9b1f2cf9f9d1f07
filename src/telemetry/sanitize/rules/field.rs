//! Structured fields.

use super::{NOTHING, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Field,
    name: "field",
    summary: "A structured field, or a value of JSON, whose key names a secret.",
    redacted: &[
        (r#"{"password": "a b \" c", "n": 1}"#, r#"{"password": "***", "n": 1}"#),
        (r#"{"credentials":{"a":["}"]},"n":1}"#, r#"{"credentials":"***","n":1}"#),
        (r#"{"\u0070assword":"x"}"#, r#"{"\u0070assword":"***"}"#),
        (r#"{"pass\u200bword":"x"}"#, r#"{"pass\u200bword":"***"}"#),
        (r#"{"m":"{\"token\":\"x y\"}"}"#, r#"{"m":"{\"token\":\"***\"}"}"#),
    ],
    kept: &[
        r#"{"password": null, "token": "***", "secret": false}"#,
        r#"{"max_tokens": 5, "author": "x", "token": ""}"#,
    ],
    ..NOTHING
};
