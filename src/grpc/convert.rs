//! From what the use cases tell to the messages of the contract.

use crate::config::Protocol;
use crate::domain::{ExplainedEntry, JailStatus};
use crate::edge::calls::AddressHistory;
use crate::edge::{clean, status};
use crate::history::{FROM_LIST, FROM_LOG, FROM_OPERATOR, Held};
use crate::jails::JailDetail;
use crate::proto::v1::{
    Ban, BansInForce, Collector, Destination, EventSource, Fail2ban, GetAddressHistoryResponse,
    GetJailResponse, HistoryEntry, Jail, ListSource, LockHealth, LogSource, Status, Telemetry,
    TelemetryExport,
};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// A point in time. The message counts nanoseconds upwards, before 1970 too.
fn time(at: jiff::Timestamp) -> prost_types::Timestamp {
    let nanos = at.as_nanosecond();
    prost_types::Timestamp {
        seconds: i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).unwrap_or_default(),
        nanos: i32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).unwrap_or_default(),
    }
}

/// A point in time of the store; nothing for one that no calendar has.
fn seconds(at: i64) -> Option<prost_types::Timestamp> {
    jiff::Timestamp::from_second(at).ok().map(time)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What told of an event.
pub(super) fn source(name: &str) -> EventSource {
    match name {
        FROM_LIST => EventSource::List,
        FROM_LOG => EventSource::Log,
        FROM_OPERATOR => EventSource::Operator,
        _ => EventSource::Unspecified,
    }
}

impl From<&Held> for Ban {
    fn from(held: &Held) -> Self {
        Self {
            jail: held.ban.jail.to_string(),
            ip: held.ban.ip.to_string(),
            banned_at: Some(time(held.ban.banned_at)),
            expires_at: held.ban.expires_at.map(time),
            reason: held.reason.clone().map(clean),
        }
    }
}

impl From<ExplainedEntry> for HistoryEntry {
    fn from(row: ExplainedEntry) -> Self {
        let ExplainedEntry { entry, actor, unban_source, unban_actor } = row;
        Self {
            jail: entry.jail,
            ip: entry.ip,
            banned_at: seconds(entry.banned_at),
            expires_at: entry.expires_at.and_then(seconds),
            unbanned_at: entry.unbanned_at.and_then(seconds),
            source: source(&entry.source).into(),
            reason: entry.reason.map(clean),
            actor,
            correlation_id: entry.correlation_id,
            unban_source: source(unban_source.as_deref().unwrap_or_default()).into(),
            unban_actor,
        }
    }
}

impl From<AddressHistory> for GetAddressHistoryResponse {
    fn from(found: AddressHistory) -> Self {
        let in_force = |bans: Vec<Held>| BansInForce { bans: bans.iter().map(Ban::from).collect() };
        Self {
            ip: found.ip.to_string(),
            in_force: found.bans.map(in_force),
            entries: found.entries.into_iter().map(Into::into).collect(),
            next_page_token: found.next.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<&JailStatus> for Jail {
    fn from(status: &JailStatus) -> Self {
        Self {
            name: status.name.to_string(),
            currently_banned: status.currently_banned,
            total_banned: status.total_banned,
            currently_failed: status.currently_failed,
            total_failed: status.total_failed,
        }
    }
}

impl From<JailDetail> for GetJailResponse {
    fn from(detail: JailDetail) -> Self {
        Self {
            jail: Some(Jail::from(&detail.status)),
            bantime_seconds: detail.bantime_seconds,
            findtime_seconds: detail.findtime_seconds,
            maxretry: detail.maxretry,
            file_list: detail.status.file_list,
        }
    }
}

impl From<status::LockHealth> for LockHealth {
    fn from(lock: status::LockHealth) -> Self {
        Self {
            locked: lock.locked,
            pid: lock.pid,
            hostname: lock.hostname,
            age_seconds: lock.age_seconds,
            is_stale: lock.is_stale,
            ttl_remaining_seconds: lock.ttl_remaining,
        }
    }
}

impl From<status::Collector> for Collector {
    fn from(collector: status::Collector) -> Self {
        let destination = |it: status::Destination| Destination {
            name: it.counts.name,
            queue_size: it.counts.queue_size,
            queue_capacity: it.counts.queue_capacity,
            sent: it.counts.sent,
            failed: it.counts.failed,
            dropped: it.counts.dropped,
            failing: it.failing,
            error_type: it.error_type,
        };
        Self {
            reachable: collector.reachable,
            error: collector.error,
            destinations: collector.destinations.into_iter().map(destination).collect(),
        }
    }
}

impl From<status::Status> for Status {
    fn from(state: status::Status) -> Self {
        let (link, telemetry) = (state.fail2ban, state.telemetry);
        let (list, log) = (link.sources.list, link.sources.log);
        let mut export = Telemetry {
            endpoint: telemetry.endpoint,
            healthy: telemetry.healthy,
            collector: telemetry.collector.map(Into::into),
            ..Telemetry::default()
        };
        export.set_export(match telemetry.export {
            name if name == Protocol::Grpc.as_str() => TelemetryExport::Grpc,
            name if name == Protocol::HttpProtobuf.as_str() => TelemetryExport::HttpProtobuf,
            _ => TelemetryExport::Off,
        });
        Self {
            fail2ban: Some(Fail2ban {
                connected: link.connected,
                version: link.version,
                since: Some(time(link.since)),
                error: link.error,
                list: Some(ListSource { healthy: list.healthy, age_seconds: list.age_seconds }),
                log: Some(LogSource { healthy: log.healthy, path: log.path, error: log.error }),
            }),
            jails: count(state.jails),
            bans: count(state.bans),
            bans_24h: state.bans_24h.and_then(|bans| u64::try_from(bans).ok()),
            telemetry: Some(export),
            jaeger_url: state.links.jaeger,
            version: state.version.to_owned(),
            started_at: Some(time(state.started_at)),
            uptime_seconds: state.uptime_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_count_upwards_from_the_second_before() {
        let at = jiff::Timestamp::from_nanosecond(-1).unwrap();
        assert_eq!(time(at), prost_types::Timestamp { seconds: -1, nanos: 999_999_999 });
    }
}
