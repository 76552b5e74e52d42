//! What is in force, each value with its origin, and no secret among them.

use std::fmt::Write as _;

use super::layers::Layers;
use super::{Config, Setting, all_settings, default_workers};

/// What stands for a secret that is set.
const MASK: &str = "••••••••";

/// Every setting on a line of its own: key, value, origin.
pub(crate) fn listing(config: &Config, layers: &Layers) -> String {
    let rows: Vec<_> = all_settings()
        .map(|setting| row(setting, config, layers))
        .collect();
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

/// The text without what stands before the `@` of a URL.
pub(crate) fn without_password(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let at = rest[..end].rfind('@')?;
        Some(format!("{scheme}://{MASK}{}", &rest[at..]))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

type Row = (&'static str, String, String);

fn row(setting: &Setting, config: &Config, layers: &Layers) -> Row {
    let (text, origin) = match layers.get(setting.key) {
        Some(entry) => (entry.text.clone(), entry.origin.describe(setting.key)),
        None => (setting.default.to_owned(), "default".to_owned()),
    };
    match (text.is_empty(), setting.secret) {
        (true, _) => {
            let (text, origin) = unset(setting.key, config).unwrap_or(("(none)".into(), origin));
            (setting.key, text, origin)
        }
        (false, true) => (setting.key, MASK.into(), origin),
        (false, false) => (setting.key, without_password(&text), origin),
    }
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
        let text = listing(&Config::read(&layers).unwrap(), &layers);
        assert!(
            !text.contains("horse") && !text.contains("hunter2") && !text.contains("sesame"),
            "{text}"
        );
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line("admin_token").ends_with("environment variable RINGBOLT_ADMIN_TOKEN"));
        assert!(line("delivery.timeout").contains("3s"));
        assert!(line("public_url").contains("@hooks.example.com/in"));
        assert_eq!(text.lines().count(), all_settings().count());
    }
}
