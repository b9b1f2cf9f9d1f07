//! Secrets known by their shape, whatever stands before them.

use super::flat::{Found, Replacement};
use super::rules::Rule;
use super::scan::Hit;
use super::value::{bare_end, is_masked, is_space};

/// The identifier behind `AKIA` has 16 characters.
const AWS_ID_BYTES: usize = 16;

/// The shortest part of a web token that is taken for one: `{}` alone encodes to three.
const MIN_JWT_PART_BYTES: usize = 5;

/// A word this long behind `Bearer` is no word.
const MIN_BEARER_BYTES: usize = 20;

/// The shortest word with a digit that is taken for a bearer token.
const MIN_BEARER_WITH_DIGIT_BYTES: usize = 8;

/// A user name this long, with digits in it, is a token.
const MIN_USER_TOKEN_BYTES: usize = 20;

/// A part this long between the hyphens of a user name is no word.
const MIN_RANDOM_PART_BYTES: usize = 16;

/// No hash of a password is longer.
const MAX_HASH_BYTES: usize = 512;

/// The part of such a hash that is no parameter: the shortest in use has 43 characters, and half
/// of one is still worth an attack.
const MIN_HASH_PART_BYTES: usize = 22;

/// How far an `@` is looked for behind a slash in a password that should have been encoded.
const MAX_RAW_PASSWORD_BYTES: usize = 256;

/// `AKIAIOSFODNN7EXAMPLE`: all but the prefix.
pub(super) fn find_aws_key(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    let start = hit.start + hit.len;
    if !matches!(&bytes[hit.start..start], b"AKIA" | b"ASIA") {
        return None;
    }
    let part_of_id = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let run = bytes[start..].iter().take_while(|byte| part_of_id(byte)).count();
    let rule = Rule::AwsAccessKey;
    (run >= AWS_ID_BYTES).then(|| Found { start, end: start + run, with: Replacement::Mask, rule })
}

/// Finds web tokens and remembers where it has looked, as `eyJeyJeyJ…` hits at every third byte.
#[derive(Default)]
pub(super) struct Jwts {
    searched: usize,
}

impl Jwts {
    /// `eyJhbGciOi….eyJzdWIi….c2lnbmF0dXJl` that stands alone.
    pub(super) fn find(&mut self, text: &str, hit: &Hit, floor: usize) -> Option<Found> {
        let bytes = text.as_bytes();
        let start = hit.start;
        let inside = start > floor && bytes[start - 1].is_ascii_alphanumeric();
        if inside || start < self.searched || !bytes[start..].starts_with(b"eyJ") {
            return None;
        }
        let first = start + base64url_len(&bytes[start..]);
        self.searched = first;
        if first - start < MIN_JWT_PART_BYTES || bytes.get(first) != Some(&b'.') {
            return None;
        }
        let second = first + 1 + base64url_len(&bytes[first + 1..]);
        self.searched = second;
        if second - first - 1 < MIN_JWT_PART_BYTES {
            return None;
        }
        let mut end = second;
        while bytes.get(end) == Some(&b'.') && base64url_len(&bytes[end + 1..]) > 0 {
            end += 1 + base64url_len(&bytes[end + 1..]);
        }
        Some(Found { start, end, with: Replacement::Mask, rule: Rule::Jwt })
    }
}

fn base64url_len(bytes: &[u8]) -> usize {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    bytes.iter().take_while(|byte| part(byte)).count()
}

/// `Bearer X` outside of a header; prose such as `Bearer authentication` stays.
pub(super) fn find_bearer(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    let start = hit.start + hit.len;
    if hit.start > 0 && bytes[hit.start - 1].is_ascii_alphanumeric() {
        return None;
    }
    let end = bare_end(bytes, start);
    let token = &text[start..end];
    if is_masked(token) {
        return Some(Found { start, end, with: Replacement::Kept, rule: Rule::Authorization });
    }
    let has_digit = token.bytes().any(|byte| byte.is_ascii_digit());
    let long = token.len() >= MIN_BEARER_BYTES
        || (has_digit && token.len() >= MIN_BEARER_WITH_DIGIT_BYTES);
    long.then_some(Found { start, end, with: Replacement::Mask, rule: Rule::Authorization })
}

/// `$argon2id$v=19$m=1,t=2,p=1$salt$X`: all but what tells the algorithm.
pub(super) fn find_crypt_hash(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'$');
    if hit.start > 0 && part(bytes[hit.start - 1]) {
        return None;
    }
    let limit = bytes.len().min(hit.start + MAX_HASH_BYTES);
    let is_hash = |byte: &&u8| part(**byte) || matches!(**byte, b'=' | b',' | b'+' | b'-');
    let len = bytes[hit.start..limit].iter().take_while(is_hash).count();
    let hash = text.get(hit.start..hit.start + len)?.trim_end_matches([',', '=']);
    let prefix = 2 + hash.get(1..)?.find('$')?;
    let is_long = hash[prefix..].split('$').any(|part| part.len() >= MIN_HASH_PART_BYTES);
    let (start, end) = (hit.start + prefix, hit.start + hash.len());
    is_long.then_some(Found { start, end, with: Replacement::Mask, rule: Rule::CryptHash })
}

/// `scheme://user:X@host`, and `scheme://X@host` where the user is a token.
pub(super) fn find_userinfo(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    if hit.start == 0 || !bytes[hit.start - 1].is_ascii_alphanumeric() {
        return None;
    }
    let start = hit.start + hit.len;
    let authority = start + authority_len(&bytes[start..]);
    let last_at = memchr::memrchr(b'@', &bytes[start..authority]).map(|at| start + at);
    if let Some(end) = last_at
        && is_user_token(&text[start..end])
    {
        return Some(Found { start, end, with: Replacement::Mask, rule: Rule::UrlUserinfo });
    }
    let colon = start + memchr::memchr(b':', &bytes[start..authority])?;
    let at = match last_at {
        Some(at) => at,
        None => raw_password_end(bytes, colon + 1, authority)?,
    };
    if at <= colon + 1 {
        return None;
    }
    let with = if is_masked(&text[colon + 1..at]) { Replacement::Kept } else { Replacement::Mask };
    Some(Found { start: colon + 1, end: at, with, rule: Rule::UrlUserinfo })
}

/// Tells a token from a name: `deploy-user-production-01` is long and has digits too.
fn is_user_token(user: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if user.len() < MIN_USER_TOKEN_BYTES || !user.bytes().all(part) {
        return false;
    }
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let is_random = |part: &str| part.len() >= MIN_RANDOM_PART_BYTES && digits(part) > 0;
    digits(user) * 6 >= user.len() || user.split(['-', '_']).any(is_random)
}

/// The part of a URL that can hold a host and what stands before it.
fn authority_len(bytes: &[u8]) -> usize {
    let len = bytes.iter().take_while(|byte| !ends_url(**byte) && !is_delimiter(**byte)).count();
    // A backslash before a quote or an escaped end of line belongs to what surrounds the URL.
    match bytes[..len].iter().position(|byte| *byte == b'\\') {
        Some(at) if at + 1 == len || matches!(bytes[at + 1], b'n' | b'r' | b't' | b'\\') => at,
        _ => len,
    }
}

/// A password with a raw `/`, `?` or `#`: what stands before it is then no port.
fn raw_password_end(bytes: &[u8], start: usize, authority: usize) -> Option<usize> {
    let delimited = bytes.get(authority).is_some_and(|byte| is_delimiter(*byte));
    if !delimited || bytes[start..authority].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let limit = bytes.len().min(authority + MAX_RAW_PASSWORD_BYTES);
    let rest = &bytes[authority..limit];
    let len = rest.iter().take_while(|byte| !ends_url(**byte) && **byte != b'\\').count();
    Some(authority + memchr::memrchr(b'@', &rest[..len])?)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#')
}

fn ends_url(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
}
