//! `flowtrail serve`: REST and MCP on one port.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use flowtrail_http::{ServeOptions, serve};

use super::{block_on, runtime};
use crate::cli::Serve;
use crate::failure::Doing;
use crate::login::{self, AddressFile};
use crate::terminal::say;
use crate::wiring::{Access, Wiring};
use crate::{Config, Failure};

pub(super) fn run(config: &Config, options: &Serve) -> Result<(), Failure> {
    // Before the database: a port in use is the most common mistake, and nothing has been touched then.
    let listener = listen(&config.listen)?;
    let runtime = runtime()?;
    let access = Access::Serve { migrate: !options.no_migrate, runtime: runtime.handle().clone() };
    let wiring = Wiring::open(config, access)?;
    let address = listener.local_addr().doing("cannot tell the address")?;
    say(format_args!("listening on http://{address}"));
    if let Some(key) = &wiring.new_admin_key {
        say(format_args!(
            "administrator's key: {} (in {})",
            key,
            config.data_dir.join("admin.key").display()
        ));
    }
    // Whoever made the key: as long as nobody has logged in, somebody at a terminal wants to.
    let is_first = std::io::stdout().is_terminal() && !wiring.tracker.has_anybody_logged_in()?;
    if wiring.new_admin_key.is_some() || is_first {
        let link = login::link(&wiring.tracker, &login::base(address))?;
        say(format_args!("log in once, within a day: {link}"));
    }
    tell_of_misused_secrets(&wiring)?;
    let _noted = AddressFile::write(&config.data_dir, address);
    let key_file = config.data_dir.join("admin.key");
    if wiring.new_admin_key.is_none() && key_file.is_file() {
        log::info!("the administrator's key is in {}", key_file.display());
    }
    block_on(runtime, until_told_to_stop(wiring, config, listener))
}

/// Tells of stored flows of which nodes fail because of how they use secrets.
fn tell_of_misused_secrets(wiring: &Wiring) -> Result<(), Failure> {
    for flow in wiring.tracker.tools(&wiring.tracker.local_reader()?) {
        for problem in wiring.runner.misused_secrets(&flow).0 {
            log::warn!("flow {:?}, {}: {problem}", flow.name, flow.id);
        }
    }
    Ok(())
}

/// Serves until Ctrl-C or SIGTERM.
pub(super) async fn until_told_to_stop(
    wiring: Wiring,
    config: &Config,
    listener: TcpListener,
) -> Result<(), Failure> {
    let app = wiring.app(config);
    serve(app, listener, ServeOptions::default(), stop_signal()).await.map_err(Failure::new)
}

/// Binds an address.
pub(super) fn listen(address: &str) -> Result<TcpListener, Failure> {
    let hint = "choose another one with --listen ADDR; port 0 picks a free one";
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|error| {
            let message = format!("--listen {address}: expected HOST:PORT ({error})");
            // A name that cannot be found may be one tomorrow.
            let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            if has_port { Failure::new(message) } else { Failure::bad_argument(message) }
        })?
        .collect();
    let listener = TcpListener::bind(&addresses[..])
        .map_err(|error| Failure::new(format_args!("cannot listen on {address}: {error}; {hint}")))?;
    listener.set_nonblocking(true).doing("cannot use the listener")?;
    Ok(listener)
}

/// Done when the process is told to stop.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut hang_up)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        {
            tokio::select! {
                _ = terminate.recv() => return,
                // The terminal was closed.
                _ = hang_up.recv() => return,
                interrupted = tokio::signal::ctrl_c() => {
                    if interrupted.is_ok() {
                        return;
                    }
                }
            }
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals the process can only be killed; it must not stop by itself.
        std::future::pending::<()>().await;
    }
}
