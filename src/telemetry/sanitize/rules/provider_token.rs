//! Tokens that tell by a prefix who gave them out.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::ProviderToken,
    name: "provider_token",
    summary: "A token of GitHub, GitLab, Slack, Stripe, Google, npm, SendGrid, OpenAI, \
              Anthropic, Vault or PyPI or a secret key of age, all but its prefix; what a webhook \
              of Slack or Discord or a bot of Telegram is called by.",
    marks: &[
        ("ghp_", Parser::Provider),
        ("gho_", Parser::Provider),
        ("ghu_", Parser::Provider),
        ("ghs_", Parser::Provider),
        ("ghr_", Parser::Provider),
        ("github_pat_", Parser::Provider),
        ("xox", Parser::Provider),
        ("glpat-", Parser::Provider),
        // The last of the two letters: the one before it is looked at by the parser.
        ("k_live_", Parser::Provider),
        ("aiza", Parser::Provider),
        ("npm_", Parser::Provider),
        ("sg.", Parser::Provider),
        ("age-secret-key-1", Parser::Provider),
        ("sk-proj-", Parser::Provider),
        ("sk-ant-", Parser::Provider),
        ("sk_test_", Parser::Provider),
        ("hvs.", Parser::Provider),
        ("ya29.", Parser::Provider),
        ("pypi-", Parser::Provider),
        ("glrt-", Parser::Provider),
        ("telegram.org/bot", Parser::Webhook),
        (".slack.com/services/", Parser::Webhook),
        ("/api/webhooks/", Parser::Webhook),
    ],
    redacted: &[
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345 x", "ghp_*** x"),
        ("(ghs_0123456789abcdefghijABCDEFGHIJ012345)", "(ghs_***)"),
        ("github_pat_11ABCDEFG0123456789_abcdefghij", "github_pat_***"),
        ("hook xoxb-123456789012-abcdefABCDEF failed", "hook xoxb-*** failed"),
        ("glpat-abcdef_0123456789ABC", "glpat-***"),
        ("sk_live_0123456789abcdefABCDEF01", "sk_live_***"),
        ("rk_live_0123456789abcdefABCDEF01", "rk_live_***"),
        ("AIzaSyA0123456789abcdefghijABCDEFGHIJ01", "AIza***"),
        ("npm_0123456789abcdefghijABCDEFGHIJ012345", "npm_***"),
        ("SG.abcdefABCDEF0123456789.abcdefABCDEF0123456789abcdef-_01", "SG.***"),
        ("sk-proj-0123456789abcdefABCDEF01", "sk-proj-***"),
        ("sk-ant-api03-0123456789abcdefABCDEF01", "sk-ant-***"),
        ("hvs.CAESI0123456789abcdefABCDEF01", "hvs.***"),
        (
            "https://api.telegram.org/bot12345678:AAHdqTcvCH1vGWJxfSeof/sendMessage",
            "https://api.telegram.org/bot***/sendMessage",
        ),
        (
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX x",
            "https://hooks.slack.com/services/*** x",
        ),
        (
            "https://discord.com/api/webhooks/123456789012345678/abcDEF_ghi-JKL",
            "https://discord.com/api/webhooks/***",
        ),
        ("AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", "AGE-SECRET-KEY-1***"),
    ],
    kept: &[
        "task-proj-0123456789abcdefABCDEF01 pypi-mirror-of-the-whole-company-1",
        "GET /api/webhooks/5 see https://api.telegram.org/bots",
        "ghp_short",
        "npm_config_registry_and_cache_folder",
        "xoxb-",
        "msg.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz",
        "task_live_0123456789abcdefABCDEF01",
        "ghp_***",
        "commit 125f1e9c0ffee0123456789abcdef0123456789ab",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "id 6f1ed002-ab59-4a21-b7bd-1f0a6a1b2c3d",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
        "body aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0",
    ],
    ..NOTHING
};
