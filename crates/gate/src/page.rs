//! Pages of lists: what a client asks for and what it is answered.

use std::fmt::Display;
use std::str::FromStr;

use ringbolt_store::{Listing, Order, Page};
use serde::Serialize;

use crate::{Problem, Query, both};

/// How many items a page has unless asked otherwise.
pub const DEFAULT_LIMIT: usize = 50;
/// How many it can have.
pub const MOST: usize = 250;

/// A page as it is answered; all four keys are always there.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer<T> {
    /// The items, in the list's order.
    pub data: Vec<T>,
    /// Leads to the next page.
    #[schema(required = true)]
    pub iterator: Option<String>,
    /// Leads to the page before.
    #[schema(required = true)]
    pub prev_iterator: Option<String>,
    /// Whether nothing more follows in this direction.
    pub done: bool,
}

/// Which page is asked for, in which direction.
#[derive(Debug, Clone)]
pub struct Turn<K> {
    page: Page<K>,
    backwards: bool,
}

/// What the parameters `limit`, `iterator` and `order` mean, for OpenAPI.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The most items wanted.
    #[param(minimum = 1, maximum = 250, default = 50)]
    #[expect(dead_code, reason = "describes a parameter; `Turn::asked` reads it")]
    limit: Option<u16>,
    /// The `iterator` or `prevIterator` of another page.
    #[expect(dead_code, reason = "describes a parameter; `Turn::asked` reads it")]
    iterator: Option<String>,
}

/// What the parameter `order` means, for OpenAPI.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderParams {
    /// `ascending` or `descending`.
    #[expect(dead_code, reason = "describes a parameter; `Turn::asked` reads it")]
    order: Option<String>,
}

impl<K: FromStr + Display + Clone> Turn<K> {
    /// Reads `limit`, `iterator` and `order`; `natural` is the order if none is asked for.
    ///
    /// # Errors
    /// 422 if one is out of bounds, or no iterator of this list.
    pub fn asked(query: &Query, natural: Order) -> Result<Self, Problem> {
        let cursor = query.text("iterator").map(read_cursor).transpose();
        let bounds = both(read_limit(query), read_order(query));
        let ((limit, order), cursor) = both(bounds, cursor)?;
        let order = order.unwrap_or(natural);
        let (after, backwards) = cursor.map_or((None, false), |(key, back)| (Some(key), back));
        let order = if backwards { order.reversed() } else { order };
        Ok(Self {
            page: Page {
                limit,
                order,
                after,
            },
            backwards,
        })
    }

    /// What to ask the store for.
    #[must_use]
    pub fn page(&self) -> Page<K> {
        self.page.clone()
    }

    /// The answer; `key` tells an item's place in the list, `show` makes it what clients see.
    pub fn answer<T, U>(
        &self,
        mut found: Listing<T, K>,
        key: impl Fn(&T) -> K,
        show: impl FnMut(T) -> U,
    ) -> Answer<U> {
        if self.backwards {
            found.items.reverse();
        }
        let first = found.items.first().map(&key);
        let last = found.items.last().map(&key);
        // A page may have examined more than it found; the way on begins beyond that.
        let (first, last) = if self.backwards {
            (found.reached.or(first), last)
        } else {
            (first, found.reached.or(last))
        };
        Answer {
            iterator: last.map(|key| forwards(&key)),
            prev_iterator: first.map(|key| format!("-{key}")),
            data: found.items.into_iter().map(show).collect(),
            done: found.done,
        }
    }
}

fn read_limit(query: &Query) -> Result<usize, Problem> {
    let expected = format!("a whole number from 1 to {MOST}");
    let limit = query.expect("limit", &expected)?.unwrap_or(DEFAULT_LIMIT);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    let what = format!("expected {expected}");
    Err(Problem::invalid_at("query", "limit", what))
}

fn read_order(query: &Query) -> Result<Option<Order>, Problem> {
    match query.text("order") {
        None => Ok(None),
        Some("ascending") => Ok(Some(Order::Ascending)),
        Some("descending") => Ok(Some(Order::Descending)),
        Some(_) => {
            let what = "expected ascending or descending";
            Err(Problem::invalid_at("query", "order", what))
        }
    }
}

/// A leading `-` pages backwards, so a key that begins with one is marked.
fn forwards<K: Display>(key: &K) -> String {
    let text = key.to_string();
    if text.starts_with('-') {
        format!("~{text}")
    } else {
        text
    }
}

fn read_cursor<K: FromStr>(text: &str) -> Result<(K, bool), Problem> {
    let (text, backwards) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('~').unwrap_or(text), false),
    };
    let broken = |_| {
        Problem::invalid_at(
            "query",
            "iterator",
            "is no iterator of this list; take one from an answer, or none to begin",
        )
    };
    text.parse().map(|key| (key, backwards)).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of the numbers below ten.
    fn list(page: &Page<i64>) -> Listing<i64, i64> {
        let mut all: Vec<i64> = (0..10).collect();
        if page.order == Order::Descending {
            all.reverse();
        }
        let start = match page.after {
            None => 0,
            Some(after) => all.iter().position(|n| *n == after).unwrap() + 1,
        };
        let items: Vec<_> = all.iter().copied().skip(start).take(page.limit).collect();
        let done = start + items.len() == all.len();
        Listing {
            reached: items.last().copied(),
            items,
            done,
        }
    }

    fn turn(text: &str) -> Answer<i64> {
        let turn = Turn::asked(&Query::parse(text).unwrap(), Order::Descending).unwrap();
        turn.answer(list(&turn.page()), |n| *n, |n| n)
    }

    #[test]
    fn pages_turn_forwards_and_back_in_one_order() {
        let first = turn("limit=3");
        assert_eq!(
            (first.data.as_slice(), first.done),
            ([9, 8, 7].as_slice(), false)
        );
        let second = turn(&format!("limit=3&iterator={}", first.iterator.unwrap()));
        assert_eq!(second.data, [6, 5, 4]);
        let back = turn(&format!(
            "limit=3&iterator={}",
            second.prev_iterator.unwrap()
        ));
        assert_eq!(
            (back.data.as_slice(), back.done),
            ([9, 8, 7].as_slice(), true)
        );
    }

    #[test]
    fn the_order_can_be_asked_for() {
        assert_eq!(turn("limit=2&order=ascending").data, [0, 1]);
        assert_eq!(turn("limit=2&order=ascending&iterator=1").data, [2, 3]);
    }

    #[test]
    fn bounds_and_garbage_are_refused_by_name() {
        for (text, name) in [
            ("limit=0", "limit"),
            ("limit=251", "limit"),
            ("limit=x", "limit"),
            ("iterator=garbage", "iterator"),
            ("order=sideways", "order"),
        ] {
            let query = Query::parse(text).unwrap();
            let problem = Turn::<i64>::asked(&query, Order::Ascending).unwrap_err();
            assert_eq!(
                (
                    problem.status().as_u16(),
                    problem.faults()[0].loc[1].as_str()
                ),
                (422, name)
            );
        }
    }

    #[test]
    fn a_key_that_begins_with_a_dash_is_told_from_the_way_back() {
        assert_eq!(forwards(&"-odd"), "~-odd");
        assert_eq!(
            read_cursor::<String>("~-odd").unwrap(),
            ("-odd".to_owned(), false)
        );
        assert_eq!(
            read_cursor::<String>("--odd").unwrap(),
            ("-odd".to_owned(), true)
        );
    }

    #[test]
    fn all_four_keys_are_there_even_if_empty() {
        let turn = Turn::<i64>::asked(&Query::default(), Order::Ascending).unwrap();
        let none = Listing::<i64, i64> {
            items: vec![],
            reached: None,
            done: true,
        };
        let shown = serde_json::to_value(turn.answer(none, |n| *n, |n| n)).unwrap();
        let expected =
            serde_json::json!({"data": [], "iterator": null, "prevIterator": null, "done": true});
        assert_eq!(shown, expected);
    }
}
