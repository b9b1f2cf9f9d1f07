//! `bangui healthcheck`: asks the running service on this host, for containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::{Environment, HealthSettings};
use crate::fetch;

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;
/// A service that needs longer is not healthy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_MAX_BYTES: usize = 64 * 1024;

pub(super) fn run() -> ExitCode {
    let settings = match HealthSettings::read(Environment::of_process()) {
        Ok(settings) => settings,
        Err(problems) => {
            super::tell_problems(&problems);
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let scheme = if settings.has_tls { "https" } else { "http" };
    let url = format!("{scheme}://{}/health", reachable(settings.listen));
    let answer = super::blocking(async {
        match settings.has_tls {
            true => fetch::get_unverified(&url, ANSWER_TIMEOUT, ANSWER_MAX_BYTES).await,
            false => fetch::get(&url, ANSWER_TIMEOUT, ANSWER_MAX_BYTES).await,
        }
    });
    match answer {
        Ok(Ok(answer)) if answer.status.is_success() => {
            super::print(String::from_utf8_lossy(&answer.body).trim_end())
        }
        Ok(Ok(answer)) => super::fail(&format_args!("{url} answered {}", answer.status)),
        Ok(Err(error)) => super::fail(&format_args!("{url}: {error}")),
        Err(error) => super::fail(&error),
    }
}

/// Who listens everywhere is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
