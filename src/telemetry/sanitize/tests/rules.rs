//! A table of positive and negative examples for every rule.

use super::{assert_all, assert_unchanged};

#[test]
fn documented_patterns() {
    assert_all(&[
        ("password=Secret123", "password=***"),
        ("api_key=key123", "api_key=***"),
        ("api-key=key123", "api-key=***"),
        ("token=eyJhbGciOi", "token=***"),
        ("Authorization: Bearer tok123", "Authorization: ***"),
        ("secret=myvalue", "secret=***"),
        ("-----BEGIN RSA PRIVATE KEY-----", "*** PRIVATE KEY ***"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA***"),
    ]);
}

#[test]
fn keys_and_separators_stay_as_written() {
    assert_all(&[
        ("PASSWORD = x1", "PASSWORD = ***"),
        ("Password: x1 done", "Password: *** done"),
        ("db_password=x1, user=root", "db_password=***, user=root"),
        ("password=x1,user=root", "password=***,user=root"),
        ("X-Api-Key: x1", "X-Api-Key: ***"),
        ("apiKey=>x1", "apiKey=>***"),
        ("api key: x1", "api key: ***"),
        ("access_token := x1", "access_token := ***"),
        ("client_secret=x1;ttl=3", "client_secret=***;ttl=3"),
        ("AWS_SECRET_ACCESS_KEY=a/b+c", "AWS_SECRET_ACCESS_KEY=***"),
        ("passwd=x pwd=y passphrase=z", "passwd=*** pwd=*** passphrase=***"),
        ("smtp_pass=x1", "smtp_pass=***"),
        ("password2=x1 tokenValue=x2", "password2=*** tokenValue=***"),
        ("password_hash=$argon2id$v=19$m=1", "password_hash=***"),
        ("(given password: x1)", "(given password: ***)"),
        ("user[password]=x1&a=b", "user[password]=***&a=b"),
        ("form['password'] = 'x1'", "form['password'] = '***'"),
        ("<password>x1 y</password>", "<password>***</password>"),
        ("mysql --password x1 -h db", "mysql --password *** -h db"),
        ("mysql --password=x1 -h db", "mysql --password=*** -h db"),
        ("line\\npass=x1\\nuser=y", "line\\npass=***\\nuser=y"),
        ("password=x1\nuser=y", "password=***\nuser=y"),
        ("password=x1\r\nuser=y", "password=***\r\nuser=y"),
    ]);
}

#[test]
fn values_go_as_a_whole() {
    assert_all(&[
        ("password=a,b)c]d}e;f", "password=***"),
        ("password=a&b c", "password=*** c"),
        ("password=it's x", "password=*** x"),
        ("password=C:\\new x", "password=*** x"),
        ("password=ä€😀 x", "password=*** x"),
        (r#"password="a b \" c" d=1"#, r#"password="***" d=1"#),
        ("password='a b \\' c' d=1", "password='***' d=1"),
        ("password='it''s' d=1", "password='***' d=1"),
        ("password=\"never closed a b", "password=\"***"),
        ("password: Some(\"a b\"), user: \"x\"", "password: Some(\"***\"), user: \"x\""),
        ("token=b'a b', x=1", "token=b'***', x=1"),
        ("{token: abc}", "{token: ***}"),
        ("Config { secret: \"a b\", n: 1 }", "Config { secret: \"***\", n: 1 }"),
        ("password=***real", "password=***"),
        ("password=\\\"\"ä", "password=\\\"\"ä"),
        ("\"password\"=\"\"a b\"\" x", "\"password\"=\"\"***\"\" x"),
        ("secrets: [a b, c] x", "secrets: *** x"),
    ]);
}

#[test]
fn query_strings() {
    assert_all(&[
        ("/login?password=x1&user=bob", "/login?password=***&user=bob"),
        ("/a?pwd=x1&token=y#top", "/a?pwd=***&token=***"),
        ("next=%2Fa%3Ftoken%3Dx1%26user%3Dbob", "next=%2Fa%3Ftoken%3D***%26user%3Dbob"),
        ("GET /x?api_key=abc HTTP/1.1", "GET /x?api_key=*** HTTP/1.1"),
        ("X-Amz-Signature=abc&X-Amz-Date=1", "X-Amz-Signature=***&X-Amz-Date=1"),
    ]);
}

#[test]
fn quoted_keys_in_text() {
    assert_all(&[
        (r#"got {"password": "a b \" c", "n": 1} x"#, r#"got {"password": "***", "n": 1} x"#),
        (r#"got {"password":12345,"n":1} x"#, r#"got {"password":"***","n":1} x"#),
        (r#"got {\"token\": \"a b\", \"n\": 1} x"#, r#"got {\"token\": \"***\", \"n\": 1} x"#),
        (r#"got {\"token\": 12, \"n\": 1}"#, r#"got {\"token\": \"***\", \"n\": 1}"#),
        ("got {'password': 'x y', 'n': 1}", "got {'password': '***', 'n': 1}"),
        ("got {'password': 7, 'n': 1}", "got {'password': '***', 'n': 1}"),
        (r#"x {"secrets": ["a", "b]"], "n": 1}"#, r#"x {"secrets": "***", "n": 1}"#),
        (r#"cut {"token": {"a": "b"#, r#"cut {"token": "***""#),
    ]);
}

#[test]
fn authorization_and_cookies() {
    assert_all(&[
        ("authorization: bearer abc, Host: x", "authorization: ***, Host: x"),
        ("Authorization: Basic dXNlcjpwYXNz== done", "Authorization: *** done"),
        ("Authorization: Digest username=\"u\", response=\"x\"\nA: b", "Authorization: ***\nA: b"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c", "Authorization: ***"),
        ("Proxy-Authorization: Basic abc", "Proxy-Authorization: ***"),
        ("Authorization: rawvalue", "Authorization: ***"),
        ("Authorization=Bearer abc x", "Authorization=*** x"),
        ("curl -H 'Authorization: Bearer abc' http://x", "curl -H 'Authorization: ***' http://x"),
        ("curl -H 'Authorization: Foo a b' http://x", "curl -H 'Authorization: ***' http://x"),
        (r#"{"authorization": "Bearer a"} x"#, r#"{"authorization": "***"} x"#),
        ("Cookie: a=b; c=d\r\nHost: x", "Cookie: ***\r\nHost: x"),
        ("Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: ***"),
        ("curl -H \"Cookie: a=b; c=d\" x", "curl -H \"Cookie: ***\" x"),
        ("Cookie: a=b; c=d\\r\\nHost: x", "Cookie: ***\\r\\nHost: x"),
        ("sent Bearer abcdef123456 to x", "sent Bearer *** to x"),
    ]);
    assert_unchanged(&[
        "Bearer authentication required",
        "the bearer of this",
        "authorization failed",
        "cookies are disabled",
    ]);
}

#[test]
fn private_keys() {
    let mask = "*** PRIVATE KEY ***";
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
        for newline in ["\n", "\r\n", "\\n", "\n    ", " ", ""] {
            let key =
                format!("-----BEGIN {label}-----{newline}MIIEow+/=={newline}-----END {label}-----");
            let around = format!("a {key}{newline}b");
            let expected = format!("a {mask}{newline}b");
            assert_all(&[(around.as_str(), expected.as_str())]);
            let cut = format!("a -----BEGIN {label}-----{newline}MIIEow+/==");
            assert_all(&[(cut.as_str(), &format!("a {mask}"))]);
        }
    }
    assert_all(&[
        ("private_key=-----BEGIN RSA PRIVATE KEY-----\nMII\n", "private_key=*** PRIVATE KEY ***"),
        (
            r#"["-----BEGIN PRIVATE KEY-----", "MIIE", "-----END PRIVATE KEY-----", 1]"#,
            r#"["*** PRIVATE KEY ***", 1]"#,
        ),
        (
            r#"{"k":"-----BEGIN PRIVATE KEY-----\nMIIE","b":"MIIE"}"#,
            r#"{"k":"*** PRIVATE KEY ***","b":"MIIE"}"#,
        ),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK----- y",
            "*** PRIVATE KEY *** y",
        ),
    ]);
    assert_unchanged(&[
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "-----BEGIN SSH SIGNATURE-----",
        "*** PRIVATE KEY ***",
    ]);
}

#[test]
fn shapes_without_a_key() {
    assert_all(&[
        ("id AKIAIOSFODNN7EXAMPLE, x", "id AKIA***, x"),
        ("id ASIAIOSFODNN7EXAMPLE x", "id ASIA*** x"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ x", "got *** x"),
        ("postgres://bob:x1@db:5432/a", "postgres://bob:***@db:5432/a"),
        ("redis://:x1@db", "redis://:***@db"),
        ("http://bob:a@b:c!d@host/p", "http://bob:***@host/p"),
        ("postgres://bob:a/b@host/p", "postgres://bob:***@host/p"),
        ("postgres://token:x1@host", "postgres://token:***@host"),
        ("(https://bob:x1@host)", "(https://bob:***@host)"),
    ]);
    assert_unchanged(&[
        "AKIA is a prefix",
        "AKIA***",
        "akiaiosfodnn7example",
        "keyJsonParser.parseValue.now",
        "eyJ and eyJabc",
        "http://host:8080/path@x",
        "ssh://git@github.com/a/b",
        "http://[::1]:8000/",
        "see https://example.org/a?b=c#d",
        "mailto:a@b",
    ]);
}

#[test]
fn benign_text_stays() {
    assert_unchanged(&[
        "",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 rhost=192.0.2.1",
        "Failed password for invalid user admin from 192.0.2.1 port 4711 ssh2",
        "Accepted publickey for root from 192.0.2.1 port 4711 ssh2: RSA SHA256:abc",
        "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
        "Access denied for user 'root'@'localhost' (using password: YES)",
        "(using password: NO)",
        "token_hash=0123456789abcdef",
        "max_tokens=5 tokens=7 prompt_tokens: 9",
        "author=x authority=y",
        "primary_key=1 public_key=abc foreign key: a",
        "password_length=12 password_policy=strict token_type=bearer",
        "tokenizer=bpe passenger=3 bypass=x compass=n monkey=1 keyboard=de",
        "secretary=bob secret_name=a",
        "PWD=/root OLDPWD=/",
        "pass=12 fail=3",
        "pass: all of them",
        "password= user=bob",
        "password=\"\" user=bob",
        "password: ",
        "std::token::parse secret://vault/x",
        "password=*** token: [REDACTED] secret=<redacted> api_key=REDACTED",
        "Authorization: *** for bob",
        r#"{"password": null, "token": "***", "secret": false}"#,
        "dovecot: pop3-login: Aborted login: rip=192.0.2.1, session=<LgDINsQCkttVIMPg>",
        "Fail2Ban v1.0.2 [sshd] Ban 192.0.2.1",
    ]);
}
