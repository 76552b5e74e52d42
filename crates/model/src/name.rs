//! Names that users choose, checked once: uids, event types, channels.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no characters.
    #[error("must not be empty")]
    Empty,
    /// It has more characters than allowed.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// It has a character outside the allowed set.
    #[error("may contain only letters, digits and the characters {0}")]
    Character(&'static str),
    /// It looks like an id, so a path could not tell the two apart.
    #[error("must not begin with the prefix of an id ({0})")]
    LooksLikeId(&'static str),
}

fn check(text: &str, longest: usize, extra: &'static str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > longest {
        return Err(NameError::TooLong(longest));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    if text.chars().all(allowed) {
        Ok(())
    } else {
        Err(NameError::Character(extra))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $longest:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text, $longest, $extra)?;
                Ok(Self(text.into()))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// A user's own identifier of an application, endpoint or message: 1 to 256 of `[a-zA-Z0-9-_.]`.
    Uid, 256, "-_."
);
name!(
    /// The name of an event type: 1 to 256 of `[a-zA-Z0-9-_.]`.
    EventTypeName, 256, "-_."
);
name!(
    /// A channel of a message or endpoint: 1 to 128 of `[a-zA-Z0-9-_.:+]`.
    Channel, 128, "-_.:+"
);
name!(
    /// A tag of a message, to find it by: 1 to 128 of `[a-zA-Z0-9-_.:+]`.
    Tag, 128, "-_.:+"
);

impl Uid {
    /// A uid that cannot be taken for an id with this prefix (`app_`, `ep_`, `msg_`).
    ///
    /// # Errors
    /// If the text is no uid, or begins with `prefix`.
    pub fn distinct_from(text: &str, prefix: &'static str) -> Result<Self, NameError> {
        if text.starts_with(prefix) {
            return Err(NameError::LooksLikeId(prefix));
        }
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!("invoice.paid".parse::<EventTypeName>().is_ok());
        assert_eq!("".parse::<Uid>(), Err(NameError::Empty));
        assert_eq!("a b".parse::<Uid>(), Err(NameError::Character("-_.")));
        assert_eq!("x".repeat(257).parse::<Uid>(), Err(NameError::TooLong(256)));
        assert_eq!(
            Uid::distinct_from("app_1", "app_"),
            Err(NameError::LooksLikeId("app_"))
        );
        assert!("project:1+2".parse::<Channel>().is_ok());
    }
}
