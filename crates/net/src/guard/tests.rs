mod rows;

use super::*;
use rows::ROWS;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn every_row_is_closed_from_its_first_address_to_its_last_and_open_on_either_side() {
    let guard = Guard::default();
    for (range, first, last, before, after) in ROWS {
        for inside in [first, last] {
            let blocked = guard.judge(ip(inside)).unwrap_err();
            assert_eq!(blocked.range, net(range), "{inside}");
        }
        for outside in [before, after].into_iter().filter(|text| !text.is_empty()) {
            assert_eq!(guard.judge(ip(outside)), Ok(()), "{outside} beside {range}");
        }
    }
}

#[test]
fn every_row_of_the_table_is_in_this_test() {
    for row in ranges::V4.iter().chain(ranges::V6) {
        let tested = ROWS.iter().any(|(range, ..)| net(range) == row.net);
        assert!(tested, "{} has no test", row.net);
    }
}

#[test]
fn the_metadata_addresses_of_the_clouds_are_closed() {
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
    ] {
        assert!(Guard::default().judge(ip(address)).is_err(), "{address}");
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothing_is_closed_whatever_it_is() {
    let guard = Guard::default();
    for address in [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:93.184.215.14",
        "::127.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::5db8:d70e",
        "2002:7f00:1::1",
        "2002:5db8:d70e::1",
        "2001:0:7f00:1::",
        "2a00:1450::5efe:7f00:1",
        "2a00:1450::200:5efe:7f00:1",
    ] {
        assert!(guard.judge(ip(address)).is_err(), "{address}");
    }
    assert_eq!(guard.judge(ip("2a00:1450::1:5efe:7f00:1")), Ok(()));
}

#[test]
fn an_allowed_network_is_not_open_in_other_clothing() {
    let guard = Guard::new(vec![net("127.0.0.0/8"), net("fd00::/8")]);
    for address in ["127.0.0.1", "fd00::1"] {
        assert_eq!(guard.judge(ip(address)), Ok(()), "{address}");
    }
    for address in [
        "::1",
        "10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "::127.0.0.1",
    ] {
        assert!(guard.judge(ip(address)).is_err(), "{address}");
    }
}

#[test]
fn where_nat64_or_mapped_addresses_are_allowed_what_is_inside_is_judged() {
    let guard = Guard::new(vec![
        net("10.0.0.0/8"),
        net("64:ff9b::/96"),
        net("::ffff:0:0/96"),
    ]);
    for address in [
        "64:ff9b::5db8:d70e",
        "::ffff:93.184.215.14",
        "::ffff:10.1.2.3",
    ] {
        assert_eq!(guard.judge(ip(address)), Ok(()), "{address}");
    }
    // What the operator allows here says nothing about what is behind a gateway.
    for address in ["64:ff9b::a01:203", "64:ff9b::7f00:1", "::ffff:127.0.0.1"] {
        assert!(guard.judge(ip(address)).is_err(), "{address}");
    }
    // Behind the gateway lies the internet, whose ports are not all open.
    for address in ["[64:ff9b::5db8:d70e]:25", "[::ffff:93.184.215.14]:25"] {
        let judged = guard.judge_socket(address.parse().unwrap());
        assert_eq!(judged, Err(Refusal::Port(25)), "{address}");
    }
    let everything = Guard::new(vec![net("::/0")]);
    assert!(everything.judge(ip("64:ff9b::7f00:1")).is_err());
    assert!(everything.judge(ip("::ffff:127.0.0.1")).is_err());
}

#[test]
fn this_machine_is_closed_unless_it_is_allowed() {
    let own = vec![ip("93.184.215.14"), ip("2a00:1450::7")];
    let known = OwnAddresses::beginning_with(own.clone());
    let guard = Guard::default().deny_own(known.clone());
    for address in &own {
        let blocked = guard.judge(*address).unwrap_err();
        assert_eq!(
            (blocked.range, blocked.reason),
            (IpNet::from(*address), "this machine")
        );
    }
    assert_eq!(guard.judge(ip("93.184.215.15")), Ok(()));
    let allowing = Guard::new(vec![net("93.184.215.14/32")]).deny_own(known);
    assert_eq!(allowing.judge(ip("93.184.215.14")), Ok(()));
    assert!(allowing.judge(ip("2a00:1450::7")).is_err());
}

#[test]
fn an_operator_can_close_more_and_allowed_networks_still_win() {
    let guard = Guard::new(vec![net("93.184.215.8/29")]).deny(vec![net("93.184.0.0/16")]);
    assert_eq!(
        guard.judge(ip("93.184.0.1")).unwrap_err().reason,
        "denied by configuration"
    );
    assert!(guard.judge(ip("::ffff:93.184.0.1")).is_err());
    assert_eq!(guard.judge(ip("93.184.215.14")), Ok(()));
}

#[test]
fn an_allowed_network_opens_every_port_but_zero() {
    let guard = Guard::new(vec![net("127.0.0.0/8")]).allow_ports(vec![81]);
    let judge = |text: &str| guard.judge_socket(text.parse().unwrap());
    assert_eq!(judge("127.0.0.1:6379"), Ok(()));
    assert_eq!(judge("127.0.0.1:0"), Err(Refusal::Port(0)));
    assert_eq!(judge("93.184.215.14:443"), Ok(()));
    assert_eq!(judge("93.184.215.14:81"), Ok(()));
    assert_eq!(judge("93.184.215.14:6379"), Err(Refusal::Port(6379)));
    assert!(matches!(judge("10.0.0.1:443"), Err(Refusal::Address(_))));
}
