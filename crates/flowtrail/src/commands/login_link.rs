//! `flowtrail login-link`: a link to log in to the web UI once.

use std::net::ToSocketAddrs;

use super::open;
use crate::terminal::{self, say};
use crate::wiring::Access;
use crate::{Config, Failure, login};

pub(super) fn run(config: &Config, url: Option<&str>) -> Result<(), Failure> {
    let base = match (url, login::running(&config.data_dir)) {
        (Some(url), _) => {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Failure::bad_argument("--url: expected an address like https://flows.example"));
            }
            url.to_owned()
        }
        (None, Some(address)) => login::base(address),
        (None, None) => configured(config)?,
    };
    let (tracker, _) = open(config, Access::Read)?;
    // The link alone, so that it can be opened by another program.
    say(login::link(&tracker, &base)?);
    terminal::hint("it works once, within a day");
    Ok(())
}

/// The address at which a server will be, when none runs.
fn configured(config: &Config) -> Result<String, Failure> {
    let address = config.listen.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    match address.filter(|address| address.port() != 0) {
        Some(address) => {
            terminal::hint(format_args!("no server runs on {}: start one first", config.data_dir.display()));
            Ok(login::base(address))
        }
        None => Err(Failure::bad_argument(
            "no server runs here, and --listen names no port: give its address by --url",
        )),
    }
}
