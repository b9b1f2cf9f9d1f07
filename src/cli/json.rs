//! Messages as JSON, with the names and forms of the JSON API.

use serde_json::{Value, json};

use super::values::{source, time};
use crate::proto::v1::watch_response::Event;
use crate::proto::v1::{
    Ban, BanResponse, Collector, GetAddressHistoryResponse, HistoryEntry, Jail, Status,
    TelemetryExport, WatchResponse,
};

pub(super) fn ban(ban: &Ban) -> Value {
    json!({
        "jail": ban.jail,
        "ip": ban.ip,
        "banned_at": time(ban.banned_at.as_ref()),
        "expires_at": time(ban.expires_at.as_ref()),
        "reason": ban.reason,
    })
}

/// The answer to a ban: the ban, and whether it was in force before.
pub(super) fn banned(answer: &BanResponse) -> Value {
    let mut value = ban(&answer.ban.clone().unwrap_or_default());
    value["already_banned"] = json!(answer.already_banned);
    value
}

fn jail(jail: &Jail) -> Value {
    json!({
        "name": jail.name,
        "currently_banned": jail.currently_banned,
        "total_banned": jail.total_banned,
        "currently_failed": jail.currently_failed,
        "total_failed": jail.total_failed,
    })
}

pub(super) fn status(status: &Status) -> Value {
    let fail2ban = status.fail2ban.clone().unwrap_or_default();
    let list = fail2ban.list.unwrap_or_default();
    let log = fail2ban.log.clone().unwrap_or_default();
    let telemetry = status.telemetry.clone().unwrap_or_default();
    json!({
        "fail2ban": {
            "connected": fail2ban.connected,
            "version": fail2ban.version,
            "since": time(fail2ban.since.as_ref()),
            "error": fail2ban.error,
            "sources": {
                "list": { "healthy": list.healthy, "age_seconds": list.age_seconds },
                "log": { "healthy": log.healthy, "path": log.path, "error": log.error },
            },
        },
        "jails": status.jails,
        "bans": status.bans,
        "bans_24h": status.bans_24h,
        "telemetry": {
            "export": match telemetry.export() {
                TelemetryExport::Grpc => "grpc",
                TelemetryExport::HttpProtobuf => "http/protobuf",
                TelemetryExport::Off | TelemetryExport::Unspecified => "off",
            },
            "endpoint": telemetry.endpoint,
            "healthy": telemetry.healthy,
            "collector": telemetry.collector.as_ref().map(collector),
        },
        "links": { "jaeger": status.jaeger_url },
        "version": status.version,
        "started_at": time(status.started_at.as_ref()),
        "uptime_seconds": status.uptime_seconds,
    })
}

fn collector(collector: &Collector) -> Value {
    let destinations = collector.destinations.iter().map(|it| {
        json!({
            "name": it.name,
            "queue_size": it.queue_size,
            "queue_capacity": it.queue_capacity,
            "sent": it.sent,
            "failed": it.failed,
            "dropped": it.dropped,
            "failing": it.failing,
            "error_type": it.error_type,
        })
    });
    json!({
        "reachable": collector.reachable,
        "error": collector.error,
        "destinations": destinations.collect::<Vec<_>>(),
    })
}

fn entry(entry: &HistoryEntry) -> Value {
    json!({
        "jail": entry.jail,
        "ip": entry.ip,
        "banned_at": time(entry.banned_at.as_ref()),
        "expires_at": time(entry.expires_at.as_ref()),
        "unbanned_at": time(entry.unbanned_at.as_ref()),
        "source": source(entry.source()),
        "reason": entry.reason,
        "actor": entry.actor,
        "correlation_id": entry.correlation_id,
        "unban_source": source(entry.unban_source()),
        "unban_actor": entry.unban_actor,
    })
}

pub(super) fn history(history: &GetAddressHistoryResponse) -> Value {
    let bans = history.in_force.as_ref();
    json!({
        "ip": history.ip,
        "bans": bans.map(|it| it.bans.iter().map(ban).collect::<Vec<_>>()),
        "items": history.entries.iter().map(entry).collect::<Vec<_>>(),
        "next": Some(&history.next_page_token).filter(|token| !token.is_empty()),
    })
}

/// An event: its id, its kind, and the data that `/api/events` has for it.
pub(super) fn event(message: &WatchResponse) -> Value {
    let (kind, data) = match &message.event {
        Some(Event::Ban(event)) => {
            let mut data = ban(&event.ban.clone().unwrap_or_default());
            data["is_correction"] = json!(event.is_correction);
            data["source"] = json!(source(event.source()));
            data["correlation_id"] = json!(event.correlation_id);
            ("ban", data)
        }
        Some(Event::Unban(event)) => {
            let data = json!({
                "jail": event.jail,
                "ip": event.ip,
                "source": source(event.source()),
                "correlation_id": event.correlation_id,
            });
            ("unban", data)
        }
        Some(Event::Jails(event)) => {
            ("jail", json!({ "items": event.jails.iter().map(jail).collect::<Vec<_>>() }))
        }
        Some(Event::Status(event)) => ("status", status(&event.status.clone().unwrap_or_default())),
        Some(Event::Missed(_)) => ("reset", json!({})),
        // A newer service tells of more.
        None => ("unknown", json!({})),
    };
    json!({ "id": message.id, "event": kind, "data": data })
}
