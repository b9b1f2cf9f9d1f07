//! What the value of a setting of the external providers may look like.
//!
//! The same values reach the collector, whose launcher checks the same rules in shell and writes
//! them into YAML. So every form is a plain character class with a few additions, and none that can
//! do without lets quotes, `$`, backslashes or control characters through. No reason repeats the
//! value: somebody may have put a key in the wrong place.

use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Checks a value and says what is wrong with it.
pub(super) type Form = fn(&str) -> Result<(), String>;

const SECRET_MAX_BYTES: usize = 16 * 1024;
/// A bundle of all public authorities has a quarter of this.
const PEM_MAX_BYTES: u64 = 1024 * 1024;
const URL_MAX_BYTES: usize = 2048;
/// Elasticsearch nodes to choose from; a cluster needs no more to be found.
const URLS_MAX: usize = 32;
const HEADERS_MAX: usize = 32;
const HOST_MAX_BYTES: usize = 253;
const LABEL_MAX_BYTES: usize = 63;
const PATH_MAX_BYTES: usize = 512;
const FIELD_NAMES_MAX: usize = 64;
const FIELD_NAME_MAX_BYTES: usize = 64;

fn must(holds: bool, reason: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason.to_owned()) }
}

/// Some bytes, at least one, each of which is allowed.
fn consists(text: &str, max_bytes: usize, is_allowed: impl Fn(u8) -> bool) -> bool {
    (1..=max_bytes).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn is_graphic(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"'`$\\".contains(&byte)
}

/// `true`, `false`, `1` or `0`.
pub(super) fn boolean(text: &str) -> Result<(), String> {
    must(["true", "false", "1", "0"].contains(&text), "must be true, false, 1 or 0")
}

/// A whole number from 1. It has no leading zero, which YAML would read as octal.
pub(super) fn number<const MAX: u32>(text: &str) -> Result<(), String> {
    let is_plain = consists(text, 10, |byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let is_in_range = text.parse::<u32>().is_ok_and(|number| number <= MAX);
    must(is_plain && is_in_range, &format!("must be a whole number from 1 to {MAX}"))
}

/// A share in percent.
pub(super) fn percent(text: &str) -> Result<(), String> {
    let is_percent = text == "0" || number::<100>(text).is_ok();
    must(is_percent, "must be a whole number from 0 to 100")
}

/// An absolute path that can stand in YAML as it is.
pub(super) fn plain_path(text: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    let is_path = consists(text, PATH_MAX_BYTES, is_allowed) && text.starts_with('/');
    must(
        is_path && text.len() > 1,
        "must be an absolute path of 2 to 512 letters, digits, . _ / and -",
    )
}

/// Names of fields of a log record, separated by commas. They become one regular expression, in
/// which only the dot means something else than itself.
pub(super) fn field_names(text: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.'
    };
    let mut names: Vec<&str> = Vec::new();
    for name in text.split(',') {
        must(
            consists(name, FIELD_NAME_MAX_BYTES, is_allowed),
            "must be names of 1 to 64 of a-z, 0-9, _ and ., separated by commas alone",
        )?;
        must(!names.contains(&name), &format!("names {name} twice"))?;
        names.push(name);
        must(names.len() <= FIELD_NAMES_MAX, "must hold at most 64 names")?;
    }
    Ok(())
}

/// A number that is a name.
pub(super) fn digits(text: &str) -> Result<(), String> {
    must(consists(text, 20, |byte| byte.is_ascii_digit()), "must be 1 to 20 digits")
}

/// What a header or a password may be made of.
pub(super) fn secret(text: &str) -> Result<(), String> {
    must(!text.chars().any(char::is_control), "must not hold control characters or line breaks")?;
    // What was read in place of bytes that are none.
    must(!text.contains(char::REPLACEMENT_CHARACTER), "must be UTF-8")?;
    must(text.trim() == text && !text.is_empty(), "must not begin or end with a space")?;
    must(text.len() <= SECRET_MAX_BYTES, "must have at most 16384 bytes")
}

/// `name=value,other=value`, as in `OTEL_EXPORTER_OTLP_HEADERS`: values may be percent-encoded.
pub(super) fn headers(text: &str) -> Result<(), String> {
    let mut names: Vec<String> = Vec::new();
    for header in text.split(',') {
        let (name, value) =
            header.split_once('=').ok_or("must be NAME=VALUE pairs separated by commas")?;
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        must(
            consists(name, 128, is_name_byte),
            "has a header name of other characters than letters, digits, - _ and .",
        )?;
        is_header_value(value)?;
        let name = name.to_ascii_lowercase();
        must(!names.contains(&name), "names a header twice")?;
        names.push(name);
    }
    must(names.len() <= HEADERS_MAX, &format!("must hold at most {HEADERS_MAX} headers"))?;
    must(text.len() <= SECRET_MAX_BYTES, "must have at most 16384 bytes")
}

fn is_header_value(value: &str) -> Result<(), String> {
    let is_printable = consists(value, SECRET_MAX_BYTES, |byte| (b' '..=b'~').contains(&byte));
    must(
        is_printable && value.trim() == value,
        "has a header value that is empty, begins or ends with a space, or is not printable ASCII",
    )?;
    // An encoded line break would begin another header.
    let escapes = value.split('%').skip(1);
    let is_printable_escape = |escape: &str| {
        let code = escape.get(..2).filter(|code| code.bytes().all(|it| it.is_ascii_hexdigit()));
        code.and_then(|code| u8::from_str_radix(code, 16).ok())
            .is_some_and(|byte| !byte.is_ascii_control())
    };
    must(
        escapes.into_iter().all(is_printable_escape),
        "has a % that begins no printable percent-encoded byte; write a % itself as %25",
    )
}

/// A host's name or address, IPv6 without brackets.
pub(super) fn host(text: &str) -> Result<(), String> {
    let is_host = is_name_or_ipv4(text) || text.parse::<Ipv6Addr>().is_ok();
    must(is_host, "must be a host name or an address")
}

fn is_name_or_ipv4(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        consists(label, LABEL_MAX_BYTES, is_allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= HOST_MAX_BYTES
        && text.split('.').all(is_label)
        && (!is_numeric || text.parse::<Ipv4Addr>().is_ok())
}

/// Datadog's site: `datadoghq.com`, `us5.datadoghq.com`.
pub(super) fn site(text: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-'
    };
    let is_site = consists(text, HOST_MAX_BYTES, is_allowed) && is_name_or_ipv4(text);
    must(is_site, "must be a host name of a-z, 0-9, . and - such as datadoghq.com")
}

/// The parts of an http or https URL that is nothing but scheme, host, port and path.
pub(super) struct PlainUrl<'a> {
    is_https: bool,
    /// Host and port.
    pub(super) authority: &'a str,
    host: &'a str,
}

impl<'a> PlainUrl<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let https = text.strip_prefix("https://");
        let rest = https.or_else(|| text.strip_prefix("http://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match in_brackets {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_name_or_ipv4(host),
        };
        let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/+:".contains(&byte);
        let is_plain = is_host
            && port.is_none_or(|port| number::<65535>(port).is_ok())
            && path.bytes().all(is_path)
            && text.len() <= URL_MAX_BYTES;
        is_plain.then_some(Self { is_https: https.is_some(), authority, host })
    }

    fn is_loopback(&self) -> bool {
        let is_loopback_v4 = |host: &str| host.parse().is_ok_and(|it: Ipv4Addr| it.is_loopback());
        ["localhost", "[::1]"].contains(&self.host) || is_loopback_v4(self.host)
    }

    /// Whether nobody on the way can read what is sent.
    pub(super) fn is_private(&self) -> bool {
        self.is_https || self.is_loopback()
    }
}

const PLAIN_URL: &str =
    "must be an http:// or https:// URL of host, port and path alone, without credentials";

/// An http or https URL.
pub(super) fn url(text: &str) -> Result<(), String> {
    must(PlainUrl::parse(text).is_some(), PLAIN_URL)
}

/// An https URL; http only where it does not leave this host.
pub(super) fn private_url(text: &str) -> Result<(), String> {
    let url = PlainUrl::parse(text).ok_or(PLAIN_URL)?;
    must(url.is_private(), "must be an https:// URL; http:// only reaches this host (localhost)")
}

/// http or https URLs separated by commas, without spaces.
pub(super) fn urls(text: &str) -> Result<(), String> {
    let mut count = 0;
    for item in text.split(',') {
        url(item)?;
        count += 1;
    }
    must(count <= URLS_MAX, &format!("must hold at most {URLS_MAX} URLs"))
}

/// A name without spaces, as RFC 5424 has it for an application.
pub(super) fn program_name(text: &str) -> Result<(), String> {
    must(
        consists(text, 48, is_graphic),
        "must be 1 to 48 printable ASCII characters without spaces, quotes, $ and \\",
    )
}

/// The name of an account; a colon would end it in an Authorization header.
pub(super) fn user(text: &str) -> Result<(), String> {
    must(
        consists(text, 507, |byte| is_graphic(byte) && byte != b':'),
        "must be printable ASCII without spaces, quotes, $, \\ and :",
    )
}

/// The begin of an index's name in Elasticsearch; a date follows.
pub(super) fn index_prefix(text: &str) -> Result<(), String> {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    must(
        consists(text, 200, is_allowed) && !text.starts_with(['-', '_', '.']),
        "must be 1 to 200 of a-z, 0-9, . _ and -, beginning with a letter or digit",
    )
}

/// An index of Splunk.
pub(super) fn splunk_index(text: &str) -> Result<(), String> {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    must(
        consists(text, 80, is_allowed) && !text.starts_with(['-', '_']),
        "must be 1 to 80 of a-z, 0-9, _ and -, beginning with a letter or digit",
    )
}

fn is_log_group_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_/.#-".contains(&byte)
}

/// A log group of CloudWatch.
pub(super) fn log_group(text: &str) -> Result<(), String> {
    must(
        consists(text, 512, is_log_group_byte) && !text.starts_with("aws/"),
        "must be 1 to 512 of letters, digits, _ / . # and -, and not begin with aws/",
    )
}

/// A log stream of CloudWatch. AWS refuses `:` and `*` alone; what YAML would read is refused too.
pub(super) fn log_stream(text: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| is_log_group_byte(byte) || b"=@+[]".contains(&byte);
    must(
        consists(text, 512, is_allowed),
        "must be 1 to 512 of letters, digits and _ / . # - = @ + [ ]",
    )
}

/// A region of AWS: `eu-central-1`.
pub(super) fn aws_region(text: &str) -> Result<(), String> {
    let mut parts: Vec<&str> = text.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    let is_word = |part: &&str| consists(part, 16, |byte| byte.is_ascii_lowercase());
    let is_region = parts.len() >= 2
        && parts.iter().all(is_word)
        && consists(number, 2, |byte| byte.is_ascii_digit());
    must(is_region, "must be a region such as eu-central-1")
}

/// The path of a readable file of certificates or a key.
pub(super) fn pem_file(path: &str) -> Result<(), String> {
    pem(path).map(|_| ())
}

/// The content of such a file.
pub(super) fn pem(path: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(PEM_MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    must(bytes.len() as u64 <= PEM_MAX_BYTES, "is larger than 1 MiB")?;
    let marker: &[u8] = b"-----BEGIN ";
    must(bytes.windows(marker.len()).any(|it| it == marker), "is no PEM file")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_form(form: Form, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert_eq!(form(text), Ok(()), "{text:?}");
        }
        for text in wrong {
            assert!(form(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn urls_are_scheme_host_port_and_path() {
        let right = [
            "http://h",
            "https://a-b.c_d:65535/x/y%20z",
            "http://[::1]:9200/",
            "https://127.0.0.1",
        ];
        let wrong = [
            "h",
            "ftp://h",
            "https://",
            "https://u@h",
            "https://h:0",
            "https://h:65536",
            "https://h:",
            "https://h?q",
            "https://h/?q",
            "https://h#f",
            "https://h/ x",
            "https://h/\"",
            "https://h\n",
            "https://[::1",
            "https://::1",
            "https://300.1.1.1",
            "https://-h",
            "HTTPS://h",
            "https://h/$x",
        ];
        assert_form(url, &right, &wrong);
        assert_form(urls, &["http://a,https://b:1"], &["http://a, http://b", "http://a,", ""]);
        let plain =
            ["http://h", "http://localhost.evil.example", "http://128.0.0.1", "http://[::2]"];
        let private = ["https://h", "http://localhost:1/x", "http://127.9.9.9", "http://[::1]:80"];
        assert_form(private_url, &private, &plain);
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        let right = ["logs1.papertrailapp.com", "my_syslog", "192.0.2.1", "2001:db8::1", "H"];
        let wrong = ["", "a b", "a..b", ".a", "a.", "-a", "192.0.2", "[::1]", "h:514", "http://h"];
        assert_form(host, &right, &wrong);
        assert_form(host, &[], &[&"a".repeat(64), &["a".repeat(62).as_str(); 5].join(".")]);
        assert_form(
            site,
            &["datadoghq.eu", "ddog-gov.com"],
            &["Datadoghq.com", "a_b", "a/b", "10.1"],
        );
    }

    #[test]
    fn header_lists_cannot_begin_another_header() {
        let right = ["a=b", "authorization=Basic%20Zm9v==,X-Scope.Org_ID=1", "a=\"$b\""];
        let wrong = [
            "",
            "a",
            "a=",
            "=b",
            "a=b,",
            "a=b,A=c",
            "a b=c",
            "a:=c",
            "a=b\r\nc",
            "a=%0d%0Ax=y",
            "a=%7F",
            "a=1%",
            "a=%zz",
            "a= b",
            "a=é",
            "a=%é1",
        ];
        assert_form(headers, &right, &wrong);
        let many: Vec<_> = (0..=HEADERS_MAX).map(|number| format!("h{number}=1")).collect();
        assert_form(headers, &[&many[1..].join(",")], &[&many.join(",")]);
    }

    #[test]
    fn secrets_are_one_line_without_spaces_around() {
        let right = ["k", "pass phrase", "${env:HOME}", "\"'", "é"];
        assert_form(
            secret,
            &right,
            &["", " k", "k ", "k\t", "a\nb", "a\u{7f}", "a\u{85}b", "\u{fffd}"],
        );
        assert_form(secret, &[&"k".repeat(SECRET_MAX_BYTES)], &[&"k".repeat(SECRET_MAX_BYTES + 1)]);
    }

    #[test]
    fn numbers_have_no_sign_and_no_leading_zero() {
        assert_form(
            number::<10>,
            &["1", "10"],
            &["0", "11", "-1", "+1", "01", "1.0", "", "1 ", "٣"],
        );
        assert_form(percent, &["0", "1", "100"], &["101", "00", "-1", "0.5", "1%", "", " 1"]);
        assert_form(digits, &["0123"], &["", "12a", "123456789012345678901"]);
    }

    #[test]
    fn names_cannot_leave_the_yaml_that_they_are_written_into() {
        for form in [program_name, user, index_prefix, splunk_index, log_group, log_stream] {
            let wrong = ["", "a\"b", "a'b", "a$b", "a\\b", "a\nb", "a b", "a`b", "é", "a\u{1b}"];
            assert_form(form, &["a", "a1-b"], &wrong);
        }
        assert_form(index_prefix, &["a.b_c"], &["-a", "_a", ".a", "+a", "A", &"a".repeat(201)]);
        assert_form(splunk_index, &["main"], &["_internal", "a.b"]);
        assert_form(log_group, &["/aws/x#1.y", "a"], &["aws/x", "a:b", "a*"]);
        assert_form(log_stream, &["2026/11/25/[1]x"], &["a:b", "a*"]);
        assert_form(
            aws_region,
            &["eu-central-1", "us-gov-west-1"],
            &["eu", "eu-1", "EU-west-1", "eu-west-"],
        );
        assert_form(program_name, &["a/b[1]"], &[&"a".repeat(49)]);
        assert_form(user, &["a@b"], &["a:b"]);
    }

    #[test]
    fn names_of_fields_are_different_and_no_patterns() {
        let longest = "a".repeat(FIELD_NAME_MAX_BYTES);
        let right = ["jail", "jail,client_ip,http.route,_,0", &longest];
        let wrong = ["", ",", "a,", ",a", "a,,b", "a, b", "a,a", "A", "a|b", "a*", "a-b", "é"];
        assert_form(field_names, &right, &wrong);
        let many: Vec<_> = (0..=FIELD_NAMES_MAX).map(|number| format!("f{number}")).collect();
        let longer = format!("{longest}a");
        assert_form(field_names, &[&many[1..].join(",")], &[&many.join(","), &longer]);
    }

    #[test]
    fn a_path_is_absolute_and_plain() {
        let longest = format!("/{}", "a".repeat(PATH_MAX_BYTES - 1));
        let right = ["/var/log/fail2ban.log", "/a", "//a", &longest];
        let longer = format!("{longest}a");
        let wrong = ["", "/", "fail2ban.log", "./a", "/a b", "/a*", "/${env:HOME}", "/é", &longer];
        assert_form(plain_path, &right, &wrong);
    }

    #[test]
    fn a_pem_file_is_readable_and_says_what_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_form(pem_file, &[], &["/no/such/file", "/", path]);
        std::fs::write(path, "text\n-----BEGIN CERTIFICATE-----\n").unwrap();
        assert_form(pem_file, &[path], &[]);
    }
}
