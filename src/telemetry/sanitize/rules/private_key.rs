//! Private keys in PEM.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::PrivateKey,
    name: "private_key",
    summary: "A private key in PEM, header and body, whole or cut off, in one line or in many.",
    marks: &[("-----begin ", Parser::Pem)],
    redacted: &[
        ("-----BEGIN RSA PRIVATE KEY-----", "*** PRIVATE KEY ***"),
        (
            "a -----BEGIN PRIVATE KEY-----\nMIIE+/==\n-----END PRIVATE KEY----- b",
            "a *** PRIVATE KEY *** b",
        ),
        ("-----BEGIN EC PRIVATE KEY-----\\nMIIE", "*** PRIVATE KEY ***"),
        (
            r#"["-----BEGIN PRIVATE KEY-----", "MIIE", "-----END PRIVATE KEY-----", 1]"#,
            r#"["*** PRIVATE KEY ***", 1]"#,
        ),
    ],
    kept: &[
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "*** PRIVATE KEY ***",
    ],
    ..NOTHING
};
