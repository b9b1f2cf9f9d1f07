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

use crate::audit::{Audit, Changes};
use crate::auth::Auth;
use crate::blocklists::{self, Blocklists};
use crate::collector::{Collector, OwnLog};
use crate::config::{Schedules, Settings};
use crate::edge::{Services, Site};
use crate::fail2ban::{Client, Limits};
use crate::history::History;
use crate::http::{self, Server};
use crate::jails::Jails;
use crate::lock::SchedulerLock;
use crate::scheduler::{self, Retention, SelfCheck, Task};
use crate::settings::LogSettings;
use crate::store::{self, OnCorruption, Store};
use crate::tasks::Tasks;
use crate::telemetry::metrics::Certificate;
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
    let (listen, tls) = (settings.listen, settings.tls.clone());
    let has_collector = settings.export.logs.is_some() || settings.export.metrics.is_some();
    let has_destinations = settings.external.is_enabled && settings.export.logs.is_some();
    let self_check = self_check(&settings, has_destinations, instance_id.clone());
    telemetry::metrics::watch_runtime(&Handle::current());
    tokio::spawn(scheduler::watch_process_always(stop.clone()));
    let client = Client::spawn(&settings.fail2ban_socket, Limits::default());
    let parts = assemble(settings, instance_id, client.clone(), stop.clone())
        .instrument(span::root(tracing::info_span!("startup")))
        .await?;
    let Parts { store, changes, history, tasks, services } = parts;
    let server = Server::bind(listen, tls, services.clone()).await?;
    stop_on_signal(stop.clone())?;
    tokio::spawn(stop_on_corruption(store.clone(), stop.clone()));
    tracing::info!(name: "bangui_ready", address = %server.address()?);
    super::ready::tell()?;

    // The journal and the outbox outlive all that writes into them, so they are stopped last.
    let stop_tellers = CancellationToken::new();
    let journal = tokio::spawn(history.clone().write_journal(stop_tellers.clone()));
    let outbox =
        tokio::spawn(scheduler::tell_audit_always(changes.audit().clone(), stop_tellers.clone()));
    // What others notice is news for the pages alone, so nobody waits for it at the end.
    tokio::spawn(scheduler::hear_peers_always(history.clone(), stop.clone()));
    let watch = tokio::spawn(scheduler::watch_always(client, history, stop.clone()));
    if has_destinations {
        // Nothing is lost with the last of them, so nobody waits for it.
        tokio::spawn(scheduler::send_canaries_always(stop.clone()));
    }
    tokio::spawn(scheduler::check_telemetry_always(self_check, stop.clone()));
    if has_collector {
        let collector = services.collector.clone();
        tokio::spawn(scheduler::watch_destinations_always(collector, stop.clone()));
    }
    let (lock, runs) = (services.lock.clone(), services.tasks.runs());
    let tasks = tokio::spawn(scheduler::run_tasks(lock, runs, tasks, stop.clone()));
    http::serve(server, stop).await;
    let is_corrupted = store.is_corrupted();
    let last_steps = async {
        changes.finish().await;
        services.blocklists.finish_imports().await;
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
    // Whoever starts services starts this one anew, and the file is looked at before it serves.
    if is_corrupted { Err("the database is corrupted".into()) } else { Ok(()) }
}

/// A damaged database takes what is written and loses it: better a short absence.
async fn stop_on_corruption(store: Store, stop: CancellationToken) {
    stop.run_until_cancelled(store.corrupted()).await;
    stop.cancel();
}

/// What the service is made of.
struct Parts {
    store: Store,
    changes: Changes,
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
    let store = open_store(&settings).await?;
    let history = History::start(client.clone(), store.clone()).await?;
    let audit = Audit::new(store.clone());
    audit.take_over().await?;
    let changes = Changes::new(audit.clone());
    let blocklists = Blocklists::new(
        client.clone(),
        history.clone(),
        changes.clone(),
        store.clone(),
        blocklist_options(&settings),
        stop.clone(),
    );
    let jails = Jails::new(client, history.clone(), changes.clone());
    let auth = Auth::start(
        store.clone(),
        audit.clone(),
        settings.data_dir.clone(),
        settings.admin_password.clone(),
        settings.api_token.clone(),
    )
    .await?;
    let log_settings = LogSettings::start(changes.clone(), settings.log.level);
    let lock = SchedulerLock::new(store.clone(), settings.scheduler_lease_seconds)?;
    let tasks = tasks(&settings, &auth, &history, &audit, &blocklists);
    let known = tasks.iter().map(Task::known).collect();
    let task_runs = Tasks::new(store.clone(), lock.clone(), changes.clone(), known);
    let collector = Arc::new(Collector::new(settings.collector_metrics_url.clone()));
    let collector_log = OwnLog::new(settings.collector_log_url.clone());
    let site = site(settings, instance_id);
    let services = Services {
        auth,
        blocklists,
        jails,
        history: history.clone(),
        log_settings,
        lock,
        tasks: task_runs,
        collector,
        collector_log,
        site,
        stop,
    };
    Ok(Parts { store, changes, history, tasks, services: Arc::new(services) })
}

/// Opens the database that the settings name; a file is looked at first.
async fn open_store(settings: &Settings) -> Result<Store, store::Error> {
    if let Some(database) = &settings.database_url {
        return Store::open_postgres(&database.url).await;
    }
    let on_corruption = match settings.maintenance.set_aside_corrupted_database {
        true => OnCorruption::SetAside,
        false => OnCorruption::Refuse,
    };
    Store::open_checked(&settings.database_path, on_corruption).await
}

/// What the instance with the scheduler's lock does.
fn tasks(
    settings: &Settings,
    auth: &Auth,
    history: &History,
    audit: &Audit,
    blocklists: &Blocklists,
) -> Vec<Task> {
    let retention = Retention {
        history_days: settings.maintenance.history_retention_days,
        audit_days: settings.maintenance.audit_retention_days,
    };
    let Schedules { session_cleanup, history_retention, history_sync, blocklist_refresh } =
        settings.schedules.clone();
    vec![
        scheduler::remove_expired_sessions(auth.clone(), session_cleanup),
        scheduler::remove_old_rows(history.clone(), audit.clone(), retention, history_retention),
        scheduler::sync_history(history.clone(), retention, history_sync),
        scheduler::refresh_blocklists(blocklists.clone(), blocklist_refresh),
    ]
}

fn blocklist_options(settings: &Settings) -> blocklists::Options {
    blocklists::Options {
        folder: settings.blocklists.dir.clone(),
        allow_private: settings.blocklists.allow_private_sources,
        lease_seconds: settings.scheduler_lease_seconds,
        slow_seconds: settings.blocklists.slow_seconds,
        trusted_proxies: settings.trusted_proxies.networks().to_vec(),
    }
}

fn self_check(settings: &Settings, has_canaries: bool, instance_id: String) -> SelfCheck {
    let export = &settings.export;
    SelfCheck {
        interval: Duration::from_secs(settings.maintenance.self_check_seconds.into()),
        has_export: export.is_on(),
        has_metrics: export.metrics.is_some(),
        has_canaries,
        collector_metrics_url: settings.collector_metrics_url.clone(),
        exposition_url: settings.metrics_upstream_url.clone(),
        instance_id,
    }
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
    if let Some(seconds) = settings.export.links.certificate_not_after_unix_seconds() {
        telemetry::metrics::set_certificate_not_after(Certificate::OtlpClient, seconds);
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
