//! How the text of a setting becomes a value, and what such a text looks like.

mod lists;
mod plain;
mod secrets;

pub(crate) use lists::{NameServers, Networks, Origins, Ports};
pub(crate) use plain::{Concurrency, HttpUrl, LogFormat, Size, StoreUrl, format_size};
pub(crate) use secrets::{EncryptionKeys, Secret};

/// How much of a value is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// Nothing.
    Open,
    /// The password of a URL, if it has one.
    Password,
    /// All of it.
    Whole,
}

/// A kind of value that a setting can have.
pub(crate) trait Value: Sized {
    /// What its text looks like, for messages and documentation.
    const FORM: &'static str;
    /// Whether it must never be shown.
    const SECRET: Secrecy = Secrecy::Open;

    /// Reads it.
    ///
    /// # Errors
    /// Why the text is no such value. The reason never repeats the text of a secret.
    fn parse(text: &str) -> Result<Self, String>;
}

impl<T: Value> Value for Option<T> {
    const FORM: &'static str = T::FORM;
    const SECRET: Secrecy = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(None)
        } else {
            T::parse(text).map(Some)
        }
    }
}
