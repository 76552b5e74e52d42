//! Parts of statements, and how they become one statement.

use tokio_postgres::types::{ToSql, Type};

/// A statement of the hot path, or a part of one, with the types of its parameters.
#[derive(Debug)]
pub(super) struct HotSql {
    pub(super) text: &'static str,
    pub(super) types: &'static [Type],
    /// What is asked of its rows, which are called `{}`: it divides by nothing, or the like, where the transaction may not
    /// be. All that is asked is asked before any part runs that asks nothing.
    pub(super) check: Option<&'static str>,
}

/// A part with its parameters.
pub(super) struct Part<'a> {
    pub(super) sql: &'static HotSql,
    pub(super) values: Vec<&'a (dyn ToSql + Sync)>,
}

/// What tells statements from each other: the addresses of their parts.
pub(super) type Key = Vec<usize>;

pub(super) fn key_of(parts: &[Part<'_>]) -> Key {
    let address = |part: &Part<'_>| std::ptr::from_ref(part.sql).addr();
    parts.iter().map(address).collect()
}

/// The types of all parameters.
pub(super) fn types_of(parts: &[Part<'_>]) -> Vec<Type> {
    let types = parts.iter().flat_map(|part| part.sql.types);
    types.cloned().collect()
}

/// The text of the statement that the parts make. One that asks nothing and stands alone stays as it is.
pub(super) fn text_of(parts: &[Part<'_>]) -> String {
    if let [Part { sql, .. }] = parts
        && sql.check.is_none()
    {
        return sql.text.to_owned();
    }
    let (mut with, mut checks, mut before) = (Vec::new(), Vec::new(), 0);
    for (place, part) in parts.iter().enumerate() {
        let name = format!("part{place}");
        let text = renumbered(part.sql.text, before);
        with.push(format!("{name} AS ({text})"));
        if let Some(check) = part.sql.check {
            checks.push(renumbered(check, before).replace("{}", &name));
        }
        before += part.sql.types.len();
    }
    if checks.is_empty() {
        checks.push("1".into());
    }
    format!("WITH {} SELECT {}", with.join(", "), checks.join(", "))
}

/// The same text with its parameters behind so many others.
fn renumbered(text: &str, before: usize) -> String {
    let mut pieces = text.split('$');
    let mut all = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        let number = number.parse::<usize>().unwrap_or_default() + before;
        all.push_str(&format!("${number}{rest}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    static ASKS: HotSql = HotSql {
        text: "UPDATE a SET b = $2 WHERE c = $1 RETURNING 1",
        types: &[Type::INT8, Type::INT2],
        check: Some("1 / (SELECT count(*) FROM {} WHERE $1 > 0)"),
    };
    static WRITES: HotSql = HotSql {
        text: "INSERT INTO d SELECT unnest($1), $12",
        types: &[Type::INT8_ARRAY],
        check: None,
    };

    fn part(sql: &'static HotSql) -> Part<'static> {
        let values = Vec::new();
        Part { sql, values }
    }

    #[test]
    fn parts_become_one_statement_that_asks_first() {
        let parts = [part(&WRITES), part(&ASKS)];
        assert_eq!(
            text_of(&parts),
            "WITH part0 AS (INSERT INTO d SELECT unnest($1), $12), \
             part1 AS (UPDATE a SET b = $3 WHERE c = $2 RETURNING 1) \
             SELECT 1 / (SELECT count(*) FROM part1 WHERE $2 > 0)"
        );
        assert_eq!(types_of(&parts), [Type::INT8_ARRAY, Type::INT8, Type::INT2]);
        assert_ne!(key_of(&parts), key_of(&parts[..1]));
    }

    #[test]
    fn one_that_asks_nothing_stays_as_it_is() {
        assert_eq!(text_of(&[part(&WRITES)]), WRITES.text);
    }
}
