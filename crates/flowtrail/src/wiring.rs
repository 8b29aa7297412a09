//! Store, tracker and runner, put together.

use std::time::Duration;

use flowtrail_http::{App, AppOptions};
use flowtrail_mcp::UpstreamCaller;
use flowtrail_runner::{Runner, RunnerOptions, Secrets};
use flowtrail_store_diesel::open_store;
use flowtrail_tracker::{Options, Redactor, Tracker};
use tokio::runtime::Handle;

use crate::failure::Doing;
use crate::{Config, Failure, admin_key, logging};

/// Store, tracker and runner over one configuration.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Records and answers.
    pub tracker: Tracker,
    /// Runs flows.
    pub runner: Runner,
    /// The first administrator's key, if it was made just now.
    pub new_admin_key: Option<String>,
    /// On which runtime flows run, when that was told.
    runtime: Option<Handle>,
}

/// What the process is going to do with the database.
#[derive(Debug, Clone)]
pub enum Access {
    /// Serve for long: look after what times out and what other processes do.
    Serve {
        /// Whether the schema may be brought up to date.
        migrate: bool,
        /// On which runtime flows run.
        runtime: Handle,
    },
    /// One command that changes something.
    Write,
    /// Record what passes until told to stop.
    Record,
    /// One command that only reads: it changes no schema and makes no database, no user and no key.
    Read,
    /// The same, while watching what other processes do until told to stop.
    Watch,
}

impl Access {
    /// Whether the schema may be brought up to date, and the database made.
    fn migrates(&self) -> bool {
        match self {
            Self::Serve { migrate, .. } => *migrate,
            Self::Write | Self::Record => true,
            Self::Read | Self::Watch => false,
        }
    }

    fn only_reads(&self) -> bool {
        matches!(self, Self::Read | Self::Watch)
    }
}

impl Wiring {
    /// Opens the database and puts everything together.
    ///
    /// # Errors
    ///
    /// When the database cannot be used, or a configured value cannot.
    pub fn open(config: &Config, access: Access) -> Result<Self, Failure> {
        let (tracker, new_admin_key) = open_tracker(config, &access)?;
        let runtime = match access {
            Access::Serve { runtime, .. } => Some(runtime),
            Access::Write | Access::Record | Access::Read | Access::Watch => None,
        };
        let runner = Runner::new(
            tracker.clone(),
            RunnerOptions {
                secrets: Secrets::with_rules(config.secrets.clone(), config.secrets_unrestricted),
                allow_private_addresses: config.allow_private_addresses,
                default_timeout: config.execution_timeout,
                runtime: runtime.clone(),
                user_share: config.user_share,
                script_worker: config.script_worker.clone(),
                upstreams: Some(std::sync::Arc::new(UpstreamCaller::new(config.upstreams.clone()))),
                ..RunnerOptions::default()
            },
        );
        Ok(Self { tracker, runner, new_admin_key, runtime })
    }

    /// The HTTP application over this.
    #[must_use]
    pub fn app(&self, config: &Config) -> App {
        App::new(
            self.runner.clone(),
            AppOptions {
                max_body: config.max_body,
                memory: config.memory,
                user_share: config.user_share,
                allowed_hosts: config.allowed_hosts.clone(),
                allowed_origins: config.allowed_origins.clone(),
                rate_limit: config.rate_limit,
                upstreams: config.upstreams.clone(),
                max_upstream_processes: config.max_upstream_processes,
                mcp_session_idle: config.mcp_session_idle,
                input_timeout: config.input_timeout,
                runtime: self.runtime.clone(),
            },
        )
    }
}

/// Opens the database and makes a tracker over it; with the first administrator's key, if that was made just now.
///
/// # Errors
///
/// When the database cannot be used, or a configured value cannot.
pub(crate) fn open_tracker(config: &Config, access: &Access) -> Result<(Tracker, Option<String>), Failure> {
    let redactor = || {
        let secrets = config.secrets.iter().map(|(name, (value, _))| (name.as_str(), value.as_str()));
        Redactor::new(secrets).map_err(Failure::new)
    };
    logging::hide(redactor()?);
    let store = open_store(&config.database, access.migrates())?;
    let options = Options {
        redactor: redactor()?,
        max_payload: config.max_payload,
        max_nodes: config.max_nodes,
        execution_timeout: config.execution_timeout,
        housekeeping: match access {
            Access::Serve { .. } | Access::Record | Access::Watch => Some(Duration::from_millis(200)),
            Access::Write | Access::Read => None,
        },
        upkeep: matches!(access, Access::Serve { .. }),
        retention: config.retention,
        audit_retention: config.audit_retention,
        max_disk: config.max_disk,
        record_rejected: config.record_rejected,
        ..Options::default()
    };
    let tracker = Tracker::with_options(store, options)?;
    let new_admin_key = if access.only_reads() { None } else { ensure_admin_key(&tracker, config)? };
    Ok((tracker, new_admin_key))
}

/// Makes sure that there is an administrator with a key. A new one is in `admin.key` before the database knows
/// it: whatever happens in between, the next start finds it there.
fn ensure_admin_key(tracker: &Tracker, config: &Config) -> Result<Option<String>, Failure> {
    let path = config.data_dir.join(admin_key::FILE);
    admin_key::check(&path).doing(format_args!("cannot use {}", path.display()))?;
    if config.admin_key.is_some() || tracker.has_admin_key()? {
        tracker.ensure_admin_key(config.admin_key.as_deref())?;
        return Ok(None);
    }
    let key = admin_key::keep(&path, &Tracker::random_key()?)
        .doing(format_args!("cannot write {}", path.display()))?;
    tracker.ensure_admin_key(Some(&key))?;
    Ok(Some(key))
}
