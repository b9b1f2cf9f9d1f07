//! `BANGUI_BLOCKLIST_*`: where lists of addresses may come from, and when an import is slow.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::{Environment, seconds};

const DIR: &str = "BANGUI_BLOCKLIST_DIR";
const SLOW_SECONDS: RangeInclusive<u32> = 1..=24 * 3600;

/// The settings of blocklists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlocklistSettings {
    /// Below which folder lists may lie as files; none may without it.
    pub dir: Option<PathBuf>,
    /// Whether lists may come from private networks and this host.
    pub allow_private_sources: bool,
    /// After how long an import is told to be slow.
    pub slow_seconds: u32,
}

impl BlocklistSettings {
    pub(super) fn read(env: &mut Environment) -> Self {
        let dir = env.text(DIR).map(PathBuf::from);
        if dir.as_ref().is_some_and(|dir| !dir.is_absolute()) {
            env.problem(DIR, "must be an absolute path");
        }
        Self {
            dir,
            allow_private_sources: env.boolean("BANGUI_BLOCKLIST_ALLOW_PRIVATE_SOURCES", false),
            slow_seconds: seconds(env, "BANGUI_BLOCKLIST_SLOW_SECONDS", 300, SLOW_SECONDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_sources_are_refused_and_files_are_not_read_by_default() {
        let read = |pairs: &[(&str, &str)]| {
            let mut env = Environment::from_pairs(pairs.iter().copied());
            (BlocklistSettings::read(&mut env), env.into_problems().len())
        };
        let (settings, problems) = read(&[]);
        assert_eq!((settings.dir, settings.allow_private_sources, problems), (None, false, 0));
        assert_eq!(read(&[(DIR, "lists")]).1, 1);
        assert_eq!(read(&[("BANGUI_BLOCKLIST_SLOW_SECONDS", "0")]).1, 1);
    }
}
