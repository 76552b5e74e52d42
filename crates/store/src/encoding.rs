//! How values are written in columns, the same in every database: as JSON text, as one word, as a small number.

mod codes;
mod hours;
mod secrets;

pub(crate) use codes::{
    failure, failure_code, reason_code, settled_code, state, state_code, timings, timings_column,
};
pub(crate) use hours::{HOUR, hours};
pub(crate) use secrets::{
    headers_place, open_headers, open_secrets, seal_headers, seal_secrets, secrets_place,
};

use std::borrow::Cow;

use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::StoreError;

/// What the body of an expunged attempt reads.
pub(crate) const EXPUNGED: &[u8] = b"EXPUNGED";

/// A value as JSON text.
pub(crate) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// A value that serialises as one word, as that word.
pub(crate) fn word(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// Reads what [`word`] wrote.
pub(crate) fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, serde::de::value::Error> {
    let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(word)
}

/// Channels or tags as their column holds them; NULL means none.
pub(crate) fn labels_column(labels: &[impl Serialize]) -> Option<String> {
    (!labels.is_empty()).then(|| serde_json::to_string(labels).expect("they are text"))
}

/// A content type as its column holds it; NULL means JSON.
pub(crate) fn content_type_column(content_type: &str) -> Option<&str> {
    (content_type != ringbolt_model::message::JSON).then_some(content_type)
}

/// Text without NUL characters, which PostgreSQL refuses: another that stands for what cannot be shown takes their place.
pub(crate) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same, in place.
pub(crate) fn replace_nul(text: &mut String) {
    if let Cow::Owned(legible) = without_nul(text) {
        *text = legible;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_written_is_replaced() {
        let mut text = "a\0b\0".to_owned();
        replace_nul(&mut text);
        assert_eq!(text, "a\u{FFFD}b\u{FFFD}");
        assert!(matches!(without_nul("a\u{1}b"), Cow::Borrowed("a\u{1}b")));
    }
}
