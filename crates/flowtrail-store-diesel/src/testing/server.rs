//! A server in a temporary folder.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::folder::{ATTEMPTS, Folder, random};
use super::programs::{Psql, server_folder};
use super::supervisor::{Refusal, Supervisor};
use super::user::User;
use super::{PostgresError, TestDatabase};

/// Below the ports that systems give to clients and to listeners on port 0, on Linux from 32768 on: a server that is
/// stopped finds its port free when it comes back.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A PostgreSQL server on a free port of 127.0.0.1 and on a socket in its folder. It ends, and its data goes, when it
/// is dropped or the process ends.
///
/// It trusts everybody on this machine, and its time zone is not UTC, so that code which relies on the server's
/// zone fails.
#[derive(Debug)]
pub struct PostgresServer {
    supervisor: Mutex<Supervisor>,
    psql: Psql,
    port: u16,
    // The last one to be dropped: the server must have ended.
    folder: Folder,
}

/// How a server is to be.
#[derive(Debug)]
pub struct PostgresServerBuilder {
    settings: Vec<(String, String)>,
}

impl PostgresServerBuilder {
    /// Whether it waits until what is committed is on the disk, which takes time. Servers that a test kills must,
    /// others do not.
    #[must_use]
    pub fn durable(self, durable: bool) -> Self {
        let value = if durable { "on" } else { "off" };
        self.setting("fsync", value).setting("full_page_writes", value)
    }

    /// Another line of `postgresql.conf`; the last one of a name counts.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// When no PostgreSQL is installed, or it does not start within 30 seconds.
    pub fn start(self) -> Result<PostgresServer, PostgresError> {
        let programs = server_folder()?;
        let user = User::choose()?;
        let folder = Folder::create(&user)?;
        let mut supervisor = Supervisor::start(&programs, &user, folder.path())?;
        supervisor.order("initialise").map_err(|refusal| folder.failure("initdb", &refusal))?;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let path = folder.path().join("server.conf");
            std::fs::write(&path, self.configuration(port, folder.path()))
                .map_err(PostgresError::system(format!("{} cannot be written", path.display())))?;
            user.give(&path)?;
            if launch(&mut supervisor, &folder, port)? {
                let psql = Psql::find()?;
                return Ok(PostgresServer { supervisor: Mutex::new(supervisor), psql, port, folder });
            }
        }
        Err(folder.failure("postgres: no free port", &Refusal::Failed))
    }

    fn configuration(&self, port: u16, folder: &Path) -> String {
        let (port, folder) = (port.to_string(), folder.display().to_string());
        let own = [("port", port.as_str()), ("unix_socket_directories", folder.as_str())];
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let line = |(name, value): (&str, &str)| {
            format!("{name} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''"))
        };
        settings.chain(own).map(line).collect()
    }
}

impl PostgresServer {
    /// A server with the default settings.
    ///
    /// # Errors
    ///
    /// When no PostgreSQL is installed, or it does not start within 30 seconds.
    pub fn start() -> Result<Self, PostgresError> {
        Self::builder().start()
    }

    /// A server with other settings.
    #[must_use]
    pub fn builder() -> PostgresServerBuilder {
        PostgresServerBuilder { settings: Vec::new() }
            .durable(false)
            .setting("listen_addresses", "127.0.0.1")
            .setting("max_connections", "200")
            .setting("shared_buffers", "16MB")
            .setting("timezone", "Asia/Kolkata")
            .setting("track_counts", "on")
            .setting("autovacuum", "on")
            .setting("log_line_prefix", "%m [%p] %d ")
    }

    /// The address of a database for maintenance, such as making others.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://flowtrail@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port, which stays the same when it is started again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: the socket is in it, and what the server says, as `log`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A fresh, empty database.
    ///
    /// # Errors
    ///
    /// When the server does not run, or refuses.
    pub fn create_database(&self) -> Result<TestDatabase, PostgresError> {
        TestDatabase::create(self.psql.clone(), &self.url())
    }

    /// Ends the server as an administrator does: clients are cut off, what was committed is written. Does nothing
    /// when it does not run.
    ///
    /// # Errors
    ///
    /// When it does not end within 30 seconds.
    pub fn stop(&self) -> Result<(), PostgresError> {
        self.supervisor()
            .order("stop")
            .map_err(|refusal| self.folder.failure("postgres: fast stop", &refusal))
    }

    /// Ends the server in the middle of whatever it does, as if it had crashed; the next start recovers. Such a
    /// server should be [durable](PostgresServerBuilder::durable). Does nothing when it does not run.
    ///
    /// # Errors
    ///
    /// When it does not end within 30 seconds.
    pub fn kill(&self) -> Result<(), PostgresError> {
        self.supervisor()
            .order("kill")
            .map_err(|refusal| self.folder.failure("postgres: immediate stop", &refusal))
    }

    /// Starts the server again, on the same data and port. Does nothing when it runs.
    ///
    /// # Errors
    ///
    /// When it does not start within 30 seconds, or another program has taken its port.
    pub fn start_again(&self) -> Result<(), PostgresError> {
        let mut supervisor = self.supervisor();
        for _ in 0..ATTEMPTS {
            if launch(&mut supervisor, &self.folder, self.port)? {
                return Ok(());
            }
        }
        Err(self.folder.failure(&format!("postgres: port {} is taken", self.port), &Refusal::Failed))
    }

    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        // An order is given and answered, or the shell is dead: a panic in between leaves nothing half done.
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a server that has its data, and tells whether it did: otherwise another program had its port.
fn launch(supervisor: &mut Supervisor, folder: &Folder, port: u16) -> Result<bool, PostgresError> {
    let said_before = folder.log().len();
    let Err(refusal) = supervisor.order(&format!("start {port}")) else { return Ok(true) };
    let log = folder.log();
    if log.get(said_before..).is_some_and(|said| said.contains("Address already in use")) {
        return Ok(false);
    }
    Err(folder.failure(&format!("postgres -D data, on port {port}"), &refusal))
}

/// A port that nobody listens on at this moment.
fn free_port() -> Result<u16, PostgresError> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let length = u64::from(PORTS.end - PORTS.start);
    let mut random = (0..ATTEMPTS).filter_map(|_| Some(PORTS.start + u16::try_from(random() % length).ok()?));
    random.find(is_free).ok_or_else(|| PostgresError::Failed {
        what: "a free port on 127.0.0.1".to_owned(),
        said: format!("{ATTEMPTS} ports from {} to {} are all taken", PORTS.start, PORTS.end),
    })
}
