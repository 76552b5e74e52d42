//! Looks at the query plan of every statement that a list or the queue runs: each must walk an index
//! in its own order.

use rusqlite::Connection;

use super::log::statements;
use super::{catalogue, retention};

fn plan_of(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = statement.parameter_count();
    let nothing = rusqlite::params_from_iter(std::iter::repeat_n(0, parameters));
    statement
        .query_map(nothing, |row| row.get(3))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn every_list_walks_an_index_in_its_own_order() {
    let mut conn = Connection::open_in_memory().unwrap();
    super::migrations::migrate(&mut conn, 0).unwrap();
    for (sql, expected) in statements::lists()
        .into_iter()
        .chain(retention::statements::all())
        .chain(catalogue::lists())
    {
        let plan = plan_of(&conn, &sql);
        for part in expected {
            assert!(
                plan.iter().any(|step| step.contains(part)),
                "{sql}\nnot {part}: {plan:#?}"
            );
        }
        let scans = |step: &String| {
            step.starts_with("SCAN")
                && !step.contains("CONSTANT ROW")
                && !expected.contains(&step.as_str())
        };
        let sorts = |step: &String| step.contains("TEMP B-TREE");
        assert!(
            !plan.iter().any(|step| scans(step) || sorts(step)),
            "{sql}\n{plan:#?}"
        );
    }
}
