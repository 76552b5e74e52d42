//! The checks that a URL passes before and after the parser has seen it.

use url::Url;

use super::{Host, TargetError, TargetPolicy};

/// Names of which no public server answers, beside everything without a dot.
const LOCAL_SUFFIXES: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "onion",
    // What a cluster calls its services, where its domain is not `cluster.local`.
    "svc",
    "cluster",
];

/// What must be settled on the raw text: the parser deletes TAB, CR and LF, trims spaces, reads a
/// backslash as a slash and completes `http:host`, and other parsers do otherwise.
pub(super) fn check_text(text: &str, policy: &TargetPolicy) -> Result<(), TargetError> {
    if text.len() > policy.max_length {
        return Err(TargetError::TooLong(policy.max_length));
    }
    if text
        .chars()
        .any(|c| c == '\\' || c.is_whitespace() || c.is_control())
    {
        return Err(TargetError::Character);
    }
    let (scheme, rest) = text.split_once("://").ok_or(TargetError::Scheme)?;
    if scheme.eq_ignore_ascii_case("http") {
        if policy.https_only {
            return Err(TargetError::HttpsOnly);
        }
    } else if !scheme.eq_ignore_ascii_case("https") {
        return Err(TargetError::Scheme);
    }
    check_authority(rest)
}

fn check_authority(rest: &str) -> Result<(), TargetError> {
    if rest.contains('#') {
        return Err(TargetError::Fragment);
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(TargetError::UserInfo);
    }
    if authority.is_empty() {
        Err(TargetError::Host)
    } else {
        Ok(())
    }
}

pub(super) fn from_parser(error: url::ParseError) -> TargetError {
    use url::ParseError as E;
    match error {
        E::EmptyHost
        | E::IdnaError
        | E::InvalidIpv4Address
        | E::InvalidIpv6Address
        | E::InvalidDomainCharacter => TargetError::Host,
        _ => TargetError::Syntax,
    }
}

/// The parsed host; a name loses its trailing dot, in the URL too, so that one destination has
/// one spelling.
pub(super) fn host(url: &mut Url, policy: &TargetPolicy) -> Result<Host, TargetError> {
    let name = match url.host().ok_or(TargetError::Host)? {
        url::Host::Ipv4(ip) => return Ok(Host::Ip(ip.into())),
        url::Host::Ipv6(ip) => return Ok(Host::Ip(ip.into())),
        url::Host::Domain(name) => name.to_owned(),
    };
    let bare = name.strip_suffix('.').unwrap_or(&name);
    if !is_name(bare) {
        return Err(TargetError::Host);
    }
    if policy.judge_names && is_local(bare) && !is_allowed(bare, &policy.allowed_names) {
        return Err(TargetError::LocalName);
    }
    if bare.len() < name.len() {
        url.set_host(Some(bare)).map_err(from_parser)?;
    }
    Ok(Host::Name(bare.into()))
}

/// Labels of letters, digits, hyphens (not at either end) and underscores, as DNS can carry them.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_local(name: &str) -> bool {
    !name.contains('.') || LOCAL_SUFFIXES.iter().any(|suffix| is_under(name, suffix))
}

fn is_allowed(name: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|entry| {
        let entry = entry.to_ascii_lowercase();
        match entry.strip_prefix("*.") {
            Some(suffix) => name != suffix && is_under(name, suffix),
            None => name == entry,
        }
    })
}

fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
