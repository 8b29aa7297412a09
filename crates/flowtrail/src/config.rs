//! Configuration: flags, then environment, then file, then defaults.

mod file;
mod values;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use flowtrail_http::AppOptions;
use flowtrail_mcp::proxy::Upstream;
use flowtrail_runner::{SecretRules, WorkerProgram};
use flowtrail_store_diesel::{DatabaseUrl, InvalidDatabaseUrl};
use flowtrail_types::{Age, Retention};
use serde::Deserialize;

use crate::secrets::{self, SecretSettings};
use crate::{UpstreamSettings, memory};
use file::{default_data_dir, read_file};
use values::{Percent, Size, Span};

/// What flags and environment say, and in the same words the file.
#[derive(Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address to listen on; port 0 picks one [default: 127.0.0.1:8080]
    #[arg(long, env = "FLOWTRAIL_LISTEN", value_name = "ADDR", global = true)]
    pub listen: Option<String>,
    /// Where flowtrail.db and admin.key are [default: the platform's data folder]
    #[arg(long, env = "FLOWTRAIL_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// The database [default: sqlite://DATA_DIR/flowtrail.db]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,
    /// The first administrator's API key [default: made at the first start]
    #[arg(long, env = "FLOWTRAIL_ADMIN_KEY", value_name = "KEY", global = true, hide_env_values = true)]
    pub admin_key: Option<String>,
    /// How long an execution may take when its flow does not say [default: 5m]
    #[arg(long, env = "FLOWTRAIL_EXECUTION_TIMEOUT", value_name = "DURATION", global = true)]
    pub execution_timeout: Option<Span>,
    /// How long a call of another MCP server's tool may wait for an answer to what it asks, or for a task without a time
    /// to live [default: 24h]
    #[arg(long, env = "FLOWTRAIL_INPUT_TIMEOUT", value_name = "DURATION", global = true)]
    pub input_timeout: Option<Span>,
    /// Idle time after which an MCP session ends: without a request in flight and without an open stream
    /// [default: 15m]
    #[arg(long, env = "FLOWTRAIL_MCP_SESSION_IDLE", value_name = "DURATION", global = true)]
    pub mcp_session_idle: Option<Span>,
    /// The most processes of other MCP servers that run for a user [default: 32]
    #[arg(long, env = "FLOWTRAIL_MAX_UPSTREAM_PROCESSES", value_name = "NUMBER", global = true)]
    pub max_upstream_processes: Option<NonZeroUsize>,
    /// The memory for requests and answers in progress [default: a quarter of the machine's, 512MiB at most]
    #[arg(long, env = "FLOWTRAIL_MEMORY", value_name = "SIZE", global = true)]
    pub memory: Option<Size>,
    /// Share of each limited resource that one user may have [default: 50%]
    #[arg(long, env = "FLOWTRAIL_USER_SHARE", value_name = "PERCENT", global = true)]
    pub user_share: Option<Percent>,
    /// The largest request body [default: 16MiB]
    #[arg(long, env = "FLOWTRAIL_MAX_BODY", value_name = "SIZE", global = true)]
    pub max_body: Option<Size>,
    /// The most bytes of one payload that are stored [default: 1MiB]
    #[arg(long, env = "FLOWTRAIL_MAX_PAYLOAD", value_name = "SIZE", global = true)]
    pub max_payload: Option<Size>,
    /// The most node executions of an execution: reports with more are refused [default: 10000]
    #[arg(long, env = "FLOWTRAIL_MAX_NODES", value_name = "NUMBER", global = true)]
    pub max_nodes: Option<NonZeroUsize>,
    /// The most bytes that the database may take on disk: the oldest executions are deleted to stay below it
    /// [default: none]
    #[arg(long, env = "FLOWTRAIL_MAX_DISK", value_name = "SIZE", global = true)]
    pub max_disk: Option<Size>,
    /// How many executions are kept of all flows without rules of their own [default: all]
    #[arg(long, env = "FLOWTRAIL_RETENTION_COUNT", value_name = "NUMBER", global = true)]
    pub retention_count: Option<u64>,
    /// How long executions are kept, for example 30d [default: for ever]
    #[arg(long, env = "FLOWTRAIL_RETENTION_AGE", value_name = "AGE", global = true)]
    pub retention_age: Option<Age>,
    /// How long failed executions are kept [default: as long as others]
    #[arg(long, env = "FLOWTRAIL_RETENTION_ERROR_AGE", value_name = "AGE", global = true)]
    pub retention_error_age: Option<Age>,
    /// How many bytes the data of executions may take as it is stored [default: any]
    #[arg(long, env = "FLOWTRAIL_RETENTION_BYTES", value_name = "SIZE", global = true)]
    pub retention_bytes: Option<Size>,
    /// How long entries of the audit log are kept, for example 400d [default: for ever]
    #[arg(long, env = "FLOWTRAIL_AUDIT_RETENTION", value_name = "AGE", global = true)]
    pub audit_retention: Option<Age>,
    /// Host names that MCP answers to, separated by commas [default: localhost,127.0.0.1,::1]
    #[arg(long, env = "FLOWTRAIL_ALLOWED_HOSTS", value_name = "HOSTS", value_delimiter = ',', global = true)]
    pub allowed_hosts: Option<Vec<String>>,
    /// Origins of web pages that may call the API and MCP, separated by commas [default: none]
    #[arg(
        long,
        env = "FLOWTRAIL_ALLOWED_ORIGINS",
        value_name = "ORIGINS",
        value_delimiter = ',',
        global = true
    )]
    pub allowed_origins: Option<Vec<String>>,
    /// How many requests a second each key may send [default: any number]
    #[arg(long, env = "FLOWTRAIL_RATE_LIMIT", value_name = "NUMBER", global = true)]
    pub rate_limit: Option<NonZeroU32>,
    /// Whether flows may call private and loopback addresses [default: false; true in demo]
    #[arg(
        long,
        env = "FLOWTRAIL_ALLOW_PRIVATE_ADDRESSES",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        global = true
    )]
    pub allow_private_addresses: Option<bool>,
    /// Whether calls are recorded that are rejected: of unknown or inactive tools, or with wrong arguments [default: false]
    #[arg(
        long,
        env = "FLOWTRAIL_RECORD_REJECTED",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        global = true
    )]
    pub record_rejected: Option<bool>,
    /// Lets secrets stand in every template, as in the first edition. For one edition [default: false]
    #[arg(long, env = "FLOWTRAIL_SECRETS_UNRESTRICTED", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", global = true)]
    pub secrets_unrestricted: Option<bool>,
    /// Values for `{{ secrets.NAME }}` in flows; in the environment FLOWTRAIL_SECRET_NAME.
    #[arg(skip)]
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSettings>,
    /// Other MCP servers by name: for `McpTool` nodes, and to stand in front of at `/mcp/NAME`.
    #[arg(skip)]
    #[serde(default)]
    pub upstreams: BTreeMap<String, UpstreamSettings>,
}

impl Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file says something that is not known, or not in a form that is known.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// A secret that cannot be used. The reason does not hold its value.
    #[error("{0}")]
    Secret(String),
    /// The database's address is none.
    #[error("DATABASE_URL: {0}")]
    Database(#[from] InvalidDatabaseUrl),
    /// An origin that no browser would name so.
    #[error("FLOWTRAIL_ALLOWED_ORIGINS: expected origins like https://app.example, got {0:?}")]
    NoOrigin(String),
    /// A memory budget that leaves no room for a few bodies.
    #[error(
        "FLOWTRAIL_MEMORY: {memory} bytes are less than four times FLOWTRAIL_MAX_BODY, which is {max_body} bytes: give it more, \
         or lower the other"
    )]
    MemoryTooSmall {
        /// The budget, in bytes.
        memory: usize,
        /// The largest body, in bytes.
        max_body: usize,
    },
    /// A ceiling of the disk that leaves no room to work.
    #[error("FLOWTRAIL_MAX_DISK: expected at least 32MiB: less has no room for a batch and the log")]
    DiskTooSmall,
    /// A ceiling of the disk on a database whose files do not shrink.
    #[error(
        "FLOWTRAIL_MAX_DISK: PostgreSQL's files do not shrink when rows are deleted, and its log is shared, so that a ceiling \
         could not be held: leave it out there, and bound the data by FLOWTRAIL_RETENTION_BYTES"
    )]
    DiskOnPostgres,
    /// A secret's value is not text.
    #[error("FLOWTRAIL_SECRET_{0}: expected UTF-8 text")]
    SecretNotText(String),
    /// Another server is not named as it should be.
    #[error("{0}")]
    Upstream(String),
    /// The platform has no folder for data.
    #[error("this platform has no data folder: set FLOWTRAIL_DATA_DIR")]
    NoDataDir,
}

/// What was decided: everything has a value.
#[derive(Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: String,
    /// Whether the address was chosen, or is the default.
    pub listen_is_chosen: bool,
    /// Where `admin.key` is.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseUrl,
    /// The first administrator's key, if it is configured.
    pub admin_key: Option<String>,
    /// How long an execution may take when its flow does not say.
    pub execution_timeout: Duration,
    /// How long a call of another server's tool may wait for an answer to what it asks.
    pub input_timeout: Duration,
    /// Idle time after which an MCP session ends.
    pub mcp_session_idle: Duration,
    /// The most processes of other MCP servers that run for a user.
    pub max_upstream_processes: usize,
    /// Memory budget for requests and answers in progress, in bytes.
    pub memory: usize,
    /// Percentage of everything limited that one user may have.
    pub user_share: u8,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The most bytes of one payload that are stored.
    pub max_payload: usize,
    /// The most node executions of an execution.
    pub max_nodes: usize,
    /// Host names that MCP answers to.
    pub allowed_hosts: Vec<String>,
    /// Origins that may call the API and MCP.
    pub allowed_origins: Vec<String>,
    /// How many requests a second each key may send.
    pub rate_limit: Option<NonZeroU32>,
    /// Whether flows may call private and loopback addresses.
    pub allow_private_addresses: bool,
    /// Whether calls are recorded that are rejected before they run.
    pub record_rejected: bool,
    /// The most bytes that the database may take on disk.
    pub max_disk: Option<u64>,
    /// Which executions are kept of flows that have no rules of their own.
    pub retention: Retention,
    /// How long entries of the audit log are kept; for ever when absent.
    pub audit_retention: Option<Duration>,
    /// Values for `{{ secrets.NAME }}`, and who may use them where.
    pub secrets: BTreeMap<String, (String, SecretRules)>,
    /// Lets secrets stand in every template, as in the first edition.
    pub secrets_unrestricted: bool,
    /// Other MCP servers.
    pub upstreams: Vec<Upstream>,
    /// The program whose processes run the scripts of flows. No setting: whoever starts decides it.
    pub script_worker: Option<WorkerProgram>,
}

impl Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// The prefix of variables that hold secrets for flows.
const SECRET: &str = "FLOWTRAIL_SECRET_";
/// Below this there is no room for a batch and the log.
const LEAST_DISK: u64 = 32 << 20;
/// Number of the largest bodies that the memory budget must have room for.
const LEAST_BODIES: usize = 4;

impl Config {
    /// Decides, from what flags and environment say and from the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or understood, or a value cannot be used.
    pub fn decide(given: Settings, file: Option<&Path>) -> Result<Self, ConfigError> {
        let written = read_file(file, given.data_dir.as_deref())?;
        let data_dir = match given.data_dir.or(written.data_dir) {
            Some(data_dir) => data_dir,
            None => default_data_dir()?,
        };
        let database = match given.database_url.or(written.database_url) {
            Some(url) => url.parse()?,
            None => DatabaseUrl::Sqlite(data_dir.join("flowtrail.db")),
        };
        let mut secrets = written.secrets;
        secrets.extend(given.secrets);
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(SECRET)) else { continue };
            let value = value.into_string().map_err(|_| ConfigError::SecretNotText(name.to_owned()))?;
            if !name.is_empty() {
                secrets.insert(name.to_owned(), value.into());
            }
        }
        let secrets = secrets.into_iter().map(|(name, settings)| {
            let decided = settings.decide(&name)?;
            Ok((name, decided))
        });
        let secrets: BTreeMap<_, _> = secrets.collect::<Result<_, _>>().map_err(ConfigError::Secret)?;
        let values = secrets::values(&secrets);
        let mut named = written.upstreams;
        named.extend(given.upstreams);
        let upstreams = named.into_iter().map(|(name, settings)| settings.decide(&name, &values));
        let upstreams = upstreams.collect::<Result<_, _>>().map_err(ConfigError::Upstream)?;
        let bytes = |size: Option<Size>, default: usize| {
            size.map_or(default, |size| usize::try_from(size.0).unwrap_or(usize::MAX))
        };
        let max_disk = given.max_disk.or(written.max_disk);
        if max_disk.is_some_and(|size| size.0 < LEAST_DISK) {
            return Err(ConfigError::DiskTooSmall);
        }
        if max_disk.is_some() && matches!(database, DatabaseUrl::Postgres(_)) {
            return Err(ConfigError::DiskOnPostgres);
        }
        let listen = given.listen.or(written.listen);
        let defaults = AppOptions::default();
        let max_body = bytes(given.max_body.or(written.max_body), defaults.max_body);
        let memory =
            given.memory.or(written.memory).map_or_else(memory::default_budget, |size| bytes(Some(size), 0));
        if memory / LEAST_BODIES < max_body {
            return Err(ConfigError::MemoryTooSmall { memory, max_body });
        }
        Ok(Self {
            listen_is_chosen: listen.is_some(),
            listen: listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned()),
            database,
            admin_key: given.admin_key.or(written.admin_key).filter(|key| !key.is_empty()),
            execution_timeout: given
                .execution_timeout
                .or(written.execution_timeout)
                .map_or(Duration::from_secs(300), |span| span.0),
            input_timeout: given
                .input_timeout
                .or(written.input_timeout)
                .map_or(defaults.input_timeout, |span| span.0),
            mcp_session_idle: given
                .mcp_session_idle
                .or(written.mcp_session_idle)
                .map_or(defaults.mcp_session_idle, |span| span.0),
            max_upstream_processes: given
                .max_upstream_processes
                .or(written.max_upstream_processes)
                .map_or(defaults.max_upstream_processes, NonZeroUsize::get),
            memory,
            user_share: given.user_share.or(written.user_share).map_or(defaults.user_share, |share| share.0),
            max_body,
            max_nodes: given.max_nodes.or(written.max_nodes).map_or(10_000, NonZeroUsize::get),
            max_payload: bytes(given.max_payload.or(written.max_payload), 1 << 20),
            allowed_hosts: given
                .allowed_hosts
                .or(written.allowed_hosts)
                .map_or(defaults.allowed_hosts, trimmed),
            allowed_origins: origins(given.allowed_origins.or(written.allowed_origins))?,
            rate_limit: given.rate_limit.or(written.rate_limit),
            allow_private_addresses: given
                .allow_private_addresses
                .or(written.allow_private_addresses)
                .unwrap_or(false),
            record_rejected: given.record_rejected.or(written.record_rejected).unwrap_or(false),
            max_disk: max_disk.map(|size| size.0),
            retention: Retention {
                max_count: given.retention_count.or(written.retention_count),
                max_age: given.retention_age.or(written.retention_age),
                max_error_age: given.retention_error_age.or(written.retention_error_age),
                max_bytes: given.retention_bytes.or(written.retention_bytes).map(|size| size.0),
            },
            audit_retention: given.audit_retention.or(written.audit_retention).map(|age| age.0),
            secrets,
            secrets_unrestricted: given
                .secrets_unrestricted
                .or(written.secrets_unrestricted)
                .unwrap_or(false),
            upstreams,
            script_worker: None,
            data_dir,
        })
    }
}

/// The entries of a list, without what stands around them, and without empty ones.
fn trimmed(list: Vec<String>) -> Vec<String> {
    let trimmed = list.into_iter().map(|entry| entry.trim().to_owned());
    trimmed.filter(|entry| !entry.is_empty()).collect()
}

/// Origins as browsers name them.
fn origins(list: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    let is_origin = |entry: &&str| {
        entry.split_once("://").is_some_and(|(scheme, authority)| {
            let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            is_plain(scheme) && is_plain(authority) && !authority.contains(['/', '*', '?', '#', '@'])
        })
    };
    trimmed(list.unwrap_or_default())
        .into_iter()
        .map(|entry| match entry.trim_end_matches('/') {
            origin if is_origin(&origin) => Ok(origin.to_owned()),
            _ => Err(ConfigError::NoOrigin(entry)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flowtrail.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let (_folder, path) =
            file("listen = \"127.0.0.1:1\"\nexecution_timeout = \"30s\"\nmax_body = \"2MiB\"");
        let given = Settings { listen: Some("127.0.0.1:2".to_owned()), ..Settings::default() };
        let config = Config::decide(given, Some(&path)).unwrap();
        assert_eq!(config.listen, "127.0.0.1:2");
        assert_eq!(config.execution_timeout, Duration::from_secs(30));
        assert_eq!(config.max_body, 2 << 20);
        assert_eq!(config.max_payload, 1 << 20);
    }

    #[test]
    fn origins_are_what_browsers_send() {
        let told = |list: &[&str]| {
            let given = list.iter().map(|entry| (*entry).to_owned()).collect();
            origins(Some(given)).map_err(|error| error.to_string())
        };
        assert_eq!(
            told(&["https://a.example", " http://b:8080/ ", "", " "]),
            Ok(vec!["https://a.example".to_owned(), "http://b:8080".to_owned()])
        );
        for bad in ["*", "a.example", "https://a.example/path", "https://*.example", "https://", "ht tp://a"]
        {
            assert!(told(&[bad]).unwrap_err().contains("FLOWTRAIL_ALLOWED_ORIGINS"), "{bad}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_and_a_secret_is_not_shown() {
        let (_folder, path) = file("[secrets]\nSHOP = \"hunter2\"\n\n[server]\nport = 1");
        let error = Config::decide(Settings::default(), Some(&path)).unwrap_err().to_string();
        assert!(error.contains("server"), "{error}");
        let (_folder, path) = file("admin_key = \"hunter2\"\nmax_body = \"much\"");
        let error = Config::decide(Settings::default(), Some(&path)).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("16MiB") && !error.contains("hunter2"), "{error}");
    }
}
