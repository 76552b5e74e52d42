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

    /// Something else about a setting.
    pub(crate) fn about(key: &str, why: &str) -> Self {
        Self(format!("`{key}`: {why}"))
    }
}

/// The setting whose key is most like this one: as a whole, or in its last part, since forgetting
/// the group is the commonest slip.
fn nearest(key: &str) -> &'static Setting {
    let likeness = |setting: &Setting| {
        let whole = strsim::normalized_damerau_levenshtein(key, setting.key);
        let (_, last) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        let (_, written) = key.rsplit_once('.').unwrap_or(("", key));
        whole.max(0.9 * strsim::normalized_damerau_levenshtein(written, last))
    };
    let best = all_settings().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.expect("there are settings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_through_slips_and_missing_groups() {
        assert_eq!(
            nearest("delivery.retry_shedule").key,
            "delivery.retry_schedule"
        );
        assert_eq!(nearest("lisen").key, "listen");
        assert_eq!(nearest("timeout").key, "delivery.timeout");
        assert_eq!(nearest("net.allow_networks").key, "delivery.allow_networks");
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
