//! A field of a PATCH: left alone, cleared or set.

use serde::{Deserialize, Deserializer};

/// What a PATCH says about a field; to be used with `#[serde(default)]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Nothing: it stays as it is.
    #[default]
    Keep,
    /// `null`: it is cleared.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Patch<T> {
    /// The same about another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(change(value)),
        }
    }

    /// Does to a field what it says.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }

    /// Does to a value that has a natural empty one what it says.
    pub fn replace(self, value: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *value = T::default(),
            Self::Set(new) => *value = new,
        }
    }

    /// The value, if it is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            _ => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        uid: Patch<String>,
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        let read = |text| serde_json::from_str::<Body>(text).unwrap().uid;
        assert_eq!(read("{}"), Patch::Keep);
        assert_eq!(read(r#"{"uid":null}"#), Patch::Clear);
        assert_eq!(read(r#"{"uid":"x"}"#), Patch::Set("x".to_owned()));
    }
}
