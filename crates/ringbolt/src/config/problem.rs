//! What can be wrong with a configuration, said so that it can be put right.

use std::fmt;
use std::path::Path;

use super::all_settings;
use super::layers::Origin;
use super::setting::Setting;

/// All that is wrong with a configuration; the process ends with code 78.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ConfigError(pub(crate) Vec<Problem>);

impl ConfigError {
    /// One thing is wrong.
    pub(crate) fn of(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Problem(text)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "configuration: {text}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl Problem {
    /// A file cannot be read.
    pub(crate) fn file(path: &Path, why: String) -> Self {
        Self(format!("{}: {}", path.display(), why.trim_end()))
    }

    /// There is no such setting.
    pub(crate) fn unknown(key: &str, origin: &Origin) -> Self {
        let nearest = origin.spell(nearest(key).key);
        Self(match origin {
            Origin::Environment => {
                format!(
                    "environment variable {} is no setting; the nearest is {nearest}",
                    origin.spell(key)
                )
            }
            Origin::Flag(name) => format!("{name} is no setting; the nearest is {nearest}"),
            Origin::File(_) | Origin::Default => {
                format!("`{key}` in {origin} is no setting; the nearest is `{nearest}`")
            }
        })
    }

    /// The value of a setting is wrong.
    pub(crate) fn wrong(setting: &Setting, origin: &Origin, why: &str) -> Self {
        let (key, form) = (setting.key, setting.form);
        Self(format!(
            "`{key}` ({}): {why}; expected: {form}",
            origin.describe(key)
        ))
    }

    /// The value looks right, but what it names cannot be used.
    pub(crate) fn unusable(key: &str, origin: &Origin, why: &str) -> Self {
        Self(format!("`{key}` ({}): {why}", origin.describe(key)))
    }

    /// A secret where everybody on the machine can read it.
    pub(crate) fn exposed(key: &str, flag: &str) -> Self {
        Self(format!(
            "`{key}` (flag {flag}): it is a secret, and arguments can be read by everybody on this machine: \
             set it in the environment or the file"
        ))
    }

    /// Something else about a setting.
    pub(crate) fn about(key: &str, why: &str) -> Self {
        Self(format!("`{key}`: {why}"))
    }
}

/// What others call it, where no likeness of letters leads to the key.
const ELSEWHERE: &[(&str, &str)] = &[
    ("port", "listen"),
    ("host", "listen"),
    ("bind", "listen"),
    ("addr", "listen"),
    ("address", "listen"),
    ("db", "store"),
    ("database", "store"),
    ("database_url", "store"),
    ("dsn", "store"),
    ("data", "store"),
    ("token", "admin_token"),
    ("secret", "encryption_key"),
    ("url", "public_url"),
    ("proxy", "delivery.egress_proxy"),
    ("cert", "tls.certificate"),
    ("ca", "net.extra_roots"),
    ("dns", "net.resolver"),
    ("threads", "runtime.workers"),
    ("grace", "runtime.shutdown_grace"),
];

/// The setting that was most likely meant.
fn nearest(key: &str) -> &'static Setting {
    let called = ELSEWHERE.iter().find(|(name, _)| *name == key);
    let key = called.map_or(key, |(_, ours)| ours);
    // The first of those that are equally like it.
    let best = all_settings().min_by(|a, b| likeness(key, b.key).total_cmp(&likeness(key, a.key)));
    best.expect("there are settings")
}

/// How much a key is like another: as a whole, in its last part, since forgetting the group is the
/// commonest slip, or in one word of that. A word that was begun counts more than one like it: what
/// is short has few letters that could agree.
fn likeness(written: &str, key: &str) -> f64 {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let (name, ours) = (last(written), last(key));
    let begun = |a: &str, b: &str| a.len() >= 3 && b.starts_with(a);
    let alike = |a: &str, b: &str| {
        let letters = strsim::normalized_damerau_levenshtein(a, b);
        if begun(a, b) {
            letters.max(0.85)
        } else {
            letters
        }
    };
    let word = ours.split('_').map(|word| alike(&name, word));
    let word = word.fold(0.0_f64, f64::max);
    // A key at the top is one that was written without a group.
    let whole = alike(written, key);
    whole.max(0.9 * alike(&name, &ours)).max(0.8 * word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_through_slips_and_missing_groups() {
        for (written, meant) in [
            ("delivery.retry_shedule", "delivery.retry_schedule"),
            ("retry_schedule", "delivery.retry_schedule"),
            ("lisen", "listen"),
            ("listn", "listen"),
            ("list", "listen"),
            ("port", "listen"),
            ("stor", "store"),
            ("sotre", "store"),
            ("store_url", "store"),
            ("database_url", "store"),
            ("timeout", "delivery.timeout"),
            ("net.allow_networks", "delivery.allow_networks"),
            ("networks", "delivery.allow_networks"),
            ("proxies", "trusted_proxies"),
            ("trusted", "trusted_proxies"),
            ("encryption", "encryption_key"),
            ("admin", "admin_token"),
            ("public", "public_url"),
            ("base_url", "public_url"),
            ("log_format", "log.format"),
            ("tls_key", "tls.key"),
            ("tls.cert", "tls.certificate"),
            ("worker", "runtime.workers"),
        ] {
            assert_eq!(nearest(written).key, meant, "{written}");
        }
    }

    #[test]
    fn an_unknown_key_is_spelled_as_where_it_came_from() {
        let Problem(text) = Problem::unknown("delivery.tiemout", &Origin::Environment);
        assert!(text.contains("RINGBOLT_DELIVERY__TIEMOUT"), "{text}");
        assert!(text.ends_with("RINGBOLT_DELIVERY__TIMEOUT"), "{text}");
        let Problem(text) = Problem::unknown("lisen", &Origin::File("/etc/ringbolt.toml".into()));
        assert_eq!(
            text,
            "`lisen` in /etc/ringbolt.toml is no setting; the nearest is `listen`"
        );
    }
}
