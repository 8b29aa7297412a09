//! The address of a running server, and links to log in to it once.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowtrail_store_diesel::private;
use flowtrail_tracker::Tracker;

use crate::Failure;

/// Where a server notes its address while it runs, for commands that name it.
const FILE: &str = "server.address";

/// The file with the address of a running server. Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct AddressFile(PathBuf);

impl AddressFile {
    /// Notes the address of a server that begins. Without the file links are made for the configured address.
    pub(crate) fn write(data_dir: &Path, address: SocketAddr) -> Option<Self> {
        let path = data_dir.join(FILE);
        let write = || {
            private::make_folder(data_dir)?;
            let mut options = OpenOptions::new();
            let mut file = private::open(options.create(true).truncate(true).write(true), &path)?;
            file.write_all(format!("{address}\n").as_bytes())
        };
        match write() {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                log::debug!("the server's address cannot be noted in {}: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The address of the server that runs on a data directory, if one does.
pub(crate) fn running(data_dir: &Path) -> Option<SocketAddr> {
    const REACHED_WITHIN: Duration = Duration::from_secs(1);
    let noted = std::fs::read_to_string(data_dir.join(FILE)).ok()?;
    let address = reachable(noted.trim().parse().ok()?);
    // One that was killed has left its file behind.
    TcpStream::connect_timeout(&address, REACHED_WITHIN).ok()?;
    Some(address)
}

/// An address by which this machine reaches a server that listens on all of its addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The base address of a server for a person on this machine.
pub(crate) fn base(address: SocketAddr) -> String {
    format!("http://{}", reachable(address))
}

/// A link by which the administrator logs in once.
pub(crate) fn link(tracker: &Tracker, base: &str) -> Result<String, Failure> {
    let code = tracker.create_login_code()?.secret;
    Ok(format!("{}/#code={code}", base.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_reached_on_this_machine() {
        for (listens, base_address) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
            ("192.0.2.7:1", "http://192.0.2.7:1"),
        ] {
            assert_eq!(base(listens.parse().unwrap()), base_address);
        }
    }
}
