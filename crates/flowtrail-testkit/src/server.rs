//! A whole server in this process.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use flowtrail::{Access, Config, Settings, Wiring};
use flowtrail_http::{ServeOptions, serve};
use flowtrail_tracker::Tracker;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{Era, EventStream, FlowBuilder, McpClient, Rest};

/// The administrator's key of every test server.
const KEY: &str = "ft_testkit_administrator";

/// A whole server on a free port of 127.0.0.1, with a temporary database. It ends when it is dropped.
#[derive(Debug)]
pub struct TestServer {
    base: String,
    rest: Rest,
    tracker: Tracker,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A user of a test server.
#[derive(Debug, Clone)]
pub struct TestUser {
    /// Their id.
    pub id: String,
    /// The id of their key.
    pub key_id: String,
    /// The key.
    pub key: String,
    /// A REST client with it.
    pub rest: Rest,
}

/// How a test server is to be.
#[derive(Debug)]
pub struct TestServerBuilder {
    settings: Settings,
}

impl TestServerBuilder {
    /// A value for `{{ secrets.NAME }}`.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.settings.secrets.insert(name.to_owned(), value.to_owned().into());
        self
    }

    /// Lets flows call private and loopback addresses.
    #[must_use]
    pub fn allow_private_addresses(mut self) -> Self {
        self.settings.allow_private_addresses = Some(true);
        self
    }

    /// Changes any other setting.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(mut self) -> TestServer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.settings.data_dir = Some(folder.path().to_path_buf());
        self.settings.admin_key = Some(KEY.to_owned());
        // A file that happens to stand in the working directory has no part in a test.
        let file = folder.path().join("flowtrail.toml");
        std::fs::write(&file, "").expect("the folder can be written");
        let mut config = Config::decide(self.settings, Some(&file)).expect("a good configuration");
        config.script_worker = crate::worker::script_worker();
        config.database = flowtrail_store_diesel::DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
        // A runtime of its own: the server goes on whatever the test's runtime does.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let access = Access::Serve { migrate: true, runtime: runtime.handle().clone() };
        let wiring = Wiring::open(&config, access).expect("a fresh database");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let app = wiring.app(&config);
        let (stop, stopped) = oneshot::channel::<()>();
        let options = ServeOptions { workers: 2, grace: Duration::from_secs(1) };
        let thread = std::thread::spawn(move || {
            let until = async {
                // Dropped or told, it stops either way.
                let _ = stopped.await;
            };
            runtime.block_on(serve(app, listener, options, until)).expect("the server ends as it should");
        });
        let rest = Rest::new(&base, Some(KEY));
        TestServer { base, rest, tracker: wiring.tracker, folder, stop: Some(stop), thread: Some(thread) }
    }
}

impl TestServer {
    /// A server with the default settings.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A server with other settings.
    #[must_use]
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder { settings: Settings::default() }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The administrator's key.
    #[must_use]
    pub fn key(&self) -> &str {
        KEY
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// The tracker inside, for what has no door yet, such as making users.
    #[must_use]
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// A REST client with the administrator's key.
    #[must_use]
    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    /// A real MCP client with the administrator's key, over HTTP.
    pub async fn mcp(&self, era: Era) -> McpClient {
        McpClient::over_http(&self.base, KEY, era).await
    }

    /// Listens to what happens from now on, as the administrator; `query` is empty or begins with `?`.
    pub async fn events(&self, query: &str) -> EventStream {
        EventStream::open(&self.base, KEY, query, None).await
    }

    /// Makes a user with a key.
    ///
    /// # Panics
    ///
    /// When the server refuses it.
    pub async fn user(&self, name: &str) -> TestUser {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let user = self.rest.post("/api/users", &json!({"name": name})).await.expect(201);
        let wanted = json!({"name": "laptop", "userId": user["id"]});
        let key = self.rest.post("/api/keys", &wanted).await.expect(201);
        TestUser {
            id: text(&user["id"]),
            key_id: text(&key["id"]),
            key: text(&key["key"]),
            rest: self.rest.with_key(key["key"].as_str()),
        }
    }

    /// Makes a flow and gives it back as the API shows it.
    ///
    /// # Panics
    ///
    /// When the server refuses it.
    pub async fn create(&self, flow: &FlowBuilder) -> Value {
        self.rest.post("/api/flows", &flow.build()).await.expect(201)
    }

    /// An execution as the API shows it.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn execution(&self, id: &str) -> Value {
        self.rest.get(&format!("/api/executions/{id}")).await.expect(200)
    }

    /// Waits until an execution has ended, and gives it.
    ///
    /// # Panics
    ///
    /// When it has not ended within 30 seconds.
    pub async fn ended(&self, id: &str) -> Value {
        let mut execution = Value::Null;
        let has_ended = async {
            let mut look = tokio::time::interval(Duration::from_millis(10));
            loop {
                look.tick().await;
                execution = self.execution(id).await;
                if execution["status"] != "pending" {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), has_ended).await.is_ok();
        assert!(in_time, "the execution has not ended in time:\n{execution:#}");
        execution
    }

    /// Waits until there is a pending execution, and gives its id.
    ///
    /// # Panics
    ///
    /// When there is none within 30 seconds.
    pub async fn pending(&self) -> String {
        let appears = async {
            let mut look = tokio::time::interval(Duration::from_millis(10));
            loop {
                look.tick().await;
                let page = self.rest.get("/api/executions?status=pending").await.expect(200);
                if let Some(id) = page["items"][0]["id"].as_str() {
                    return id.to_owned();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), appears).await.expect("an execution is pending in time")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The server may have ended by itself; then nobody listens.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the test server's thread panicked");
        }
    }
}
