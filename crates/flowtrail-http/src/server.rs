//! Running the application until it is told to stop.

use std::future::Future;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::{App as ActixApp, HttpServer};
use flowtrail_tracker::Tracker;
use tokio::time::{Instant, MissedTickBehavior};

use crate::App;

/// How the application is run.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// How many workers read requests.
    pub workers: usize,
    /// How long what runs may go on once the server is told to stop.
    pub grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        Self { workers, grace: Duration::from_secs(5) }
    }
}

/// Why the server stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener cannot be used.
    #[error("the listener cannot be used: {0}")]
    Listen(#[source] std::io::Error),
    /// A worker died.
    #[error("the server failed: {0}")]
    Run(#[source] std::io::Error),
}

/// How long a client may take to send the head of a request.
const SLOW_CLIENT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what it is sent.
const TAKES_NOTHING: Duration = Duration::from_secs(30);
/// How long executions that were told to stop may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Serves on a listener until `stop` is done. Then it takes no more connections, lets what runs go on for the
/// grace period, tells what still runs to stop, and writes all that is waiting.
///
/// # Errors
///
/// When the listener cannot be used, or the server fails.
pub async fn serve(
    app: App,
    listener: TcpListener,
    options: ServeOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    hang_up_on_who_takes_nothing(&listener);
    let configured = app.clone();
    let server = HttpServer::new(move || {
        let app = configured.clone();
        ActixApp::new().configure(move |config| app.configure(config))
    })
    .workers(options.workers.max(1))
    // Without this a client that hangs up is not noticed, and its call runs on.
    .h1_allow_half_closed(false)
    // The head of a stream goes before its first event is known: held back until the client has acknowledged the one, which
    // clients do late, the other would come 40 ms later.
    .tcp_nodelay(true)
    .client_request_timeout(SLOW_CLIENT)
    .disable_signals()
    .shutdown_timeout((options.grace + LAST_WORDS).as_secs().max(1))
    .listen(listener)
    .map_err(ServeError::Listen)?
    .run();
    let handle = server.handle();
    let mut serving = tokio::spawn(server);
    tokio::select! {
        ended = &mut serving => return ended_by_itself(ended),
        () = stop => {}
    }
    log::info!("stopping: {} executions run", app.tracker().running());
    app.shutdown().cancel();
    let stopped = tokio::spawn({
        let handle = handle.clone();
        async move { handle.stop(true).await }
    });
    if !all_ended(app.tracker(), options.grace).await {
        log::info!("aborting {} executions", app.tracker().running());
        app.tracker().shut_down_running();
        all_ended(app.tracker(), LAST_WORDS).await;
    }
    // Streams that only listen would keep their connections open for ever.
    app.hang_up().cancel();
    if stopped.await.is_err() {
        log::warn!("the server did not stop as it should");
    }
    let ended = ended_by_itself(serving.await);
    // What is waiting is written; that blocks.
    let closed = tokio::task::spawn_blocking(move || {
        app.upstreams().close();
        app.tracker().close();
    })
    .await;
    if closed.is_err() {
        log::error!("the last records may not have been written");
    }
    ended
}

/// Has the system close connections whose client takes nothing of what it is sent. Connections take this over from the
/// listener. Where the system cannot do it, such a client holds its connection until it goes away.
fn hang_up_on_who_takes_nothing(listener: &TcpListener) {
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_user_timeout(Some(TAKES_NOTHING)) {
        log::warn!("clients that take nothing will not be hung up on: {error}");
    }
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    let _ = listener;
}

fn ended_by_itself(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), ServeError> {
    ended.map_err(std::io::Error::other).and_then(|result| result).map_err(ServeError::Run)
}

/// Waits until nothing runs in this process, at most this long. True when nothing does.
pub async fn all_ended(tracker: &Tracker, at_most: Duration) -> bool {
    let deadline = Instant::now() + at_most;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while tracker.running() > 0 {
        if Instant::now() >= deadline {
            return false;
        }
        look.tick().await;
    }
    true
}
