//! The table of address ranges that are never dialled, with the reason for each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// One row: a range, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) net: IpNet,
    pub(super) why: &'static str,
}

const fn v4(address: [u8; 4], prefix: u8, why: &'static str) -> Range {
    let [a, b, c, d] = address;
    Range {
        net: IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix),
        why,
    }
}

const fn v6(address: [u16; 8], prefix: u8, why: &'static str) -> Range {
    let [a, b, c, d, e, f, g, h] = address;
    Range {
        net: IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix),
        why,
    }
}

/// IPv4: IANA's special-purpose registry, multicast, and one address that is public in every
/// registry but means "the host's platform" inside a cloud. Narrow rows stand before wide ones.
pub(super) const V4: &[Range] = &[
    v4([0, 0, 0, 0], 8, "this network"),
    v4([10, 0, 0, 0], 8, "private"),
    v4([100, 64, 0, 0], 10, "shared by carrier-grade NAT"),
    v4([127, 0, 0, 0], 8, "loopback"),
    v4([168, 63, 129, 16], 32, "Azure platform"),
    v4([169, 254, 0, 0], 16, "link local, cloud metadata"),
    v4([172, 16, 0, 0], 12, "private"),
    v4([192, 0, 0, 0], 24, "IETF protocol assignments"),
    v4([192, 0, 2, 0], 24, "documentation"),
    v4([192, 31, 196, 0], 24, "AS112"),
    v4([192, 52, 193, 0], 24, "AMT"),
    v4([192, 88, 99, 0], 24, "6to4 relay, deprecated"),
    v4([192, 168, 0, 0], 16, "private"),
    v4([192, 175, 48, 0], 24, "AS112"),
    v4([198, 18, 0, 0], 15, "benchmarking"),
    v4([198, 51, 100, 0], 24, "documentation"),
    v4([203, 0, 113, 0], 24, "documentation"),
    v4([224, 0, 0, 0], 4, "multicast"),
    v4([255, 255, 255, 255], 32, "broadcast"),
    v4([240, 0, 0, 0], 4, "reserved"),
];

/// IPv6: rows inside `2000::/3`, and those outside that deserve a reason of their own.
pub(super) const V6: &[Range] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible, deprecated"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated"),
    v6([0, 0, 0, 0, 0, 0x5efe, 0, 0], 96, "ISATAP"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "local NAT64"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 32, "NAT64"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 8, "reserved"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discard only"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "dummy prefix"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, "ORCHID, deprecated"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, "ORCHID version 2"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, "drone identifiers"),
    v6(
        [0x2001, 0, 0, 0, 0, 0, 0, 0],
        23,
        "IETF protocol assignments",
    ),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "AS112"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link local"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site local, deprecated"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// An IPv4 address inside an IPv6 address, by who would dial it.
pub(super) enum Carried {
    /// In `::ffff:0:0/96` (RFC 4291 §2.5.5.2): this machine.
    Mapped(Ipv4Addr),
    /// In `64:ff9b::/96` (RFC 6052 §2.1): a NAT64 gateway.
    Nat64(Ipv4Addr),
}

pub(super) fn carried(address: Ipv6Addr) -> Option<Carried> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(Carried::Mapped(join(high, low))),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Carried::Nat64(join(high, low))),
        _ => None,
    }
}

/// Refuses by form rather than by row: ISATAP's interface identifiers may follow any prefix
/// (RFC 5214 §6.1), and IANA hands out unicast space from `2000::/3` only.
pub(super) fn shape(address: Ipv6Addr) -> Option<Range> {
    let segments = address.segments();
    // The universal and group bits of the identifier carry no meaning.
    if segments[5] == 0x5efe && segments[4] & !0x0300 == 0 {
        return Some(v6([0, 0, 0, 0, 0, 0x5efe, 0, 0], 96, "ISATAP"));
    }
    let global = segments[0] & 0xe000 == 0x2000;
    (!global).then_some(v6([0; 8], 0, "not global unicast"))
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}
