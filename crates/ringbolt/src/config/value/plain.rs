//! Values of one part: numbers, durations, sizes, addresses, words.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use ringbolt_model::endpoint::MAX_CONCURRENCY;
use ringbolt_model::schedule::parse_duration;
use ringbolt_model::{RetrySchedule, SignatureHeaders};
use ringbolt_net::EgressProxy;
use ringbolt_store::PostgresAddress;

use super::{Secrecy, Value};
use crate::config::listing::without_password;

impl Value for String {
    const FORM: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for PathBuf {
    const FORM: &'static str = "path of a file";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Value for bool {
    const FORM: &'static str = "`true` or `false`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("`{text}` is neither"))
    }
}

impl Value for u32 {
    const FORM: &'static str = "whole number";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` is no such number"))
    }
}

/// How many attempts may be in flight to one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Concurrency(pub(crate) NonZeroU16);

impl Value for Concurrency {
    const FORM: &'static str = "whole number from 1 to 1000";

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().map(Self);
        let within = number.filter(|number| number.0.get() <= MAX_CONCURRENCY);
        within.ok_or_else(|| format!("`{text}` is no such number"))
    }
}

impl Value for NonZeroU32 {
    const FORM: &'static str = "whole number from 1";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` is no such number"))
    }
}

impl Value for Duration {
    const FORM: &'static str = "duration with a unit (ms, s, m, h, d), such as `15s`";

    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text).ok_or_else(|| format!("`{text}` is no duration with a unit"))
    }
}

impl Value for RetrySchedule {
    const FORM: &'static str =
        "comma-separated durations, such as `5s,5m,2h`; empty for no retries";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|why: ringbolt_model::schedule::ScheduleError| why.to_string())
    }
}

impl Value for SocketAddr {
    const FORM: &'static str = "IP address and port, such as `127.0.0.1:8071` or `[::]:8071`";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` is no IP address with a port"))
    }
}

impl Value for SignatureHeaders {
    const FORM: &'static str = "`standard`, `svix` or `both`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "standard" => Ok(Self::Standard),
            "svix" => Ok(Self::Svix),
            "both" => Ok(Self::Both),
            _ => Err(format!("`{text}` is none of these")),
        }
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Value for LogFormat {
    const FORM: &'static str = "`text` or `json`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is neither")),
        }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// Units of size, largest first, so that a size is written in the largest that divides it.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
    ("B", 1),
];

impl Value for Size {
    const FORM: &'static str = "size with a unit (B, KiB, MiB, GiB, KB, MB, GB), such as `64MiB`";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size with a unit");
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let number: u64 = text[..end].parse().map_err(|_| wrong())?;
        let unit = text[end..].trim_start();
        // A bare number can only be meant in bytes.
        let unit = if unit.is_empty() { "B" } else { unit };
        let named = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, factor) = named.ok_or_else(wrong)?;
        number.checked_mul(*factor).map(Self).ok_or_else(wrong)
    }
}

/// A size for people, in the largest binary unit that it fills.
pub(crate) fn format_size(bytes: u64) -> String {
    let binary = UNITS.iter().filter(|(name, _)| name.ends_with("iB"));
    match binary.into_iter().find(|(_, factor)| bytes >= *factor) {
        Some((name, factor)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*factor);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// In one file.
    Sqlite(PathBuf),
    /// In a database that any number of servers share.
    Postgres(Box<PostgresAddress>),
}

impl Value for StoreUrl {
    const FORM: &'static str =
        "`sqlite:` and the path of a file, or `postgres://user@host/database`";
    const SECRET: Secrecy = Secrecy::Password;

    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err("there is no path after `sqlite:`".into()),
            Some(path) => Ok(Self::Sqlite(path.into())),
            None if is_postgres(text) => {
                address(text).map(|address| Self::Postgres(Box::new(address)))
            }
            None => Err("it begins with neither `sqlite:` nor `postgres://`".into()),
        }
    }
}

fn is_postgres(text: &str) -> bool {
    ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

fn address(text: &str) -> Result<PostgresAddress, String> {
    text.parse()
        .map_err(|error: ringbolt_store::AddressError| error.to_string())
}

impl Value for PostgresAddress {
    const FORM: &'static str = "`postgres://user@host/database`";
    const SECRET: Secrecy = Secrecy::Password;

    fn parse(text: &str) -> Result<Self, String> {
        address(text)
    }
}

/// A web address without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl(pub(crate) String);

impl Value for HttpUrl {
    const FORM: &'static str = "URL, such as `https://hooks.example.com`";

    fn parse(text: &str) -> Result<Self, String> {
        // An error may end up in a log, and a password with it.
        let shown = without_password(text);
        let uri: http::Uri = text.parse().map_err(|_| format!("`{shown}` is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(format!(
                "`{shown}` begins with neither http:// nor https://"
            ));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(format!("`{shown}` has more than a host and a path"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for EgressProxy {
    const FORM: &'static str = "URL: `http://[USER:PASSWORD@]HOST:PORT` or `socks5://…`";
    const SECRET: Secrecy = Secrecy::Password;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|why: ringbolt_net::SettingsError| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(Size::parse("64MiB"), Ok(Size(64 << 20)));
        assert_eq!(Size::parse("1 mb"), Ok(Size(1_000_000)));
        assert_eq!(Size::parse("1500"), Ok(Size(1500)));
        assert!(Size::parse("999999999999GiB").is_err());
        assert_eq!(
            Size::parse("MiB"),
            Err("`MiB` is no size with a unit".into())
        );
        assert_eq!(
            Size::parse("1 parsec"),
            Err("`1 parsec` is no size with a unit".into())
        );
        assert_eq!(format_size(1536), "1.5 KiB");
        assert_eq!(format_size(12), "12 B");
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(
            <Duration as Value>::parse("15s"),
            Ok(Duration::from_secs(15))
        );
        assert_eq!(
            <Duration as Value>::parse("250ms"),
            Ok(Duration::from_millis(250))
        );
        assert!(<Duration as Value>::parse("15").is_err());
        assert!(<Duration as Value>::parse("soon").is_err());
    }

    #[test]
    fn the_attempts_to_one_endpoint_are_as_many_as_an_endpoint_can_ask_for() {
        assert!(Concurrency::FORM.ends_with(&format!(" to {MAX_CONCURRENCY}")));
        assert!(Concurrency::parse("1").is_ok() && Concurrency::parse("1000").is_ok());
        for wrong in ["0", "1001", "65536", "-1", "ten", ""] {
            assert!(Concurrency::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_store_is_a_file_of_sqlite() {
        assert_eq!(
            StoreUrl::parse("sqlite:a/b.db"),
            Ok(StoreUrl::Sqlite("a/b.db".into()))
        );
        assert!(StoreUrl::parse("sqlite:").is_err());
        assert!(StoreUrl::parse("a/b.db").is_err());
    }

    #[test]
    fn a_public_url_loses_its_last_slash() {
        let url = HttpUrl::parse("https://hooks.example.com/in/").unwrap();
        assert_eq!(url.0, "https://hooks.example.com/in");
        assert!(HttpUrl::parse("ftp://example.com").is_err());
        assert!(HttpUrl::parse("hooks.example.com").is_err());
        assert!(HttpUrl::parse("http://example.com?a=b").is_err());
    }
}
