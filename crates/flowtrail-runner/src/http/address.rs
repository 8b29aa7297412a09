//! Which addresses are of the public internet, by the IANA special-purpose registries (RFC 6890 and its
//! successors).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{Ipv4Net, Ipv6Net};

/// Where a flow may not go, with the reason for a person.
const FORBIDDEN_V4: [(&str, &str); 15] = [
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "a relay of 6to4"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
];

/// Of IPv6 only the global unicast range is public; within it, these are not.
const FORBIDDEN_V6: [(&str, &str); 5] = [
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "for documentation"),
    ("3fff::/20", "for documentation"),
    ("5f00::/16", "for segment routing"),
    ("2620:4f:8000::/48", "reserved"),
];

type Forbidden<N> = Vec<(N, &'static str)>;

static V4: LazyLock<Forbidden<Ipv4Net>> = LazyLock::new(|| networks(&FORBIDDEN_V4));
static V6: LazyLock<Forbidden<Ipv6Net>> = LazyLock::new(|| networks(&FORBIDDEN_V6));

fn networks<N: std::str::FromStr>(table: &[(&str, &'static str)]) -> Forbidden<N> {
    // The test below finds a network that cannot be read.
    table.iter().filter_map(|(network, reason)| Some((network.parse().ok()?, *reason))).collect()
}

/// Says why an address may not be called; nothing when it may.
pub(crate) type Policy = fn(IpAddr) -> Option<&'static str>;

/// Every address may be called.
pub(crate) fn anywhere(_: IpAddr) -> Option<&'static str> {
    None
}

/// Only addresses of the public internet may be called.
pub(crate) fn public_only(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, reason)| *reason)
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("unspecified");
    }
    if address.is_loopback() {
        return Some("loopback");
    }
    let octets = address.octets();
    let embedded = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    // An IPv4 address in other clothes leads where the IPv4 address leads.
    if let Some(mapped) = address.to_ipv4() {
        return Some(forbidden_v4(mapped).unwrap_or("an IPv4 address written as IPv6"));
    }
    match address.segments() {
        // NAT64: the well-known prefix (RFC 6052), and the one for local use (RFC 8215).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => return forbidden_v4(embedded(12)),
        [0x64, 0xff9b, 1, ..] => return Some("of a local translator"),
        // 6to4 (RFC 3056).
        [0x2002, ..] => return Some(forbidden_v4(embedded(2)).unwrap_or("of 6to4")),
        [first, ..] if first & 0xffc0 == 0xfe80 => return Some("link-local"),
        [first, ..] if first & 0xfe00 == 0xfc00 => return Some("private"),
        [first, ..] if first & 0xff00 == 0xff00 => return Some("multicast"),
        [first, ..] if first & 0xe000 != 0x2000 => return Some("reserved"),
        _ => {}
    }
    V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_tables_can_be_read() {
        assert_eq!(V4.len(), FORBIDDEN_V4.len());
        assert_eq!(V6.len(), FORBIDDEN_V6.len());
    }

    #[test]
    fn public_addresses_may_be_called() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "64:ff9b::808:808",
        ] {
            assert_eq!(public_only(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn everything_else_may_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:808:808::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "100::1",
            "4000::1",
            "5f00::1",
        ] {
            assert!(public_only(address.parse().unwrap()).is_some(), "{address}");
        }
    }
}
