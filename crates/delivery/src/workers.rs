//! The background workers, by name, with what each is doing: for operators.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    /// Its name.
    pub name: &'static str,
    /// What it does now, or what it last did.
    pub state: String,
}

/// The workers there are.
#[derive(Default)]
pub(crate) struct Workers(Mutex<BTreeMap<&'static str, String>>);

impl Workers {
    /// Notes what a worker is doing.
    pub(crate) fn note(&self, name: &'static str, state: impl Into<String>) {
        self.0.lock().insert(name, state.into());
    }

    /// All of them.
    pub(crate) fn view(&self) -> Vec<WorkerView> {
        let workers = self.0.lock();
        workers
            .iter()
            .map(|(name, state)| WorkerView {
                name,
                state: state.clone(),
            })
            .collect()
    }
}
