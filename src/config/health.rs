//! The settings of `bangui healthcheck`: where the service listens and whether it speaks TLS there.
//!
//! Nothing else of the service's environment has to be right, least of all what is read from files:
//! a certificate's renewal that went wrong is kept away from the running service, and must not make
//! it unhealthy either, since whoever restarts it then would find that it cannot start.

use std::net::SocketAddr;

use super::{Environment, Problem, listen, served_tls};

/// Settings of the command.
#[derive(Debug, Clone, Copy)]
pub struct HealthSettings {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Whether it speaks TLS there.
    pub has_tls: bool,
}

impl HealthSettings {
    /// Reads both, or tells what is wrong with them.
    pub fn read(mut env: Environment) -> Result<Self, Vec<Problem>> {
        let settings = Self { listen: listen(&mut env), has_tls: served_tls::is_asked_for(&env) };
        let problems = env.into_problems();
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}
