//! Says which encryption keys a copy needs, and where they are.

use std::path::Path;

use ringbolt_store::KeysInUse;

use crate::config::Config;
use crate::config::value::EncryptionKeys;
use crate::first_start;

/// Keys that were found in one place.
struct Origin {
    place: String,
    count: usize,
}

/// What a person has to know about the keys of the copy.
///
/// # Errors
/// If the file with the keys, or the copy, cannot be read.
pub(super) fn advice(config: &Config, copy: &Path) -> anyhow::Result<String> {
    let configured = config.general.encryption_key.clone();
    let configured = configured.map(|keys| {
        let place = config.origin("encryption_key");
        (format!("as configured ({place})"), keys)
    });
    let in_file = first_start::keys_in_file(config)?;
    let in_file = in_file.map(|(path, keys)| (path.display().to_string(), keys));
    let (mut origins, mut all) = (Vec::new(), Vec::new());
    for (place, keys) in configured.into_iter().chain(in_file) {
        // A key that is in both places is needed from the first only.
        let fresh = new_ones(&keys, &all);
        let count = fresh.len();
        all.extend(fresh);
        origins.push(Origin { place, count });
    }
    Ok(words(&ringbolt_store::keys_in_use(copy, &all)?, &origins))
}

fn new_ones(keys: &EncryptionKeys, known: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let keys = keys.reveal().iter().map(|key| **key);
    keys.filter(|key| !known.contains(key)).collect()
}

fn words(found: &KeysInUse, origins: &[Origin]) -> String {
    let mut needed = found.given.as_slice();
    let mut places = Vec::new();
    for origin in origins {
        let (own, rest) = needed.split_at(origin.count.min(needed.len()));
        needed = rest;
        let used = own.iter().filter(|used| **used).count();
        match used {
            0 => {}
            1 => places.push(format!("the key {}", origin.place)),
            used => places.push(format!("{used} keys {}", origin.place)),
        }
    }
    let mut text = match places.as_slice() {
        [] if !found.others => return "Nothing in it is encrypted: it needs no key.".into(),
        [] => String::new(),
        places => format!(
            "Keep with it, but elsewhere: {}. Without that the copy cannot be used.",
            places.join(" and "),
        ),
    };
    if found.others {
        let gap = if text.is_empty() { "" } else { "\n" };
        text += gap;
        text += "It needs an encryption key that is neither configured nor in the file beside the store: find it, or the copy cannot be used.";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(given: &[bool], others: bool) -> String {
        let origins = [("configured", 2), ("/data/encryption-key", 1)];
        let origins = origins.map(|(place, count)| Origin {
            place: place.into(),
            count,
        });
        let given = given.to_vec();
        words(&KeysInUse { given, others }, &origins)
    }

    #[test]
    fn only_keys_that_are_needed_are_named() {
        let text = said(&[true, false, false], false);
        assert!(
            text.contains("the key configured.") && !text.contains("/data"),
            "{text}"
        );
        let text = said(&[false, false, true], false);
        assert!(
            text.contains("the key /data/encryption-key.") && !text.contains("configured"),
            "{text}"
        );
        let text = said(&[true, true, true], false);
        assert!(
            text.contains("2 keys configured and the key /data/encryption-key."),
            "{text}"
        );
        assert!(said(&[false, false, false], false).contains("needs no key"));
    }

    #[test]
    fn a_key_that_is_nowhere_is_missed() {
        let text = said(&[false, false, false], true);
        assert!(
            text.starts_with("It needs an encryption key that is neither"),
            "{text}"
        );
        let text = said(&[true, false, false], true);
        assert!(
            text.contains("the key configured.") && text.contains("neither"),
            "{text}"
        );
    }
}
