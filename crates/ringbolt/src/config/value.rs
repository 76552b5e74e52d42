//! How the text of a setting becomes a value, and what such a text looks like.

mod lists;
mod plain;
mod secrets;

pub(crate) use lists::{NameServers, Networks, Origins, Ports};
pub(crate) use plain::{HttpUrl, LogFormat, Size, StoreUrl, format_size};
pub(crate) use secrets::{EncryptionKeys, Secret};

/// A kind of value that a setting can have.
pub(crate) trait Value: Sized {
    /// What its text looks like, for messages and documentation.
    const FORM: &'static str;
    /// Whether it must never be shown.
    const SECRET: bool = false;

    /// Reads it.
    ///
    /// # Errors
    /// Why the text is no such value. The reason never repeats the text of a secret.
    fn parse(text: &str) -> Result<Self, String>;
}

impl<T: Value> Value for Option<T> {
    const FORM: &'static str = T::FORM;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(None)
        } else {
            T::parse(text).map(Some)
        }
    }
}
