//! Query parameters: comma-joined, repeated or with `[]`; unknown ones are ignored.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::Problem;

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a URL after the question mark.
    ///
    /// # Errors
    /// 400 if it is not UTF-8.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            let name = name.strip_suffix("[]").unwrap_or(&name).to_owned();
            Ok((name, decode(value)?.into_owned()))
        });
        decoded.collect::<Result<_, _>>().map(Self)
    }

    /// The text of a parameter; absent if it is empty. Of several the last counts.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A parameter that is read as a `T`.
    ///
    /// # Errors
    /// 422 if it cannot be.
    pub fn read<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let read = |text: &str| {
            text.parse()
                .map_err(|e| Problem::invalid_at("query", name, e))
        };
        self.text(name).map(read).transpose()
    }

    /// A parameter whose type says nothing useful about what it is not.
    ///
    /// # Errors
    /// 422 with what is expected.
    pub fn expect<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let wrong = |_| Problem::invalid_at("query", name, format!("expected {expected}"));
        self.text(name)
            .map(|text| text.parse().map_err(wrong))
            .transpose()
    }

    /// All values of a list, in whichever spelling it came, each read as a `T`.
    ///
    /// # Errors
    /// 422 if one cannot be.
    pub fn list<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Vec<T>, Problem> {
        let values = self.0.iter().filter(|(key, _)| key == name);
        let parts = values
            .flat_map(|(_, value)| value.split(','))
            .filter(|part| !part.is_empty());
        let read = |text: &str| {
            text.parse()
                .map_err(|e| Problem::invalid_at("query", name, e))
        };
        parts.map(read).collect()
    }

    /// A switch.
    ///
    /// # Errors
    /// 422 if it is neither `true` nor `false`.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Problem> {
        match self.text(name) {
            None => Ok(default),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => Err(Problem::invalid_at("query", name, "expected true or false")),
        }
    }
}

/// Notes what is wrong with several parameters, so that one answer names it all.
#[derive(Debug, Default)]
#[must_use = "what is wrong has to end the request"]
pub struct Wrong(Option<Problem>);

impl Wrong {
    /// What was read, or nothing if it is wrong.
    pub fn note<T>(&mut self, read: Result<T, Problem>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(problem) => {
                self.0 = Some(match self.0.take() {
                    Some(first) => first.and(problem),
                    None => problem,
                });
                None
            }
        }
    }

    /// What was read; what stands in for it if it is wrong is never used.
    pub fn or_default<T: Default>(&mut self, read: Result<T, Problem>) -> T {
        self.note(read).unwrap_or_default()
    }

    /// Passes if nothing is wrong.
    ///
    /// # Errors
    /// All that is.
    pub fn end(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Both of what was read.
///
/// # Errors
/// All that is wrong with either.
pub fn both<A, B>(one: Result<A, Problem>, two: Result<B, Problem>) -> Result<(A, B), Problem> {
    match (one, two) {
        (Ok(one), Ok(two)) => Ok((one, two)),
        (Err(one), Err(two)) => Err(one.and(two)),
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let spaced = if text.contains('+') {
        Cow::from(text.replace('+', " "))
    } else {
        text.into()
    };
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map(Cow::into_owned);
    let broken = |_| Problem::bad_request("bad_query", "the query is not UTF-8");
    decoded.map(Cow::Owned).map_err(broken)
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_three_spellings() {
        for text in ["e=a,b", "e=a&e=b", "e[]=a&e%5B%5D=b", "e=a%2Cb&x=c"] {
            let query = Query::parse(text).unwrap();
            assert_eq!(query.list::<String>("e").unwrap(), ["a", "b"], "{text}");
        }
    }

    #[test]
    fn values_are_decoded_and_empty_ones_are_absent() {
        let query = Query::parse("a=x+y%26z&b=&c&n=7").unwrap();
        assert_eq!(
            (query.text("a"), query.text("b"), query.text("c")),
            (Some("x y&z"), None, None)
        );
        assert_eq!(query.read("n").unwrap(), Some(7));
        assert_eq!(
            query.read::<u8>("a").unwrap_err().faults()[0].loc,
            ["query", "a"]
        );
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let query = Query::parse("a=x&b=y&c=maybe&n=1").unwrap();
        let mut wrong = Wrong::default();
        assert_eq!(wrong.or_default(query.read::<u8>("a")), None);
        assert_eq!(wrong.or_default(query.read("n")), Some(1));
        assert!(!wrong.or_default(query.flag("c", true)));
        let read = both(wrong.end(), query.read::<u8>("b"));
        let problem = read.unwrap_err();
        let named: Vec<_> = problem.faults().iter().map(|one| &*one.loc[1]).collect();
        assert_eq!(
            (problem.status().as_u16(), named),
            (422, vec!["a", "c", "b"])
        );
        assert_eq!(both(Ok(1), Ok(2)).unwrap(), (1, 2));
        assert!(Wrong::default().end().is_ok());

        let other = Problem::no_such_path();
        assert_eq!(problem.clone().and(other.clone()), other);
        assert_eq!(other.clone().and(problem), other);
    }

    #[test]
    fn what_is_not_utf8_is_a_bad_request() {
        assert_eq!(Query::parse("a=%ff").unwrap_err().status(), 400);
    }

    #[test]
    fn a_switch_is_on_or_off() {
        let query = Query::parse("on=true&off=false&odd=maybe").unwrap();
        assert!(query.flag("on", false).unwrap() && !query.flag("off", true).unwrap());
        assert!(query.flag("absent", true).unwrap());
        assert_eq!(query.flag("odd", true).unwrap_err().status(), 422);
    }
}
