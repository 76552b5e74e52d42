//! How long texts of a user's own may be: they are shown in lists of many.

use ringbolt_gate::Faults;

/// The most bytes of a description.
pub(crate) const DESCRIPTION: usize = 4096;
/// The most bytes of an application's name.
pub(crate) const NAME: usize = 1024;
/// The most bytes of a word or two: a flag, a heading, a session, the name of a key.
pub(crate) const LABEL: usize = 256;

/// A text that may be empty.
pub(crate) fn check_text(faults: &mut Faults, field: &str, text: Option<&str>, most: usize) {
    if text.is_some_and(|text| text.len() > most) {
        faults.add(field, format!("must have at most {most} bytes"));
    }
}

/// A text that says something, if there is one.
pub(crate) fn check_label(faults: &mut Faults, field: &str, text: Option<&str>) {
    if text.is_some_and(|text| !is_label(text)) {
        faults.add(field, format!("must have 1 to {LABEL} bytes"));
    }
}

/// Whether a text is neither empty nor too long for a label.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=LABEL).contains(&text.len())
}
