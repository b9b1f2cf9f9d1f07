//! Signatures that make a URL a key.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::SignedUrl,
    name: "signed_url",
    summary: "The signature of a signed URL or request (AWS, Google, Azure).",
    stems: &["amzsignature", "googsignature"],
    parameters: &["sig", "signature"],
    marks: &[("signature", Parser::Key), ("sig=", Parser::Key), ("sig%3d", Parser::Key)],
    redacted: &[
        ("X-Amz-Signature=abc&X-Amz-Date=1", "X-Amz-Signature=***&X-Amz-Date=1"),
        ("GET /b?X-Goog-Signature=0a1b2c HTTP/1.1", "GET /b?X-Goog-Signature=*** HTTP/1.1"),
        ("/c?sv=2024&sig=a%2Bb%3D0123456&se=1", "/c?sv=2024&sig=***&se=1"),
        ("/c?Expires=1&Signature=vjbyPxybdZaNmGa", "/c?Expires=1&Signature=***"),
        (
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0123456789abcdef",
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=***",
        ),
    ],
    kept: &[
        "signature=bad from 192.0.2.1",
        "the signature: valid",
        "sig=TERM",
        "design=9 assign=x",
    ],
    ..NOTHING
};
