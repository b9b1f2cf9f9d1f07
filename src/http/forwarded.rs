//! What proxies say about where a request came from: `Forwarded` (RFC 7239) and
//! `X-Forwarded-For`, each as a list of hops from the nearest to the farthest.
//!
//! A hop that is not told as an address (`unknown`, an obfuscated identifier, anything malformed)
//! is `None`: whoever walks the list must stop there.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;

/// More proxies in a row than anybody has; what is further away is not looked at.
const HOPS_MAX: usize = 16;

/// The hops that the headers tell, nearest first.
///
/// A proxy writes one of the two headers and passes the other on as its client sent it. Which one
/// it writes cannot be seen from here, so when both are there, only hops in which they agree are
/// told: a client can then hide behind its proxy, but not pose as somebody else.
pub(super) fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let is_there = |name| headers.contains_key(name);
    match (is_there("forwarded"), is_there("x-forwarded-for")) {
        (false, false) => vec![],
        (true, false) => forwarded(headers),
        (false, true) => x_forwarded_for(headers),
        (true, true) => {
            let both = forwarded(headers).into_iter().zip(x_forwarded_for(headers));
            both.map(|(one, other)| one.filter(|_| one == other)).collect()
        }
    }
}

fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let hops = values.flat_map(|value| {
        // A value that is no text is a hop that tells nothing, not one that is not there.
        value.to_str().unwrap_or_default().rsplit(',')
    });
    hops.take(HOPS_MAX).map(|hop| node(hop.trim())).collect()
}

fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let mut hops = Vec::new();
    for value in headers.get_all("forwarded").iter().rev() {
        // A line is read from its left, because only so a comma within quotes is known as such.
        match value.to_str().ok().and_then(elements) {
            Some(elements) => hops.extend(elements.into_iter().rev()),
            None => hops.push(None),
        }
        if hops.len() >= HOPS_MAX || hops.last() == Some(&None) {
            break;
        }
    }
    hops.truncate(HOPS_MAX);
    hops
}

/// The `for` of each element of one line; nothing unless the whole line is well formed, because a
/// quote that a client left open would swallow what its proxy wrote after it.
fn elements(mut rest: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut elements = Vec::new();
    let mut own: Option<String> = None;
    loop {
        let (name, after) = rest.trim_start_matches([' ', '\t']).split_once('=')?;
        let (value, after) = value(after)?;
        if !is_token(name) {
            return None;
        }
        if name.eq_ignore_ascii_case("for") && own.replace(value).is_some() {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t']);
        if let Some(next) = rest.strip_prefix(';') {
            rest = next;
            continue;
        }
        elements.push(own.take().and_then(|text| bracketed_node(&text)));
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.is_empty().then_some(elements),
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return is_token(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut symbols = quoted.char_indices();
    while let Some((at, symbol)) = symbols.next() {
        match symbol {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(symbols.next()?.1),
            symbol => value.push(symbol),
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_symbol)
}

/// A node of `Forwarded`, where an IPv6 address always stands in brackets.
fn bracketed_node(text: &str) -> Option<IpAddr> {
    node(text).filter(|address| address.is_ipv4() || text.starts_with('['))
}

/// An address, with or without a port. The port is of no use, but it has to be one.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return Some(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)).filter(|_| is_whole);
    }
    let address = match text.split_once(':') {
        Some((address, port)) if is_port(port) => address.parse().map(IpAddr::V4).ok(),
        _ => None,
    };
    address.or_else(|| text.parse().ok())
}

/// A number, or an obfuscated port as RFC 7239 has it.
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(hidden) => is_token(hidden),
        None => text.bytes().all(|it| it.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(lines: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let shown = |hop: Option<IpAddr>| hop.map_or("?".to_owned(), |hop| hop.to_string());
        hops(&headers).into_iter().map(shown).collect()
    }

    fn of_forwarded(value: &str) -> Vec<String> {
        told(&[("forwarded", value)])
    }

    #[test]
    fn the_examples_of_rfc_7239_are_read() {
        assert_eq!(of_forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"), ["192.0.2.60"]);
        assert_eq!(of_forwarded("For=\"[2001:db8:cafe::17]:4711\""), ["2001:db8:cafe::17"]);
        assert_eq!(
            of_forwarded("for=192.0.2.43, for=198.51.100.17"),
            ["198.51.100.17", "192.0.2.43"]
        );
        let three = "for=192.0.2.43,for=\"[2001:db8::1]\",for=unknown";
        assert_eq!(of_forwarded(three), ["?", "2001:db8::1", "192.0.2.43"]);
        assert_eq!(of_forwarded("for=_hidden, for=_SEVKISEK"), ["?", "?"]);
        assert_eq!(of_forwarded("for=\"192.0.2.43:47011\";host=\"a, b\""), ["192.0.2.43"]);
        assert_eq!(of_forwarded("for=\"192.0.2.43:_gazonk\""), ["192.0.2.43"]);
        assert_eq!(of_forwarded("by=\"a \\\" , b\" ; for=192.0.2.43"), ["192.0.2.43"]);
        assert_eq!(of_forwarded("proto=https"), ["?"], "a hop that does not say from where");
    }

    #[test]
    fn a_malformed_line_tells_nothing() {
        for line in [
            "",
            "192.0.2.43",
            "for=",
            "for=192.0.2.43,",
            "for=192.0.2.43;;proto=http",
            "for=2001:db8::1",
            "for=\"2001:db8::1\"",
            "for=\"192.0.2.43:x\"",
            "for=\"192.0.2.43:70000\"",
            "for=\"[192.0.2.43]\"",
            "for=192.0.2.43;for=192.0.2.44",
            // A client's open quote, and what its proxy wrote after it.
            "for=198.51.100.66;by=\", for=192.0.2.43",
            "for=198.51.100.66;by=\", for=\"[2001:db8::1]\"",
        ] {
            assert_eq!(of_forwarded(line), ["?"], "{line}");
        }
        let lines = [("forwarded", "for=\"open"), ("forwarded", "for=192.0.2.43")];
        assert_eq!(told(&lines), ["192.0.2.43", "?"], "the nearest line is whole");
    }

    #[test]
    fn x_forwarded_for_has_addresses_with_and_without_ports() {
        let list = "192.0.2.1,192.0.2.2:80, 2001:db8::1 ,[2001:db8::2],[2001:db8::3]:443,x,:80,";
        assert_eq!(
            told(&[("x-forwarded-for", list)]),
            ["?", "?", "?", "2001:db8::3", "2001:db8::2", "2001:db8::1", "192.0.2.2", "192.0.2.1"]
        );
    }

    #[test]
    fn both_headers_tell_only_what_they_agree_on() {
        let both = |one, other| told(&[("forwarded", one), ("x-forwarded-for", other)]);
        assert_eq!(both("for=192.0.2.1", "192.0.2.1"), ["192.0.2.1"]);
        assert_eq!(
            both("for=192.0.2.9, for=192.0.2.1", "192.0.2.8, 192.0.2.1"),
            ["192.0.2.1", "?"]
        );
        assert_eq!(both("for=198.51.100.66", "192.0.2.1"), ["?"]);
        assert_eq!(both("for=unknown", "192.0.2.1"), ["?"]);
    }

    #[test]
    fn no_more_hops_are_looked_at_than_anybody_has() {
        let many = vec!["for=192.0.2.1"; 1000].join(",");
        assert_eq!(of_forwarded(&many).len(), HOPS_MAX);
        let many = vec!["192.0.2.1"; 1000].join(",");
        assert_eq!(told(&[("x-forwarded-for", &many)]).len(), HOPS_MAX);
    }
}
