//! `flowtrail mcp`: MCP over standard input and output. Nothing else is written to standard output.

use std::time::Duration;

use flowtrail_http::all_ended;
use flowtrail_mcp::{Caller, FlowServer, serve_stdio};
use tokio_util::sync::CancellationToken;

use super::serve::stop_signal;
use super::{block_on, runtime};
use crate::wiring::{Access, Wiring};
use crate::{Config, Failure};

/// How long what runs may go on once the client is gone.
const GRACE: Duration = Duration::from_secs(1);
/// How long executions that were told to stop may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let runtime = runtime()?;
    let wiring = Wiring::open(config, Access::Serve { migrate: true, runtime: runtime.handle().clone() })?;
    if wiring.new_admin_key.is_some() {
        log::info!("the administrator's key is in {}", config.data_dir.join("admin.key").display());
    }
    let administrator = wiring.tracker.local_administrator()?;
    let tracker = wiring.tracker.clone();
    let served = block_on(runtime, async move {
        let shutdown = CancellationToken::new();
        let server = FlowServer::new(wiring.runner, Caller::Fixed(administrator), shutdown.clone());
        let stop = shutdown.clone();
        let signals = tokio::spawn(async move {
            stop_signal().await;
            stop.cancel();
        });
        let served = serve_stdio(server, shutdown).await.map_err(Failure::new);
        signals.abort();
        // The client is gone: what it has asked for is given a moment, and then stopped, and says so in its record.
        if !all_ended(&wiring.tracker, GRACE).await {
            wiring.tracker.shut_down_running();
            if !all_ended(&wiring.tracker, LAST_WORDS).await {
                log::warn!("{} executions did not stop in time", wiring.tracker.running());
            }
        }
        served
    });
    tracker.close();
    served
}
