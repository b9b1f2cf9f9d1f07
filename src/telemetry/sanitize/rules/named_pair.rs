//! Objects that hold a name and a value.

use super::{NOTHING, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::NamedPair,
    name: "named_pair",
    summary: "The value of an object, an element or a part of a form whose `key` or `name` names a \
              secret.",
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
        (
            "<property name=\"password\">x y</property>",
            "<property name=\"password\">***</property>",
        ),
        (
            "form-data; name=\"password\"\r\n\r\nx y\r\n--a",
            "form-data; name=\"password\"\r\n\r\n***\r\n--a",
        ),
        (
            "name=\"token\"\\r\\nContent-Type: text/plain\\r\\n\\r\\nx\\r\\n--a",
            "name=\"token\"\\r\\nContent-Type: text/plain\\r\\n\\r\\n***\\r\\n--a",
        ),
        (
            "- name: DB_PASSWORD\n  value: x y\n- name: A\n  value: b",
            "- name: DB_PASSWORD\n  value: ***\n- name: A\n  value: b",
        ),
        (
            "- name: \"API_KEY\"\\n  value: \"x y\"\\n- a",
            "- name: \"API_KEY\"\\n  value: \"***\"\\n- a",
        ),
        ("- name: TOKEN\n  value: |\n    x\n  a: b", "- name: TOKEN\n  value: |\n    ***\n  a: b"),
    ],
    kept: &[
        "<label name=\"password\">Password</label>",
        "- name: DB_PASSWORD\n  valueFrom: x",
        "- name: USER_NAME\n  value: bob",
        "name=\"password\"\n\n",
        r#"{"key":"user","value":"bob"}"#,
        r#"{"name":"password","label":"Password"}"#,
        "got {'name': 'password', 'type': 'text'} z",
    ],
    ..NOTHING
};
