//! A PostgreSQL server for the tests: found, installed where that can be done, started once for all of them.

use std::path::Path;

use crate::debian;
use crate::testing::{PostgresError, PostgresServer};

/// Where the tests find a server. A person who sets it has one already.
const SERVER: &str = "FLOWTRAIL_TEST_POSTGRES";

/// Set to 1, a test that finds no server fails.
const REQUIRED: &str = "FLOWTRAIL_TEST_POSTGRES_REQUIRED";

/// What Debian's packages read before they make a cluster, which nobody needs here.
const CLUSTERS: &str = "/etc/postgresql-common/createcluster.conf";

/// Where the tests have their databases.
pub(crate) enum Postgres {
    /// In a server that somebody else has started.
    Told,
    /// In one that ends with this value.
    Own(PostgresServer),
    /// Nowhere, and why.
    Missing(String),
}

impl Postgres {
    /// Brings a server, in the way that works here. One that is installed and does not start is an error.
    pub(crate) fn bring() -> Result<Self, String> {
        if let Ok(url) = std::env::var(SERVER)
            && !url.is_empty()
        {
            println!("── PostgreSQL: the tests use the server that {SERVER} names");
            return Ok(Self::Told);
        }
        let server = match start() {
            Err(PostgresError::NotInstalled) => match install() {
                Ok(()) => start(),
                Err(reason) => {
                    let missing = Self::Missing(reason);
                    missing.say_what_is_skipped();
                    return Ok(missing);
                }
            },
            tried => tried,
        };
        let server = server.map_err(|error| format!("PostgreSQL for the tests: {error}"))?;
        println!("── PostgreSQL: a server for the tests is at {}", server.url());
        Ok(Self::Own(server))
    }

    /// The variables that the tests need.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let required = (REQUIRED, "1".to_owned());
        match self {
            Self::Told => vec![required],
            Self::Own(server) => vec![(SERVER, server.url()), required],
            Self::Missing(_) => Vec::new(),
        }
    }

    /// Says what the tests leave out, if they leave out anything, so that nobody can miss it.
    pub(crate) fn say_what_is_skipped(&self) {
        let Self::Missing(reason) = self else { return };
        let line = "═".repeat(80);
        println!("{line}");
        println!("  SKIPPED: every test on PostgreSQL");
        println!("  No PostgreSQL server is installed, and {reason}.");
        println!("  What these tests check has NOT been checked: the store on PostgreSQL.");
        println!();
        println!("  Install it, for example:  apt-get install postgresql");
        println!("  or name a server:         {SERVER}=postgres://user@127.0.0.1/postgres");
        println!("{line}");
    }
}

/// One server for all test processes: to start one for each would take longer than the tests.
fn start() -> Result<PostgresServer, PostgresError> {
    PostgresServer::builder().setting("max_connections", "400").start()
}

/// Installs Debian's packages, or says why not.
fn install() -> Result<(), String> {
    debian::can_install()?;
    println!("── PostgreSQL: not installed, so it is installed now");
    keep_clusters_away()?;
    debian::install(&["postgresql", "postgresql-contrib"])
}

/// Keeps the packages from making and starting a cluster of their own, unless somebody has decided that before.
fn keep_clusters_away() -> Result<(), String> {
    let path = Path::new(CLUSTERS);
    if path.exists() {
        return Ok(());
    }
    println!("── {CLUSTERS}: create_main_cluster = false");
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, "create_main_cluster = false\n"))
        .map_err(|error| format!("{CLUSTERS} cannot be written ({error})"))
}
