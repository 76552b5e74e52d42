//! Collects everything that is wrong with a request, so that one answer names it all.

use std::fmt::Display;
use std::str::FromStr;

use crate::Problem;
use crate::problem::{Fault, VALUE};

/// What is wrong with a body, so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes that a field of the body is wrong.
    pub fn add(&mut self, field: &str, what: impl Display) {
        let loc = vec!["body".to_owned(), field.to_owned()];
        self.0.push(Fault {
            loc,
            msg: what.to_string(),
            kind: VALUE,
        });
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(field, "this field is required");
        }
        value
    }

    /// A value that is either right or wrong; `None` and a fault if it is wrong.
    pub fn check<T, E: Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.add(field, error)).ok()
    }

    /// Text that must be readable as a `T`, if it is there.
    pub fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Option<T> {
        self.check(field, text?.parse())
    }

    /// Whether nothing was wrong.
    ///
    /// # Errors
    /// 422 with everything that was.
    pub fn end(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.0))
        }
    }

    /// 422 with everything that was wrong; for where something was.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        Problem::invalid(self.0)
    }
}
