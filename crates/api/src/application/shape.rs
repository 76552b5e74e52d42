//! Applications as clients write and read them.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use ringbolt_gate::{Faults, Patch, Problem};
use ringbolt_model::metadata::MAX_BYTES;
use ringbolt_model::{AppId, Application, Metadata, Timestamp, Uid};
use serde::{Deserialize, Serialize};

use crate::bounds::{NAME, check_text};

/// An application to be created or replaced.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationIn {
    /// A name for people.
    #[schema(required = true, value_type = String, min_length = 1)]
    pub(crate) name: Option<String>,
    /// Your own identifier; unique. It serves in paths as the id does.
    #[schema(pattern = r"^[a-zA-Z0-9\-_.]+$", max_length = 256)]
    pub(crate) uid: Option<String>,
    /// Deliveries per second to all of its endpoints together.
    #[serde(alias = "rateLimit")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    throttle_rate: Option<NonZeroU16>,
    /// Text of your own, at most 4,096 bytes as JSON.
    metadata: Option<BTreeMap<String, String>>,
}

/// A change to an application; what is left out stays as it is, `null` clears.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationPatch {
    /// A name for people.
    #[schema(min_length = 1)]
    name: Option<String>,
    /// Your own identifier; unique.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    uid: Patch<String>,
    /// Deliveries per second to all of its endpoints together.
    #[serde(alias = "rateLimit")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    #[serde(default)]
    throttle_rate: Patch<NonZeroU16>,
    /// Text of your own; it replaces all that is there.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    #[serde(default)]
    metadata: Patch<BTreeMap<String, String>>,
}

/// An application.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationOut {
    /// Its id.
    #[schema(value_type = String)]
    id: AppId,
    /// Your own identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    uid: Option<Uid>,
    /// A name for people.
    name: String,
    /// Deliveries per second to all of its endpoints together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u16>, nullable = false)]
    throttle_rate: Option<NonZeroU16>,
    /// Text of your own.
    #[schema(value_type = BTreeMap<String, String>)]
    metadata: Metadata,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&Application> for ApplicationOut {
    fn from(app: &Application) -> Self {
        Self {
            id: app.id,
            uid: app.uid.clone(),
            name: app.name.clone(),
            throttle_rate: app.throttle_rate,
            metadata: app.metadata.clone(),
            created_at: app.id.time(),
            updated_at: app.updated_at,
        }
    }
}

/// What a client wants an application to be, checked.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) uid: Option<Uid>,
    throttle_rate: Option<NonZeroU16>,
    metadata: Metadata,
}

impl ApplicationIn {
    /// What is wanted, unless something is wrong.
    pub(crate) fn check(self, mut faults: Faults) -> Result<Wanted, Problem> {
        let wanted = self.look(&mut faults);
        faults.end().map(|()| wanted)
    }

    /// What is wanted, to be used if nothing turns out to be wrong.
    pub(crate) fn look(self, faults: &mut Faults) -> Wanted {
        let name = faults.required("name", self.name);
        if let Some(name) = &name {
            check_name(faults, name);
        }
        let uid = self.uid.and_then(|text| check_uid(faults, &text));
        let metadata = check_metadata(faults, self.metadata.unwrap_or_default());
        Wanted {
            name: name.unwrap_or_default(),
            uid,
            throttle_rate: self.throttle_rate,
            metadata,
        }
    }
}

impl Wanted {
    /// A new application.
    pub(crate) fn create(self, id: AppId) -> Application {
        Application {
            id,
            uid: self.uid,
            name: self.name,
            throttle_rate: self.throttle_rate,
            metadata: self.metadata,
            updated_at: id.time(),
        }
    }

    /// Replaces all of an application that a client can choose.
    pub(crate) fn replace(&self, app: &mut Application, now: Timestamp) {
        let wanted = self.clone();
        app.uid = wanted.uid;
        app.name = wanted.name;
        app.throttle_rate = wanted.throttle_rate;
        app.metadata = wanted.metadata;
        app.updated_at = now.max(app.id.time());
    }
}

/// A change that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    name: Option<String>,
    uid: Patch<Uid>,
    throttle_rate: Patch<NonZeroU16>,
    metadata: Patch<Metadata>,
}

impl ApplicationPatch {
    pub(crate) fn check(self, mut faults: Faults) -> Result<Change, Problem> {
        if let Some(name) = &self.name {
            check_name(&mut faults, name);
        }
        let uid = match self.uid.map(|text| check_uid(&mut faults, &text)) {
            Patch::Keep | Patch::Set(None) => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(Some(uid)) => Patch::Set(uid),
        };
        let metadata = self
            .metadata
            .map(|given| check_metadata(&mut faults, given));
        faults.end()?;
        Ok(Change {
            name: self.name,
            uid,
            throttle_rate: self.throttle_rate,
            metadata,
        })
    }
}

impl Change {
    /// The uid that it sets.
    pub(crate) const fn uid(&self) -> Option<&Uid> {
        self.uid.value()
    }

    pub(crate) fn apply(&self, app: &mut Application, now: Timestamp) {
        let change = self.clone();
        if let Some(name) = change.name {
            app.name = name;
        }
        change.uid.apply(&mut app.uid);
        change.throttle_rate.apply(&mut app.throttle_rate);
        change.metadata.replace(&mut app.metadata);
        app.updated_at = now.max(app.id.time());
    }
}

fn check_name(faults: &mut Faults, name: &str) {
    if name.trim().is_empty() {
        faults.add("name", "must not be empty");
    } else {
        check_text(faults, "name", Some(name), NAME);
    }
}

fn check_uid(faults: &mut Faults, text: &str) -> Option<Uid> {
    faults.check("uid", Uid::distinct_from(text, AppId::PREFIX))
}

pub(crate) fn check_metadata(faults: &mut Faults, given: BTreeMap<String, String>) -> Metadata {
    let metadata = Metadata(given);
    if !metadata.fits() {
        faults.add(
            "metadata",
            format!("must have at most {MAX_BYTES} bytes as JSON"),
        );
    }
    metadata
}
