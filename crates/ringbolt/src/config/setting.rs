//! One row of the table of settings, and the macro that makes a typed group and its rows at once.

use super::value::Secrecy;

/// A setting: its key, what it means, and what holds when nobody sets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Dotted path, as in the file's tables: `delivery.timeout`.
    pub(crate) key: &'static str,
    /// The value in force when nobody sets it, as text; empty stands for none.
    pub(crate) default: &'static str,
    /// What a value looks like.
    pub(crate) form: &'static str,
    /// What it means, for people; lines end with `\n`.
    pub(crate) doc: &'static str,
    /// How much of its value must never be shown.
    pub(crate) secret: Secrecy,
}

/// What every variable of the environment that is meant for us begins with.
pub(crate) const PREFIX: &str = "RINGBOLT_";

impl Setting {
    /// The name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        variable(self.key)
    }

    /// What it means, on one line.
    pub(crate) fn doc_line(&self) -> String {
        self.doc
            .lines()
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The environment variable of a key: `delivery.timeout` is `RINGBOLT_DELIVERY__TIMEOUT`.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Declares a group of settings. The comment of a field is its documentation everywhere: in the
/// code, in the template, in the book.
macro_rules! settings {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $key:literal, $default:expr;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(crate) struct $name {
            $($(#[doc = $doc])+ pub(crate) $field: $type,)+
        }

        impl $name {
            /// What the group is about.
            pub(crate) const ABOUT: &'static str = concat!($($about, "\n"),+);

            /// The rows of the table.
            pub(crate) const SETTINGS: &'static [$crate::config::setting::Setting] = &[
                $($crate::config::setting::Setting {
                    key: $key,
                    default: $default,
                    form: <$type as $crate::config::value::Value>::FORM,
                    doc: concat!($($doc, "\n"),+),
                    secret: <$type as $crate::config::value::Value>::SECRET,
                },)+
            ];

            /// Reads the group; what is wrong is noted in the reader.
            pub(crate) fn read(from: &mut $crate::config::reader::Reader<'_>) -> Self {
                Self { $($field: from.read($key),)+ }
            }
        }
    };
}

pub(crate) use settings;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_two_underscores_in_the_environment() {
        assert_eq!(variable("listen"), "RINGBOLT_LISTEN");
        assert_eq!(
            variable("delivery.retry_schedule"),
            "RINGBOLT_DELIVERY__RETRY_SCHEDULE"
        );
    }
}
