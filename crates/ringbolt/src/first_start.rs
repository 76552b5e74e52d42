//! What is made at the first start: the data folder, the admin token, the encryption key.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::config::value::{EncryptionKeys, Secret, Value as _};
use crate::config::{Config, ConfigError, Problem};
use crate::ownership::denied;

/// The file with the admin token, beside the store.
pub(crate) const TOKEN_FILE: &str = "admin-token";
/// The file with the encryption key, beside the store.
pub(crate) const KEY_FILE: &str = "encryption-key";

/// What encrypts at rest, and what was found where the store is to be.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// What encrypts at rest.
    pub(crate) keys: EncryptionKeys,
    /// Their file, unless they were configured.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether that file is new.
    pub(crate) key_is_new: bool,
    /// Whether there was no store before.
    pub(crate) store_is_new: bool,
    /// Secrets that were there before the store was: those of another one.
    pub(crate) older_than_the_store: Vec<PathBuf>,
}

/// What may do everything.
#[derive(Debug)]
pub(crate) struct AdminToken {
    /// The token.
    pub(crate) token: Secret,
    /// Its file, unless it was configured.
    pub(crate) file: Option<PathBuf>,
    /// Whether that file is new.
    pub(crate) is_new: bool,
}

/// Makes the folder, the store's file and the encryption key, unless they are there.
///
/// # Errors
/// If a file cannot be made or read, or holds something else. Where the store's file is that of another
/// program, nothing is made.
pub(crate) fn prepare(config: &Config) -> anyhow::Result<Secrets> {
    let Some(store) = config.store_file() else {
        return configured(config);
    };
    ringbolt_store::refuse_foreign(store)
        .with_context(|| format!("cannot open the store {}", store.display()))?;
    make_folder(config.data_folder())?;
    let older_than_the_store = older_than_the_store(config);
    let store_is_new = fs::metadata(store).map_or(true, |file| file.len() == 0);
    keep_private(store)?;
    let (keys, key_file, key_is_new) = encryption_keys(config)?;
    Ok(Secrets {
        keys,
        key_file,
        key_is_new,
        store_is_new,
        older_than_the_store,
    })
}

/// Secrets that were configured, since several nodes need the same.
fn configured(config: &Config) -> anyhow::Result<Secrets> {
    let keys = config.general.encryption_key.clone();
    Ok(Secrets {
        keys: keys.context("encryption_key is not set")?,
        key_file: None,
        key_is_new: false,
        store_is_new: false,
        older_than_the_store: Vec::new(),
    })
}

/// The encryption keys, their file unless they are configured, and whether it was made just now.
fn encryption_keys(config: &Config) -> anyhow::Result<(EncryptionKeys, Option<PathBuf>, bool)> {
    if let Some(keys) = &config.general.encryption_key {
        return Ok((keys.clone(), None, false));
    }
    let path = config.data_folder().join(KEY_FILE);
    if !path.exists() && config.store_file().is_some_and(holds_data) {
        bail!(
            "the encryption key of {} is missing: put it back as {} or set RINGBOLT_ENCRYPTION_KEY",
            config.store_shown(),
            path.display(),
        );
    }
    let (text, new) = read_or_make(&path, config.data_folder(), || random(&STANDARD))?;
    let keys = understood("encryption_key", EncryptionKeys::parse(text.trim()), &path)?;
    Ok((keys, Some(path), new))
}

/// Makes the admin token, unless it is configured or there. Only beside a store that has opened: a start
/// that fails leaves none that nobody asked for.
///
/// # Errors
/// If its file cannot be made or read, or holds something else.
pub(crate) fn admin_token(config: &Config) -> anyhow::Result<AdminToken> {
    if let Some(token) = &config.general.admin_token {
        return Ok(AdminToken {
            token: token.clone(),
            file: None,
            is_new: false,
        });
    }
    let path = config.data_folder().join(TOKEN_FILE);
    let (text, is_new) = read_or_make(&path, config.data_folder(), || random(&URL_SAFE_NO_PAD))?;
    Ok(AdminToken {
        token: understood("admin_token", Secret::parse(text.trim()), &path)?,
        file: Some(path),
        is_new,
    })
}

/// The files with secrets that lie where a store is about to be made: they were made with another one.
fn older_than_the_store(config: &Config) -> Vec<PathBuf> {
    if config.store_file().is_none_or(Path::exists) {
        return Vec::new();
    }
    let files = [KEY_FILE, TOKEN_FILE].map(|name| config.data_folder().join(name));
    files.into_iter().filter(|file| file.exists()).collect()
}

/// The admin token in force, if there is one already.
pub(crate) fn existing_token(config: &Config) -> anyhow::Result<Secret> {
    if let Some(token) = &config.general.admin_token {
        return Ok(token.clone());
    }
    let path = config.data_folder().join(TOKEN_FILE);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("set RINGBOLT_ADMIN_TOKEN; {}", unreadable(&path)))?;
    understood("admin_token", Secret::parse(text.trim()), &path)
}

/// The encryption keys in force, if there are any already.
pub(crate) fn existing_keys(config: &Config) -> anyhow::Result<Option<EncryptionKeys>> {
    if let Some(keys) = &config.general.encryption_key {
        return Ok(Some(keys.clone()));
    }
    Ok(keys_in_file(config)?.map(|(_, keys)| keys))
}

/// The encryption keys in the file beside the store, in force or not, and where that is.
pub(crate) fn keys_in_file(config: &Config) -> anyhow::Result<Option<(PathBuf, EncryptionKeys)>> {
    let path = config.data_folder().join(KEY_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.with_context(|| unreadable(&path))?;
    let keys = understood("encryption_key", EncryptionKeys::parse(text.trim()), &path)?;
    Ok(Some((path, keys)))
}

fn understood<T>(key: &str, parsed: Result<T, String>, path: &Path) -> anyhow::Result<T> {
    parsed.map_err(|why| {
        let why = format!("file {}: {why}", path.display());
        ConfigError::of(Problem::about(key, &why)).into()
    })
}

/// Whether the file is a database of ours by its header, so that there may be secrets in it. What else
/// it may be, the store says.
fn holds_data(store: &Path) -> bool {
    let mut header = [0; 100];
    let read = File::open(store).and_then(|mut file| file.read_exact(&mut header));
    // The format of SQLite's header: a text, and from byte 68 on a number that tells whose it is.
    read.is_ok() && header.starts_with(b"SQLite format 3\0") && header[68..72] != [0; 4]
}

/// Makes the folder readable for nobody else; one that is there is left as it is.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))
}

/// The database would be made as readable as the user's mask allows: payloads are in it, so the file
/// is made first. What the database makes beside it takes the same mode.
fn keep_private(store: &Path) -> anyhow::Result<()> {
    match private_file(store) {
        Ok(_) => Ok(()),
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            warn_if_open_to_others(store);
            Ok(())
        }
        Err(why) => Err(why)
            .with_context(|| format!("cannot make {}{}", store.display(), denied(&[store], true))),
    }
}

fn private_file(path: &Path) -> std::io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// What the file holds, and whether it was made just now. It appears whole or not at all, so that no
/// crash leaves an empty secret behind.
fn read_or_make(
    path: &Path,
    folder: &Path,
    make: impl FnOnce() -> anyhow::Result<Zeroizing<String>>,
) -> anyhow::Result<(Zeroizing<String>, bool)> {
    if path.exists() {
        warn_if_open_to_others(path);
        let text = fs::read_to_string(path);
        let text = text.with_context(|| unreadable(path))?;
        return Ok((Zeroizing::new(text), false));
    }
    let text = make()?;
    write_whole(path, folder, &text).with_context(|| format!("cannot make {}", path.display()))?;
    Ok((text, true))
}

/// What is said of a file that cannot be read.
fn unreadable(path: &Path) -> String {
    format!("cannot read {}{}", path.display(), denied(&[path], false))
}

fn write_whole(path: &Path, folder: &Path, text: &str) -> anyhow::Result<()> {
    // Nobody else can read a temporary file.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{text}")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

fn warn_if_open_to_others(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = %format_args!("{mode:o}"),
            "others on this machine can read this file: chmod 600",
        );
    }
}

/// 32 bytes of the operating system's randomness, as text.
fn random(base64: &GeneralPurpose) -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).context("the operating system gives no randomness")?;
    Ok(Zeroizing::new(base64.encode(*bytes)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ringbolt_store::SqliteStore;

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::{Layers, Sources};
    use crate::wiring;

    fn config(folder: &Path) -> Config {
        let store = format!("sqlite:{}", folder.join("data/ringbolt.db").display());
        let environment = vec![("RINGBOLT_STORE".to_owned(), store)];
        let layers = Layers::merge(Sources {
            environment,
            ..Sources::default()
        });
        Config::read(&layers.unwrap()).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_are_made_once_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let first = prepare(&config).unwrap();
        let token = admin_token(&config).unwrap();
        let (second, again) = (prepare(&config).unwrap(), admin_token(&config).unwrap());
        assert!(first.key_is_new && !second.key_is_new);
        assert!(token.is_new && !again.is_new);
        assert_eq!(token.token.reveal(), again.token.reveal());
        assert_eq!(first.keys.reveal()[0], second.keys.reveal()[0]);
        let data = folder.path().join("data");
        assert_eq!(mode(&data), 0o700);
        for name in [TOKEN_FILE, KEY_FILE, "ringbolt.db"] {
            assert_eq!(mode(&data.join(name)), 0o600, "{name}");
        }
        assert_eq!(
            existing_token(&config).unwrap().reveal(),
            token.token.reveal()
        );
    }

    #[test]
    fn nothing_is_made_beside_a_file_that_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(
            config.store_file().unwrap(),
            "notes of somebody's, and long enough for a header\n".repeat(9),
        )
        .unwrap();
        let why = format!("{:#}", prepare(&config).unwrap_err());
        assert!(why.contains("not a Ringbolt database"), "{why}");
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "the file itself");
    }

    #[test]
    fn a_store_that_is_made_beside_the_secrets_of_another_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let older = || {
            let secrets = prepare(&config).unwrap();
            admin_token(&config).unwrap();
            secrets.older_than_the_store
        };
        assert_eq!(older(), Vec::<PathBuf>::new(), "the first start");
        assert_eq!(older(), Vec::<PathBuf>::new(), "the second start");
        fs::remove_file(config.store_file().unwrap()).unwrap();
        let data = folder.path().join("data");
        assert_eq!(older(), [data.join(KEY_FILE), data.join(TOKEN_FILE)]);
        fs::remove_file(config.store_file().unwrap()).unwrap();
        fs::remove_file(data.join(KEY_FILE)).unwrap();
        assert_eq!(older(), [data.join(TOKEN_FILE)]);
        assert_eq!(older(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_lost_encryption_key_is_not_replaced_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let secrets = prepare(&config).unwrap();
        assert!(secrets.store_is_new);
        let clock = Arc::new(SystemClock::start());
        let store = SqliteStore::open(wiring::sqlite(
            &config,
            config.store_file().unwrap(),
            &secrets.keys,
            clock,
        ))
        .unwrap();
        drop(store);
        assert!(!prepare(&config).unwrap().store_is_new);
        fs::remove_file(folder.path().join("data").join(KEY_FILE)).unwrap();
        let why = prepare(&config).unwrap_err().to_string();
        assert!(why.contains("is missing"), "{why}");
    }
}
