//! Turns texts into values and collects everything that is wrong, so that it is told at once.

use super::all_settings;
use super::layers::Layers;
use super::problem::{ConfigError, Problem};
use super::setting::Setting;
use super::value::Value;

/// Reads values out of layers.
pub(crate) struct Reader<'a> {
    layers: &'a Layers,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Begins by looking for keys that are no settings.
    pub(crate) fn new(layers: &'a Layers) -> Self {
        let unknown = layers.iter().filter(|(key, _)| setting(key).is_none());
        let problems = unknown
            .map(|(key, entry)| Problem::unknown(key, &entry.origin))
            .collect();
        Self { layers, problems }
    }

    /// The value of a setting. One that is wrong is noted, and its default stands in until the end.
    pub(crate) fn read<V: Value>(&mut self, key: &'static str) -> V {
        let setting = setting(key).expect("every field of a group has its row in the table");
        if let Some(entry) = self.layers.get(key) {
            match V::parse(&entry.text) {
                Ok(value) => return value,
                Err(why) => self
                    .problems
                    .push(Problem::wrong(setting, &entry.origin, &why)),
            }
        }
        V::parse(setting.default).expect("every default is a value of its setting")
    }

    /// Notes that a value cannot be, for a reason that lies beside it.
    pub(crate) fn refuse(&mut self, key: &'static str, why: &str) {
        let origin = self.layers.origin(key);
        let setting = setting(key).expect("only settings are refused");
        self.problems.push(Problem::wrong(setting, &origin, why));
    }

    /// Everything that was wrong.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(self.problems))
        }
    }
}

fn setting(key: &str) -> Option<&'static Setting> {
    all_settings().find(|setting| setting.key == key)
}
