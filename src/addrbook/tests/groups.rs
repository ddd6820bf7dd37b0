//! Classes and groups of addresses.

use super::super::{Group, Reach};
use super::ip;
use crate::node::Host;

#[test]
fn ip_classes() {
    for (reach, addresses) in [
        (Reach::Local, "127.0.0.1 127.255.0.9 ::1 ::ffff:127.0.0.1"),
        (
            Reach::Private,
            "10.1.2.3 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.0.1 fc00::1 fdff::1",
        ),
        (
            Reach::Unroutable,
            "169.254.0.1 192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.255.1 192.0.0.8 \
             224.0.0.1 240.0.0.1 255.255.255.255 fe80::1 ff02::1 2001:db8::1 2001:10::1 2001:1f::1 \
             2001:20::1 2001:2f::1 100::1",
        ),
        (
            Reach::Public,
            "1.2.3.4 172.32.0.1 100.128.0.1 100.63.255.255 198.17.0.1 198.20.0.1 223.255.255.255 \
             2a00::1 2001:30::1 2001:470::1 101::1",
        ),
    ] {
        for address in addresses.split_whitespace() {
            assert_eq!(Reach::of(ip(address)), reach, "{address}");
        }
    }
}

#[test]
fn the_zero_block_is_unroutable_but_addresses_that_embed_ipv4_are_not() {
    for address in ["0.0.0.0", "0.255.255.255", "::", "::2", "0:ffff::1"] {
        assert_eq!(Reach::of(ip(address)), Reach::Unroutable, "{address}");
    }
    for address in ["1.0.0.0", "1::1", "::ffff:0:12.1.2.3"] {
        assert_eq!(Reach::of(ip(address)), Reach::Public, "{address}");
    }
}

/// An attacker must not reach private machines by embedding their addresses in others.
#[test]
fn an_embedded_address_decides_for_the_whole() {
    assert_eq!(Reach::of(ip("2002:0a01:0203::1")), Reach::Private);
    assert_eq!(Reach::of(ip("2002:7f00:0001::1")), Reach::Local);
    assert_eq!(Reach::of(ip("64:ff9b::10.0.0.1")), Reach::Private);
}

#[test]
fn groups() {
    for (address, group) in [
        ("127.0.0.1", "local"),
        ("::1", "local"),
        ("10.1.2.3", "10.1.2.0/24"),
        ("fc00:1:2:3:4::5", "fc00:1:2:3::/64"),
        ("192.0.2.1", "unroutable"),
        ("2001:db8::1", "unroutable"),
        ("12.1.2.3", "12.1.0.0/16"),
        ("::ffff:12.1.2.3", "12.1.0.0/16"),
        // RFC 3964, 4380, 6052, 6145.
        ("2002:0c01:0203::1", "12.1.0.0/16"),
        ("2001:0:1234::f3fe:fdfc", "12.1.0.0/16"),
        ("64:ff9b::12.1.2.3", "12.1.0.0/16"),
        ("::ffff:0:12.1.2.3", "12.1.0.0/16"),
        ("2602:100:abcd::1", "2602:100::/32"),
        ("2001:470:1234::1", "2001:470:1000::/36"),
        ("2001:471:1234::1", "2001:471::/32"),
    ] {
        assert_eq!(Group::of_ip(ip(address)).to_string(), group, "{address}");
    }
}

#[test]
fn names_are_grouped_by_who_can_make_more_of_them() {
    for (name, group) in [
        ("localhost", "*.localhost"),
        ("example.org", "*.example.org"),
        ("a.b.Example.org.", "*.example.org"),
    ] {
        assert_eq!(Group::of(&Host::Dns(name.into())).to_string(), group);
    }
}
