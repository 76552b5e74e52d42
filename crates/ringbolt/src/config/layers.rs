//! Where settings come from, merged: which text is in force for a key, and who said so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use figment::providers::{Data, Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::of_kubernetes::is_of_kubernetes;
use super::problem::{ConfigError, Problem};
use super::setting::{PREFIX, Setting, variable};
use super::value::Secrecy;
use super::{all_settings, is_group};

/// Variables with our prefix that are no settings.
const NO_SETTINGS: [&str; 2] = ["RINGBOLT_BIN", FILE_VARIABLE];
/// The variable that names the file.
const FILE_VARIABLE: &str = "RINGBOLT_CONFIG";
/// Variables that begin so belong to the tests.
const OF_TESTS: &str = "RINGBOLT_TEST_";
/// The file that is read when none is named and it is there.
pub(crate) const DEFAULT_FILE: &str = "ringbolt.toml";

/// What the layers are made of.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The file that was named; then it must be there.
    pub(crate) file: Option<PathBuf>,
    /// The environment: names and values.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags: key, value, and the flag as it was written.
    pub(crate) flags: Vec<Flag>,
}

/// A setting that was given as a flag.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    /// Its key.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: String,
    /// The flag, for messages: `--listen`, `--set delivery.timeout`.
    pub(crate) name: String,
}

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody.
    Default,
    /// A line of the file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// A flag, as it is written.
    Flag(String),
}

impl Origin {
    /// The key as it is spelled where it came from.
    pub(crate) fn spell(&self, key: &str) -> String {
        match self {
            Self::Default | Self::File(_) => key.to_owned(),
            Self::Environment => variable(key),
            Self::Flag(name) if name.starts_with("--set") => format!("--set {key}"),
            Self::Flag(_) => format!("--{}", key.replace(['_', '.'], "-")),
        }
    }

    /// Who set this key, for people.
    pub(crate) fn describe(&self, key: &str) -> String {
        match self {
            Self::Default => "default".into(),
            Self::File(path) => format!("file {}", path.display()),
            Self::Environment => format!("environment variable {}", variable(key)),
            Self::Flag(name) => format!("flag {name}"),
        }
    }
}

/// A text that is in force.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// All keys that somebody set, known or not.
#[derive(Debug, Default)]
pub(crate) struct Layers(BTreeMap<String, Entry>);

impl Layers {
    /// Merges the sources.
    ///
    /// # Errors
    /// If the file cannot be read or is no TOML.
    pub(crate) fn merge(sources: Sources) -> Result<Self, ConfigError> {
        let mut all = Figment::new();
        if let Some(file) = ConfigFile::of(&sources) {
            all = all.merge(file.read()?);
        }
        all = all.merge(Texts::environment(&sources.environment));
        for flag in &sources.flags {
            let secret = |setting: &Setting| match setting.secret {
                Secrecy::Open => false,
                Secrecy::Whole => true,
                Secrecy::Password => !is_without_password(&flag.value),
            };
            if all_settings().any(|setting| setting.key == flag.key && secret(setting)) {
                return Err(ConfigError::of(Problem::exposed(&flag.key, &flag.name)));
            }
            all = all.merge(Texts::flag(flag));
        }
        let merged = all
            .data()
            .map_err(|why| ConfigError::of(Problem::about("configuration", &why.to_string())))?;
        let mut entries = BTreeMap::new();
        for dict in merged.into_values() {
            flatten(&all, "", dict, &mut entries);
        }
        Ok(Self(entries))
    }

    /// What was set for a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    /// Who set a key.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.get(key)
            .map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Every key that was set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(key, entry)| (key.as_str(), entry))
    }
}

/// The file to read.
struct ConfigFile {
    path: PathBuf,
    /// Who named it.
    origin: &'static str,
}

impl ConfigFile {
    /// The one that was named, or the usual one if it is there.
    fn of(sources: &Sources) -> Option<Self> {
        let named = |path: PathBuf, origin| Self { path, origin };
        if let Some(path) = &sources.file {
            return Some(named(path.clone(), "flag --config"));
        }
        let mut variables = sources.environment.iter();
        if let Some((_, path)) = variables.find(|(name, _)| name == FILE_VARIABLE) {
            return Some(named(path.into(), "environment variable RINGBOLT_CONFIG"));
        }
        let usual = PathBuf::from(DEFAULT_FILE);
        usual.exists().then(|| named(usual, "the usual name"))
    }

    fn read(self) -> Result<Data<Toml>, ConfigError> {
        let wrong = |why: String| ConfigError::of(Problem::file(&self.path, self.origin, &why));
        std::fs::metadata(&self.path).map_err(|why| wrong(why.to_string()))?;
        let file = Toml::file_exact(&self.path);
        file.data().map_err(|why| wrong(why.kind.to_string()))?;
        Ok(file)
    }
}

/// Collects the leaves of a merged tree under their dotted keys.
fn flatten(all: &Figment, above: &str, dict: Dict, into: &mut BTreeMap<String, Entry>) {
    for (name, value) in dict {
        let key = if above.is_empty() {
            name
        } else {
            format!("{above}.{name}")
        };
        let origin = origin(all, &value);
        match value {
            // A group without a setting is nothing, unless there is no such group.
            Value::Dict(_, dict) if dict.is_empty() && !is_group(&key) => {
                let text = String::new();
                into.insert(key, Entry { text, origin });
            }
            Value::Dict(_, dict) => flatten(all, &key, dict, into),
            value => {
                into.insert(
                    key,
                    Entry {
                        text: text(value),
                        origin,
                    },
                );
            }
        }
    }
}

/// The text of a value: a list becomes its parts with commas, so that file and environment agree.
fn text(value: Value) -> String {
    match value {
        Value::String(_, text) => text,
        Value::Char(_, one) => one.into(),
        Value::Bool(_, yes) => yes.to_string(),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(whole)) => whole.to_string(),
            (None, None) => number
                .to_f64()
                .map(|fraction| fraction.to_string())
                .unwrap_or_default(),
        },
        Value::Array(_, parts) => parts.into_iter().map(text).collect::<Vec<_>>().join(","),
        Value::Empty(..) | Value::Dict(..) => String::new(),
    }
}

fn origin(all: &Figment, value: &Value) -> Origin {
    let Some(from) = all.get_metadata(value.tag()) else {
        return Origin::Default;
    };
    match &from.source {
        Some(Source::File(path)) => Origin::File(path.clone()),
        Some(Source::Custom(flag)) => Origin::Flag(flag.clone()),
        _ => Origin::Environment,
    }
}

/// A layer of texts: the library's own would turn a token of digits into a number.
struct Texts {
    metadata: Metadata,
    values: Vec<(String, String)>,
}

impl Texts {
    fn environment(variables: &[(String, String)]) -> Self {
        let ours = variables.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX)?;
            let other = NO_SETTINGS.contains(&name.as_str())
                || name.starts_with(OF_TESTS)
                || is_of_kubernetes(key, value);
            (!other).then(|| (key.to_lowercase().replace("__", "."), value.clone()))
        });
        Self {
            metadata: Metadata::named("environment"),
            values: ours.collect(),
        }
    }

    fn flag(flag: &Flag) -> Self {
        let metadata = Metadata::named("flag").source(flag.name.clone());
        Self {
            metadata,
            values: vec![(flag.key.clone(), flag.value.clone())],
        }
    }
}

impl Provider for Texts {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Dict::new();
        for (key, value) in &self.values {
            insert(&mut all, key, Value::from(value.as_str()));
        }
        Ok(Profile::Default.collect(all))
    }
}

/// Puts a value under a dotted key.
fn insert(into: &mut Dict, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            into.insert(key.into(), value);
        }
        Some((group, rest)) => {
            let inner = into
                .entry(group.into())
                .or_insert_with(|| Dict::new().into());
            match inner {
                Value::Dict(_, inner) => insert(inner, rest, value),
                // A group was set as if it were a value: keep the key whole, it is reported as unknown.
                _ => {
                    into.insert(key.into(), value);
                }
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}
/// Whether an address surely has no password in it: it is a file, or a database whose user is named alone.
fn is_without_password(address: &str) -> bool {
    if address.starts_with("sqlite:") {
        return true;
    }
    let Some(rest) = address
        .strip_prefix("postgres://")
        .or_else(|| address.strip_prefix("postgresql://"))
    else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    !user.contains(':') && !rest.to_ascii_lowercase().contains("password=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_on_the_command_line_has_no_password() {
        for fine in [
            "sqlite:a.db",
            "postgres://u@h/db",
            "postgres://h:5432,i:1/db?sslmode=require",
        ] {
            assert!(is_without_password(fine), "{fine}");
        }
        for secret in [
            "postgres://u:pw@h/db",
            "postgres://u@h/db?password=pw",
            "http://t@proxy",
        ] {
            assert!(!is_without_password(secret), "{secret}");
        }
    }
}
