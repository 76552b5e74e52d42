//! What can be wrong with a configuration, said so that it can be put right.

use std::fmt;
use std::path::Path;

use super::layers::Origin;
use super::setting::Setting;
use super::{GROUPS, all_settings, is_group};
use crate::environment::LOG_FILTER;

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
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl Problem {
    /// The configuration file that was named by `origin` cannot be read.
    pub(crate) fn file(path: &Path, origin: &str, why: &str) -> Self {
        Self(format!("{} ({origin}): {}", path.display(), why.trim_end()))
    }

    /// What says what is logged is wrong.
    pub(crate) fn log_filter(why: &str) -> Self {
        Self(format!(
            "`{LOG_FILTER}` (environment variable {LOG_FILTER}): {why}; expected: a level, and levels of parts, such as \
             `info` or `warn,ringbolt=debug`"
        ))
    }

    /// There is no such setting.
    pub(crate) fn unknown(key: &str, origin: &Origin) -> Self {
        let (setting, alike) = nearest(key);
        let nearest = origin.spell(setting.key);
        let groups = if alike < ALIKE {
            groups(key)
        } else {
            String::new()
        };
        Self(match origin {
            Origin::Environment => {
                format!(
                    "environment variable {} is no setting{groups}; the nearest is {nearest}",
                    origin.spell(key)
                )
            }
            Origin::Flag(name) => format!("{name} is no setting{groups}; the nearest is {nearest}"),
            Origin::File(_) | Origin::Default => {
                format!("`{key}` in {origin} is no setting{groups}; the nearest is `{nearest}`")
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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}", self.0)
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
    ("base_url", "public_url"),
    ("proxy", "delivery.egress_proxy"),
    ("cert", "tls.certificate"),
    ("ca", "net.extra_roots"),
    ("dns", "net.resolver"),
    ("threads", "runtime.workers"),
    ("grace", "runtime.shutdown_grace"),
];

/// How much a key has to be like another for somebody to have meant that.
const ALIKE: f64 = 0.5;

/// The groups that there are, where a key is in none of them.
fn groups(key: &str) -> String {
    let group = key.split('.').next().unwrap_or(key);
    if is_group(group) {
        return String::new();
    }
    let names = GROUPS.iter().map(|(name, ..)| *name);
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    format!(
        "; there is no section `{group}`, those that there are: {}",
        names.join(", ")
    )
}

/// The setting that was most likely meant, and how much it is like the key.
fn nearest(key: &str) -> (&'static Setting, f64) {
    let called = ELSEWHERE.iter().find(|(name, _)| *name == key);
    let key = called.map_or(key, |(_, ours)| ours);
    let all = all_settings().map(|setting| (setting, likeness(key, setting.key)));
    // The first of those that are equally like it.
    let best = all.min_by(|(_, a), (_, b)| b.total_cmp(a));
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
            let (setting, alike) = nearest(written);
            assert_eq!(setting.key, meant, "{written}");
            assert!(alike >= ALIKE, "{written}: {alike}");
        }
    }

    #[test]
    fn where_nothing_is_near_the_sections_are_named() {
        let origin = Origin::File("r.toml".into());
        let Problem(text) = Problem::unknown("nope.what", &origin);
        assert!(
            text.contains("no section `nope`, those that there are: log, tls, delivery, net, api"),
            "{text}"
        );
        let Problem(text) = Problem::unknown("deliver.timeout", &origin);
        assert!(!text.contains("section"), "{text}");
        let Problem(text) = Problem::unknown("delivery.zzz", &origin);
        assert!(!text.contains("section"), "{text}");
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
