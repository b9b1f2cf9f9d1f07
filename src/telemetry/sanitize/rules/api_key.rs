//! Named keys: those of an API, and others that open something.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::ApiKey,
    name: "api_key",
    summary: "The value behind the name of a key that opens something (API, access, signing).",
    stems: &[
        "apikey",
        "accesskey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "authkey",
        "accountkey",
        "sharedkey",
        "masterkey",
        "sessionkey",
    ],
    weak_words: &["psk"],
    marks: &[("key", Parser::Key), ("psk", Parser::Key)],
    redacted: &[
        ("api_key=X", "api_key=***"),
        ("api-key=X", "api-key=***"),
        ("X-Api-Key: x1", "X-Api-Key: ***"),
        ("AWS_SECRET_ACCESS_KEY=a/b+c", "AWS_SECRET_ACCESS_KEY=***"),
        ("apiKey=>x1", "apiKey=>***"),
        ("api key: x1", "api key: ***"),
        ("GET /x?api_key=abc HTTP/1.1", "GET /x?api_key=*** HTTP/1.1"),
        ("api_\u{212a}ey=x1", "api_\u{212a}ey=***"),
        ("AccountKey=abc==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("auth ApiKey(\"x y\") sent", "auth ApiKey(\"***\") sent"),
        ("wifi_psk: x1", "wifi_psk: ***"),
    ],
    kept: &[
        "primary_key=1 public_key=abc foreign key: a",
        "Accepted publickey for root from 192.0.2.1 port 4711 ssh2: RSA SHA256:abc",
        "monkey=1 keyboard=de",
        "api_key_id=5",
    ],
    ..NOTHING
};
