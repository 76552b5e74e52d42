//! What is in force, each value with its origin, and no secret among them.

use std::fmt::Write as _;

use super::layers::Layers;
use super::value::Secrecy;
use super::{Config, Setting, all_settings, default_workers};
use crate::environment::LOG_FILTER;

/// What stands for a secret that is set.
const MASK: &str = "••••••••";

/// Every setting on a line of its own: key, value, origin. What is logged is set by a variable of its own.
pub(crate) fn listing(config: &Config, layers: &Layers, log_filter: Option<String>) -> String {
    let settings = all_settings().map(|setting| row(setting, config, layers));
    let rows: Vec<_> = settings.chain([log_row(log_filter)]).collect();
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max();
    let (keys, values) = (width(|row| row.0), width(|row| &row.1));
    let (keys, values) = (keys.unwrap_or(0), values.unwrap_or(0).min(40));
    let mut text = String::new();
    for (key, value, origin) in &rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key:keys$}  {value:values$}  {origin}");
    }
    text
}

/// The text without the password of a URL; what stands alone before the `@` may be one, too.
pub(crate) fn without_password(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let at = rest[..end].rfind('@')?;
        let user = rest[..at].find(':').map_or("", |colon| &rest[..=colon]);
        Some(format!("{scheme}://{user}{MASK}{}", &rest[at..]))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

fn log_row(filter: Option<String>) -> Row {
    let origin = if filter.is_some() {
        format!("environment variable {LOG_FILTER}")
    } else {
        "default".to_owned()
    };
    let filter = filter.filter(|text| !text.is_empty());
    (LOG_FILTER, filter.unwrap_or_else(|| "info".into()), origin)
}

type Row = (&'static str, String, String);

fn row(setting: &Setting, config: &Config, layers: &Layers) -> Row {
    let (text, origin) = match layers.get(setting.key) {
        Some(entry) => (entry.text.clone(), entry.origin.describe(setting.key)),
        None => (setting.default.to_owned(), "default".to_owned()),
    };
    if text.is_empty() {
        let (text, origin) = unset(setting.key, config).unwrap_or(("(none)".into(), origin));
        return (setting.key, text, origin);
    }
    let shown = match setting.secret {
        Secrecy::Whole => MASK.into(),
        Secrecy::Password | Secrecy::Open => without_password(&text),
    };
    (setting.key, shown, origin)
}

/// What holds for a setting that is empty, where that depends on others.
fn unset(key: &str, config: &Config) -> Option<(String, String)> {
    let file = |name: &str| {
        let path = config.data_folder().join(name);
        let made = if path.exists() {
            "file"
        } else {
            "made at the first start, file"
        };
        Some((MASK.to_owned(), format!("{made} {}", path.display())))
    };
    match key {
        "public_url" => Some((config.public_url(), "default, from listen".into())),
        "admin_token" => file(crate::first_start::TOKEN_FILE),
        "encryption_key" => file(crate::first_start::KEY_FILE),
        "runtime.workers" => Some((
            default_workers().to_string(),
            "default, from the number of cores".into(),
        )),
        "net.resolver" => Some(("(the system's)".into(), "default".into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, Sources};

    #[test]
    fn secrets_are_masked_and_origins_named() {
        let environment = [
            ("RINGBOLT_ADMIN_TOKEN", "correct-horse-battery"),
            (
                "RINGBOLT_DELIVERY__EGRESS_PROXY",
                "http://user:hunter2@proxy:3128",
            ),
            ("RINGBOLT_DELIVERY__TIMEOUT", "3s"),
            (
                "RINGBOLT_PUBLIC_URL",
                "https://user:sesame@hooks.example.com/in",
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sources = Sources {
            environment: environment.into(),
            ..Sources::default()
        };
        let layers = Layers::merge(sources).unwrap();
        let config = Config::read(&layers).unwrap();
        let text = listing(&config, &layers, Some("warn".to_owned()));
        assert!(
            !text.contains("horse") && !text.contains("hunter2") && !text.contains("sesame"),
            "{text}"
        );
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line("admin_token").ends_with("environment variable RINGBOLT_ADMIN_TOKEN"));
        assert!(line("delivery.timeout").contains("3s"));
        assert!(line("public_url").contains("@hooks.example.com/in"));
        assert!(line("delivery.egress_proxy").contains("http://user:••••••••@proxy:3128"));
        assert!(line("RUST_LOG").contains("warn"));
        assert!(line("RUST_LOG").ends_with("environment variable RUST_LOG"));
        assert_eq!(text.lines().count(), all_settings().count() + 1);
    }

    #[test]
    fn of_a_url_the_password_alone_is_masked() {
        for (text, shown) in [
            (
                "socks5://me:a:b@[::1]:1080",
                "socks5://me:••••••••@[::1]:1080",
            ),
            ("http://token@proxy:3128", "http://••••••••@proxy:3128"),
            ("http://proxy:3128/a@b", "http://proxy:3128/a@b"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
