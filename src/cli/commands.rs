//! What each command asks, and what it makes of the answer.

use super::arguments::Command;
use super::call::{Kind, Service};
use super::failure::Failure;
use super::output::Out;
use super::{json, text};
use crate::proto::v1::ban_service_client::BanServiceClient;
use crate::proto::v1::history_service_client::HistoryServiceClient;
use crate::proto::v1::status_service_client::StatusServiceClient;
use crate::proto::v1::watch_service_client::WatchServiceClient;
use crate::proto::v1::{
    BanRequest, GetAddressHistoryRequest, GetStatusRequest, ListBansRequest, UnbanRequest,
    WatchRequest,
};

/// As much of a history as one answer holds; a person reads less.
const HISTORY_ENTRIES: i32 = 1000;

/// Runs a command to its end.
pub(super) async fn run(service: &Service, command: Command, is_json: bool) -> Result<(), Failure> {
    let mut out = Out::new();
    match command {
        Command::Status => status(service, is_json, &mut out).await?,
        Command::Bans { jail, query } => {
            bans(service, ListBansRequest { jail, query }, is_json, &mut out).await?;
        }
        Command::Ban { jail, ip, reason } => {
            ban(service, BanRequest { jail, ip, reason }, is_json, &mut out).await?;
        }
        Command::Unban { jail, ip } => {
            unban(service, UnbanRequest { jail, ip }, is_json, &mut out).await?;
        }
        Command::Watch { after } => watch(service, after, is_json, &mut out).await?,
        Command::Why { ip } => why(service, ip, is_json, &mut out).await?,
    }
    Ok(out.flush()?)
}

async fn status(service: &Service, is_json: bool, out: &mut Out) -> Result<(), Failure> {
    let method = "bangui.v1.StatusService/GetStatus";
    let call = |channel, request| async move {
        StatusServiceClient::new(channel).get_status(request).await
    };
    let answer = service.ask(method, Kind::Look, GetStatusRequest {}, call).await?;
    let status = answer.status.unwrap_or_default();
    match is_json {
        true => out.json(&json::status(&status))?,
        false => text::status(out, &status)?,
    }
    Ok(())
}

/// Writes bans while they come, so that a long list needs no memory. Nothing is written before
/// the first one is there: a refusal leaves standard output empty.
async fn bans(
    service: &Service,
    request: ListBansRequest,
    is_json: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let method = "bangui.v1.BanService/ListBans";
    let call =
        |channel, request| async move { BanServiceClient::new(channel).list_bans(request).await };
    let mut stream = service.listen(method, false, request, call).await?;
    let mut table = text::bans();
    let mut separator = "[";
    while let Some(message) = stream.next().await? {
        let ban = message.ban.unwrap_or_default();
        if is_json {
            out.raw(separator)?;
            out.raw("\n")?;
            out.raw(&super::output::json(&json::ban(&ban)))?;
            separator = ",";
        } else {
            table.row(out, text::ban_row(&ban))?;
        }
    }
    match (is_json, separator) {
        (true, "[") => out.raw("[]\n")?,
        (true, _) => out.raw("\n]\n")?,
        (false, _) => table.end(out)?,
    }
    Ok(())
}

async fn ban(
    service: &Service,
    request: BanRequest,
    is_json: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let method = "bangui.v1.BanService/Ban";
    let call = |channel, request| async move { BanServiceClient::new(channel).ban(request).await };
    let answer = service.ask(method, Kind::Change, request, call).await?;
    match is_json {
        true => out.json(&json::banned(&answer))?,
        false => text::banned(out, &answer)?,
    }
    Ok(())
}

async fn unban(
    service: &Service,
    request: UnbanRequest,
    is_json: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let UnbanRequest { jail, ip } = request.clone();
    let method = "bangui.v1.BanService/Unban";
    let call =
        |channel, request| async move { BanServiceClient::new(channel).unban(request).await };
    service.ask(method, Kind::Change, request, call).await?;
    match is_json {
        true => out.json(&serde_json::json!({ "jail": jail, "ip": ip }))?,
        false => text::unbanned(out, &jail, &ip)?,
    }
    Ok(())
}

/// Tells events until the stream ends, which it does only with a failure or the service's stop.
async fn watch(
    service: &Service,
    after_id: String,
    is_json: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let method = "bangui.v1.WatchService/Watch";
    let call =
        |channel, request| async move { WatchServiceClient::new(channel).watch(request).await };
    let request = WatchRequest { after_id };
    let mut stream = service.listen(method, true, request, call).await?;
    while let Some(message) = stream.next().await? {
        match is_json {
            true => out.json(&json::event(&message))?,
            false => text::event(out, &message)?,
        }
        out.flush()?;
    }
    Ok(())
}

async fn why(service: &Service, ip: String, is_json: bool, out: &mut Out) -> Result<(), Failure> {
    let method = "bangui.v1.HistoryService/GetAddressHistory";
    let call = |channel, request| async move {
        HistoryServiceClient::new(channel).get_address_history(request).await
    };
    let request =
        GetAddressHistoryRequest { ip, page_size: HISTORY_ENTRIES, page_token: String::new() };
    let history = service.ask(method, Kind::Look, request, call).await?;
    match is_json {
        true => out.json(&json::history(&history))?,
        false => text::history(out, &history)?,
    }
    Ok(())
}
