//! What is to be added to the counters, as arrays.

use std::collections::BTreeMap;

use ringbolt_model::{AppId, DeliveryState, EndpointId, MessageId};
use tokio_postgres::types::ToSql;

use super::parts::Part;
use super::statements::COUNT;
use crate::encoding::HOUR;
use crate::postgres::column::to_column;

/// The hour in which a message was accepted, counted from 1970.
pub(in crate::postgres) fn hour_of(message: MessageId) -> i32 {
    let hour = message.time().as_seconds().div_euclid(HOUR);
    i32::try_from(hour).unwrap_or(i32::MAX)
}

/// Additions, by application, endpoint and hour: sorted, so that all who write rows lock them in one order.
#[derive(Debug, Default)]
pub(super) struct Tallies(BTreeMap<(i64, i64, i32), [i64; 4]>);

/// The same, a column each.
#[derive(Debug, Default)]
pub(super) struct Columns {
    apps: Vec<i64>,
    endpoints: Vec<i64>,
    hours: Vec<i32>,
    counts: [Vec<i64>; 4],
    writer: i32,
}

impl Tallies {
    /// A delivery is owed.
    pub(super) fn owed(&mut self, app: AppId, endpoint: EndpointId, message: MessageId) {
        self.of(app, endpoint, message)[0] += 1;
    }

    /// A delivery has ended.
    pub(super) fn ended(
        &mut self,
        app: AppId,
        endpoint: EndpointId,
        message: MessageId,
        state: DeliveryState,
    ) {
        let place = match state {
            DeliveryState::Pending => return,
            DeliveryState::Delivered => 1,
            DeliveryState::Failed => 2,
            DeliveryState::Cancelled => 3,
        };
        self.of(app, endpoint, message)[place] += 1;
    }

    fn of(&mut self, app: AppId, endpoint: EndpointId, message: MessageId) -> &mut [i64; 4] {
        let key = (
            to_column(app.raw()),
            to_column(endpoint.raw()),
            hour_of(message),
        );
        self.0.entry(key).or_default()
    }

    /// As columns, for the rows of this writer.
    pub(super) fn columns(self, writer: i32) -> Columns {
        let mut columns = Columns {
            writer,
            ..Columns::default()
        };
        for ((app, endpoint, hour), counts) in self.0 {
            columns.apps.push(app);
            columns.endpoints.push(endpoint);
            columns.hours.push(hour);
            for (column, count) in columns.counts.iter_mut().zip(counts) {
                column.push(count);
            }
        }
        columns
    }
}

impl Columns {
    /// Adds them, if there are any.
    pub(super) fn part(&self) -> Option<Part<'_>> {
        if self.apps.is_empty() {
            return None;
        }
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&self.apps, &self.endpoints, &self.hours];
        values.extend(
            self.counts
                .iter()
                .map(|column| column as &(dyn ToSql + Sync)),
        );
        values.push(&self.writer);
        Some(Part {
            sql: &COUNT,
            values,
        })
    }
}
