//! Checks of a store in PostgreSQL; nothing is changed by them.

use std::sync::Arc;

use ringbolt_store::{PostgresLook, PostgresOpenError};

use super::Finding;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::config::value::StoreUrl;
use crate::{first_start, wiring};

/// Whether a server could open it.
pub(super) async fn store(config: &Config) -> Finding {
    let StoreUrl::Postgres(address) = &config.general.store else {
        return Finding::Good("it is a file".into());
    };
    let shown = address.shown();
    let keys = match first_start::existing_keys(config) {
        Ok(Some(keys)) => keys,
        Ok(None) => return Finding::Bad("set RINGBOLT_ENCRYPTION_KEY".into()),
        Err(why) => return Finding::Bad(format!("{why:#}")),
    };
    let settings = wiring::postgres(config, address, &keys, Arc::new(SystemClock::start()));
    match ringbolt_store::look(&settings).await {
        Ok(look) => judged(&shown, &look),
        Err(why) => Finding::Bad(format!("{shown} cannot be used: {why}: {}", way_out(&why))),
    }
}

fn judged(shown: &str, look: &PostgresLook) -> Finding {
    let version = &look.version;
    if look.in_recovery {
        return Finding::Bad(format!(
            "{shown} is PostgreSQL {version}, a standby that cannot be written: name its primary, or several hosts and \
             target_session_attrs=read-write"
        ));
    }
    match &look.schema {
        None => {
            return Finding::Bad(format!(
                "{shown} has no schema of those that this role looks for: create one, or name another (search_path)"
            ));
        }
        Some((schema, false)) => {
            return Finding::Bad(format!(
                "{shown}: this role may create nothing in the schema {schema}, which the tables of each day need: \
                 GRANT USAGE, CREATE ON SCHEMA {schema}"
            ));
        }
        Some((_, true)) => {}
    }
    let steps = match look.missing.len() {
        0 => "its schema is up to date".to_owned(),
        1 => {
            "the next start applies a step to its schema (`ringbolt migrate --dry-run`)".to_owned()
        }
        steps => format!(
            "the next start applies {steps} steps to its schema (`ringbolt migrate --dry-run`)"
        ),
    };
    let differ = look.clock_differs_by;
    if differ.as_secs() >= 5 {
        return Finding::Doubtful(format!(
            "{shown} is PostgreSQL {version}; its clock and this machine's differ by {} s: synchronise them (NTP)",
            differ.as_secs()
        ));
    }
    Finding::Good(format!("{shown} is PostgreSQL {version}; {steps}"))
}

const fn way_out(why: &PostgresOpenError) -> &'static str {
    match why {
        PostgresOpenError::Unreachable(_) => {
            "see whether it runs, and whether this machine may connect (pg_hba.conf)"
        }
        PostgresOpenError::Tls(_) => "see sslmode and sslrootcert in RINGBOLT_STORE",
        PostgresOpenError::NoKey | PostgresOpenError::WrongKey => {
            "RINGBOLT_ENCRYPTION_KEY has to be that of the other nodes"
        }
        PostgresOpenError::Newer { .. } => "or restore a backup of the older one",
        PostgresOpenError::Changed { .. } => "run the version that made it",
        PostgresOpenError::TooOld(_) => "upgrade it",
        PostgresOpenError::TooManyNodes => "stop some",
        PostgresOpenError::Store(_) => "its own log says more",
    }
}
