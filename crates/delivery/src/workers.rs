//! The background workers, by name, with what each is doing: for operators.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use ringbolt_store::Working;

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    /// Its name.
    pub name: &'static str,
    /// What it does now, or what it last did.
    pub state: String,
}

/// Says what a worker is doing when it is asked.
pub(crate) type Asked = Box<dyn Fn() -> String + Send + Sync>;

/// How the state of a worker is known.
enum State {
    /// It says so when that changes.
    Noted(String),
    /// It is asked.
    Asked(Asked),
}

/// The workers there are.
#[derive(Default)]
pub(crate) struct Workers(Mutex<BTreeMap<&'static str, State>>);

impl Workers {
    /// Notes what a worker is doing.
    pub(crate) fn note(&self, name: &'static str, state: impl Into<String>) {
        self.0.lock().insert(name, State::Noted(state.into()));
    }

    /// A worker tells what it is doing when it is asked.
    pub(crate) fn ask(&self, name: &'static str, state: Asked) {
        self.0.lock().insert(name, State::Asked(state));
    }

    /// All of them, with those of the store, by name.
    pub(crate) fn view(&self, store: Vec<Working>) -> Vec<WorkerView> {
        let mut all: Vec<WorkerView> = store
            .into_iter()
            .map(|Working { name, state }| WorkerView { name, state })
            .collect();
        let state = |state: &State| match state {
            State::Noted(state) => state.clone(),
            State::Asked(ask) => ask(),
        };
        all.extend(self.0.lock().iter().map(|(name, known)| WorkerView {
            name,
            state: state(known),
        }));
        all.sort_unstable_by_key(|worker| worker.name);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_listed_by_name_each_with_its_latest_state() {
        let workers = Workers::default();
        workers.note("upkeep", "resting");
        workers.note("upkeep", "tidying");
        workers.ask("door", Box::new(|| "accepting".into()));
        let (name, state) = ("store-write", "writing".to_owned());
        let view = workers.view(vec![Working { name, state }]);
        let view: Vec<_> = view.iter().map(|w| (w.name, w.state.as_str())).collect();
        let expected = [
            ("door", "accepting"),
            ("store-write", "writing"),
            ("upkeep", "tidying"),
        ];
        assert_eq!(view, expected);
    }
}
