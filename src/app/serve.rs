//! `bangui serve`: logging, settings, parts, announce, serve, drain — in that order.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::audit::Audit;
use crate::auth::Auth;
use crate::collector::{Collector, OwnLog};
use crate::config::Settings;
use crate::edge::{Services, Site};
use crate::fail2ban::{Client, Limits};
use crate::history::History;
use crate::http::{self, Server};
use crate::jails::Jails;
use crate::lock::SchedulerLock;
use crate::scheduler::{self, Task};
use crate::settings::LogSettings;
use crate::store::Store;
use crate::telemetry::{self, Telemetry, span};

/// After the drain, changes that are under way, the journal and the outbox have so long to finish.
const LAST_STEPS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end waits for what cannot be interrupted, as a look-up of a host's name.
const THREADS_TIMEOUT: Duration = Duration::from_secs(1);

/// Errors of the start, each with its own text.
type StartError = Box<dyn std::error::Error + Send + Sync>;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(settings: Settings) -> ExitCode {
    // Telemetry starts before the runtime, because its http exporter must not be built inside one.
    let telemetry = match Telemetry::start(settings.log, &settings.export) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            telemetry::startup_failed(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let instance_id = telemetry.instance_id().to_owned();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(StartError::from)
        .and_then(|runtime| {
            let result = runtime.block_on(serve(settings, instance_id));
            runtime.shutdown_timeout(THREADS_TIMEOUT);
            result
        });
    if let Err(error) = &result {
        tracing::error!(name: "startup_failed", critical = true, error = %error);
    }
    telemetry.shutdown();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn serve(settings: Settings, instance_id: String) -> Result<(), StartError> {
    let started = Instant::now();
    let stop = CancellationToken::new();
    let listen = settings.listen;
    let has_destinations = settings.external.is_enabled && settings.export.logs.is_some();
    telemetry::metrics::watch_runtime(&Handle::current());
    tokio::spawn(scheduler::watch_process_always(stop.clone()));
    let client = Client::spawn(&settings.fail2ban_socket, Limits::default());
    let parts = assemble(settings, instance_id, client.clone(), stop.clone())
        .instrument(span::root(tracing::info_span!("startup")))
        .await?;
    let Parts { store, audit, history, tasks, services } = parts;
    let server = Server::bind(listen, services.clone()).await?;
    stop_on_signal(stop.clone())?;
    tracing::info!(name: "bangui_ready", address = %server.address()?);

    // The journal and the outbox outlive all that writes into them, so they are stopped last.
    let stop_tellers = CancellationToken::new();
    let journal = tokio::spawn(history.clone().write_journal(stop_tellers.clone()));
    let outbox = tokio::spawn(scheduler::tell_audit_always(audit, stop_tellers.clone()));
    // What others notice is news for the pages alone, so nobody waits for it at the end.
    tokio::spawn(scheduler::hear_peers_always(history.clone(), stop.clone()));
    let watch = tokio::spawn(scheduler::watch_always(client, history, stop.clone()));
    if has_destinations {
        // Nothing is lost with the last of them, so nobody waits for it.
        tokio::spawn(scheduler::send_canaries_always(stop.clone()));
    }
    let lock = services.lock.clone();
    let tasks = tokio::spawn(scheduler::run_tasks(lock, tasks, stop.clone()));
    http::serve(server, stop).await;
    let last_steps = async {
        services.jails.finish_changes().await;
        services.log_settings.finish_changes().await;
        // A lost task has told of its panic.
        let _ = watch.await;
        let _ = tasks.await;
        stop_tellers.cancel();
        let _ = journal.await;
        let _ = outbox.await;
        store.close().await;
    };
    if timeout(LAST_STEPS_TIMEOUT, last_steps).await.is_err() {
        tracing::error!(
            name: "bangui_stop_timed_out",
            timeout_seconds = LAST_STEPS_TIMEOUT.as_secs(),
        );
    }
    tracing::info!(name: "bangui_stopped", uptime_seconds = started.elapsed().as_secs());
    Ok(())
}

/// What the service is made of.
struct Parts {
    store: Store,
    audit: Audit,
    history: History,
    tasks: Vec<Task>,
    services: Arc<Services>,
}

async fn assemble(
    settings: Settings,
    instance_id: String,
    client: Client,
    stop: CancellationToken,
) -> Result<Parts, StartError> {
    announce(&settings);
    let store = super::open_store(&settings).await?;
    let history = History::start(client.clone(), store.clone()).await?;
    let audit = Audit::new(store.clone());
    let jails = Jails::start(client, history.clone(), audit.clone()).await?;
    let auth = Auth::start(
        store.clone(),
        audit.clone(),
        settings.data_dir.clone(),
        settings.admin_password.clone(),
        settings.api_token.clone(),
    )
    .await?;
    let log_settings = LogSettings::start(audit.clone(), settings.log.level);
    let lock = SchedulerLock::new(store.clone(), settings.scheduler_lease_seconds)?;
    let cleanup_interval = Duration::from_secs(settings.session_cleanup_seconds.into());
    let tasks = vec![scheduler::remove_expired_sessions(auth.clone(), cleanup_interval)];
    let collector = Collector::new(settings.collector_metrics_url.clone());
    let collector_log = OwnLog::new(settings.collector_log_url.clone());
    let site = site(settings, instance_id);
    let services = Services {
        auth,
        jails,
        history: history.clone(),
        log_settings,
        lock,
        collector,
        collector_log,
        site,
        stop,
    };
    Ok(Parts { store, audit, history, tasks, services: Arc::new(services) })
}

fn announce(settings: &Settings) {
    let database_path = match &settings.database_url {
        Some(url) => url.to_string(),
        None => settings.database_path.display().to_string(),
    };
    tracing::info!(
        name: "bangui_starting_up",
        database_path,
        pid = std::process::id(),
        version = env!("CARGO_PKG_VERSION"),
    );
    for name in &settings.unknown {
        tracing::warn!(name: "config_unknown_variable", variable = name.as_str());
    }
    if !settings.https && !settings.listen.ip().is_loopback() {
        tracing::warn!(name: "config_plain_http", address = %settings.listen);
    }
    let by_service = settings.export.summary.unencrypted.iter().cloned();
    for name in by_service.chain(settings.external.unencrypted()) {
        tracing::warn!(name: "config_telemetry_unencrypted", variable = name.as_str());
    }
}

fn site(settings: Settings, instance_id: String) -> Site {
    let export = settings.export;
    Site {
        https: settings.https,
        trusted_proxies: settings.trusted_proxies,
        log_client_ip: settings.log_client_ip,
        quiet_endpoints: settings.quiet_endpoints,
        metrics_upstream_url: settings.metrics_upstream_url,
        instance_id,
        jaeger_query_url: settings.jaeger_query_url,
        jaeger_ui_url: settings.jaeger_ui_url,
        export: export.traces.or(export.metrics).or(export.logs),
        export_endpoint: export.endpoint,
        started_at: Timestamp::now(),
        started: Instant::now(),
    }
}

/// A signal begins the drain, which has a time limit of its own.
fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(name: "bangui_shutting_down", signal = name);
        stop.cancel();
    });
    Ok(())
}
