//! Collects everything that is wrong with a request, so that one answer names it all.

use std::fmt::Display;
use std::str::FromStr;

use crate::Problem;
use crate::problem::{Fault, VALUE};

/// What is wrong with a body, so far.
#[derive(Debug, Default)]
#[must_use = "what is wrong has to end the request"]
pub struct Faults {
    all: Vec<Fault>,
    /// The way to the object whose fields are being checked.
    within: Vec<String>,
}

impl Faults {
    /// Those that were found already.
    pub(crate) fn of(all: Vec<Fault>) -> Self {
        Self {
            all,
            within: Vec::new(),
        }
    }

    /// Checks the fields of an object that is a field of the body.
    pub fn nested<T>(&mut self, field: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        self.within.push(field.to_owned());
        let checked = check(self);
        self.within.pop();
        checked
    }

    /// The way to a field.
    fn way(&self, field: &str) -> Vec<String> {
        let within = self.within.iter().map(String::as_str);
        let way = std::iter::once("body").chain(within).chain([field]);
        way.map(str::to_owned).collect()
    }

    /// Notes that a field of the body is wrong.
    pub fn add(&mut self, field: &str, what: impl Display) {
        let fault = Fault {
            loc: self.way(field),
            msg: what.to_string(),
            kind: VALUE,
        };
        self.all.push(fault);
    }

    /// A field that must be there. One that was there with a wrong type has been named already.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let way = self.way(field);
            if !self.all.iter().any(|fault| fault.loc.starts_with(&way)) {
                self.add(field, "this field is required");
            }
        }
        value
    }

    /// Whether nothing was wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
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
        if self.all.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.all))
        }
    }

    /// 422 with everything that was wrong; for where something was.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        Problem::invalid(self.all)
    }
}
