use super::*;

fn parse(text: &str) -> Result<Target, TargetError> {
    Target::parse(text, &TargetPolicy::default())
}

fn host_of(text: &str) -> Host {
    parse(text).unwrap().host().clone()
}

#[test]
fn a_url_falls_into_the_parts_that_a_request_needs() {
    let target = parse("HTTPS://Example.COM:8443/a b".replace(' ', "%20").as_str()).unwrap();
    assert_eq!(target.scheme(), Scheme::Https);
    assert_eq!(target.authority(), "example.com:8443");
    assert_eq!(target.path_and_query(), "/a%20b");
    assert_eq!(&**target.origin(), "https://example.com:8443");
    let bare = parse("http://example.com?x=1").unwrap();
    assert_eq!(
        (bare.authority(), bare.port(), bare.path_and_query()),
        ("example.com", 80, "/?x=1")
    );
    let v6 = parse("http://[2a00:1450::1]:80/").unwrap();
    assert_eq!((v6.authority(), v6.port()), ("[2a00:1450::1]", 80));
}

#[test]
fn every_spelling_of_an_address_is_that_address() {
    for spelling in [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "127.0.0.0x1",
        "127.0.0.1.",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
    ] {
        let expected = Host::Ip("127.0.0.1".parse().unwrap());
        assert_eq!(
            host_of(&format!("http://{spelling}/")),
            expected,
            "{spelling}"
        );
    }
    for zero in ["0", "00.0.0.0", "0x"] {
        assert_eq!(
            host_of(&format!("http://{zero}/")),
            Host::Ip("0.0.0.0".parse().unwrap())
        );
    }
}

#[test]
fn what_parsers_disagree_about_is_refused() {
    use TargetError as E;
    for (text, error) in [
        ("http://127.0.0.1\\@example.com/", E::Character),
        ("http://exa\tmple.com/", E::Character),
        (" http://example.com/", E::Character),
        ("http://example.com/\r\nx", E::Character),
        ("http://example.com/\u{a0}", E::Character),
        ("http://127.0.0.1#@example.com/", E::Fragment),
        ("http://example.com/#part", E::Fragment),
        ("http://example.com@127.0.0.1/", E::UserInfo),
        ("http://@example.com/", E::UserInfo),
        ("http://:@example.com/", E::UserInfo),
        ("gopher://127.0.0.1:25/", E::Scheme),
        ("file:///etc/passwd", E::Scheme),
        ("http:example.com", E::Scheme),
        ("http:///example.com", E::Host),
        ("example.com", E::Scheme),
        ("", E::Scheme),
        ("http://", E::Host),
        ("http://256.0.0.1/", E::Host),
        ("http://1.2.3.4.5/", E::Host),
        ("http://4294967296/", E::Host),
        ("http://08.0.0.1/", E::Host),
        ("http://0x100000000/", E::Host),
        ("http://exam\0ple.com/", E::Character),
        ("http://exam%00ple.com/", E::Host),
        ("http://exam%0d%0aple.com/", E::Host),
        ("http://exam%2fple.com/", E::Host),
        ("http://127.0.0.1%40example.com/", E::Host),
        ("http://user:pass@example.com/", E::UserInfo),
        ("ftp://example.com/", E::Scheme),
        ("javascript://example.com/%0aalert(1)", E::Scheme),
        ("//example.com/", E::Scheme),
        ("http://[fe80::1%25eth0]/", E::Host),
        ("http://example..com/", E::Host),
        ("http://-example.com/", E::Host),
        ("http://example.com:99999/", E::Syntax),
    ] {
        assert_eq!(parse(text).unwrap_err(), error, "{text:?}");
    }
}

#[test]
fn a_path_may_contain_an_at_sign() {
    assert_eq!(
        parse("http://example.com/@me?a=@b")
            .unwrap()
            .path_and_query(),
        "/@me?a=@b"
    );
}

#[test]
fn local_names_are_refused_with_or_without_a_trailing_dot() {
    for name in [
        "localhost",
        "LOCALHOST",
        "ⓛocalhost",
        "localhost.",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "router.home.arpa",
        "hooks.shop.svc",
        "hooks.shop.svc.cluster",
        "hooks.shop.svc.cluster.local",
        "intranet",
        "db",
    ] {
        assert_eq!(
            parse(&format!("http://{name}/")),
            Err(TargetError::LocalName),
            "{name}"
        );
    }
    assert!(parse("http://notlocal.example/").is_ok());
}

#[test]
fn named_exceptions_and_open_networks_lift_the_rule_about_names() {
    let mut policy = TargetPolicy {
        allowed_names: vec!["receiver".into(), "*.corp.internal".into()],
        ..TargetPolicy::default()
    };
    assert!(Target::parse("http://receiver/", &policy).is_ok());
    assert!(Target::parse("http://a.corp.internal/", &policy).is_ok());
    assert!(Target::parse("http://corp.internal/", &policy).is_err());
    assert!(Target::parse("http://localhost/", &policy).is_err());
    policy.judge_names = false;
    assert!(Target::parse("http://localhost/", &policy).is_ok());
}

#[test]
fn international_names_are_kept_in_their_ascii_form() {
    let target = parse("http://аpple.com./x").unwrap();
    assert_eq!(target.as_str(), "http://xn--pple-43d.com/x");
    assert_eq!(*target.host(), Host::Name("xn--pple-43d.com".into()));
}

#[test]
fn length_is_limited_before_and_after_normalisation() {
    let policy = TargetPolicy {
        max_length: 30,
        ..TargetPolicy::default()
    };
    assert!(Target::parse("http://example.com/12345678901", &policy).is_ok());
    let long = Target::parse("http://example.com/123456789012", &policy);
    assert_eq!(long, Err(TargetError::TooLong(30)));
    let grown = Target::parse("http://example.com/éééé", &policy);
    assert_eq!(grown, Err(TargetError::TooLong(30)));
}

#[test]
fn http_can_be_forbidden() {
    let policy = TargetPolicy {
        https_only: true,
        ..TargetPolicy::default()
    };
    assert_eq!(
        Target::parse("http://example.com/", &policy),
        Err(TargetError::HttpsOnly)
    );
    assert!(Target::parse("https://example.com/", &policy).is_ok());
}

#[test]
fn a_forbidden_literal_is_refused_before_anything_is_dialled() {
    let closed = Guard::default();
    for text in [
        "http://127.1/",
        "http://[::ffff:a00:1]/",
        "http://169.254.169.254/",
    ] {
        assert!(matches!(
            parse(text).unwrap().precheck(&closed),
            Err(Refusal::Address(_))
        ));
    }
    assert_eq!(
        parse("http://example.com:25/").unwrap().precheck(&closed),
        Err(Refusal::Port(25))
    );
    assert_eq!(
        parse("http://example.com/").unwrap().precheck(&closed),
        Ok(())
    );
    let open = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
    assert_eq!(
        parse("http://127.0.0.1:25/").unwrap().precheck(&open),
        Ok(())
    );
    assert_eq!(
        parse("http://example.com:0/").unwrap().precheck(&open),
        Err(Refusal::Port(0))
    );
}

proptest::proptest! {
    /// What is shown, stored and read back later must lead to the same place.
    #[test]
    fn what_was_accepted_is_read_again_as_the_same(
        scheme in "https?",
        host in "[a-zA-Z0-9é。.:@\\[\\]%_-]{1,20}",
        rest in "[/?#]?[ -~é]{0,20}",
    ) {
        let policy = TargetPolicy { judge_names: false, ..TargetPolicy::default() };
        if let Ok(target) = Target::parse(&format!("{scheme}://{host}{rest}"), &policy) {
            proptest::prop_assert_eq!(Target::parse(target.as_str(), &policy), Ok(target.clone()));
            proptest::prop_assert!(target.as_str().is_ascii());
            proptest::prop_assert!(!target.authority().contains('@'));
            if let Host::Name(name) = target.host() {
                proptest::prop_assert!(name.parse::<IpAddr>().is_err());
            }
        }
    }
}
