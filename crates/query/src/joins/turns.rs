//! Rows handed on in turns: whoever takes them works on them before it asks for more, and that is
//! when others may have theirs.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};

/// How long a turn should take.
const TURN: Duration = Duration::from_millis(20);
/// How long it may take where fewer rows would cost more than they are worth.
const TURN_MAX: Duration = Duration::from_secs(3);

/// Returns the same rows, and gives way to others when a turn is over. With `least`, batches are cut
/// where what is done with them takes longer: into no fewer rows than `least`, as long as those do
/// not take much longer themselves.
pub(super) fn in_turns(
    batches: SendableRecordBatchStream,
    schema: SchemaRef,
    least: Option<usize>,
) -> SendableRecordBatchStream {
    let turns = Turns {
        batches,
        rest: None,
        // Nobody knows yet what a row costs: it may be compared with millions.
        cut: least.map(|least| Cut { rows: 1, least }),
        handed: None,
        since: Instant::now(),
    };
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::unfold(turns, Turns::step)))
}

struct Turns {
    batches: SendableRecordBatchStream,
    /// What is left of the last batch.
    rest: Option<RecordBatch>,
    /// None: batches stay whole.
    cut: Option<Cut>,
    /// How many rows were handed on last, and when.
    handed: Option<(usize, Instant)>,
    /// When others had their turn.
    since: Instant,
}

impl Turns {
    async fn step(mut self) -> Option<(Result<RecordBatch>, Turns)> {
        self.give_way().await;
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next().await? {
                Ok(batch) => batch,
                Err(error) => return Some((Err(error), self)),
            },
        };
        let all = batch.num_rows();
        let count = self.cut.as_ref().map_or(all, |cut| cut.part_of(all));
        self.rest = (count < all).then(|| batch.slice(count, all - count));
        self.handed = (count > 0).then(|| (count, Instant::now()));
        Some((Ok(batch.slice(0, count)), self))
    }

    async fn give_way(&mut self) {
        if let (Some(cut), Some((handed, at))) = (&mut self.cut, self.handed.take()) {
            cut.adapt(handed, at.elapsed());
        }
        if self.since.elapsed() >= TURN {
            // Timers and signals are looked at too before this goes on.
            tokio::task::yield_now().await;
            self.since = Instant::now();
        }
    }
}

struct Cut {
    /// The most rows to hand on at once.
    rows: usize,
    /// Fewer are not worth it.
    least: usize,
}

impl Cut {
    /// How many of `all` rows to hand on first, so that all parts have about the same.
    fn part_of(&self, all: usize) -> usize {
        all.div_ceil(all.div_ceil(self.rows).max(1))
    }

    /// Chooses as many rows as there is time for in a turn when `handed` of them `took` so long, but
    /// at most twice as many as before, and only if about as many as before were handed on.
    fn adapt(&mut self, handed: usize, took: Duration) {
        let (took, handed_wide) = (took.as_nanos().max(1), handed as u128);
        let fit = usize::try_from(TURN.as_nanos() * handed_wide / took).unwrap_or(usize::MAX);
        let most = match handed.saturating_mul(2) > self.rows {
            true => self.rows.saturating_mul(2),
            false => self.rows,
        };
        self.rows = fit.clamp(1, most);
        if took * self.least as u128 <= TURN_MAX.as_nanos() * handed_wide {
            self.rows = self.rows.max(self.least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_handed_on_as_a_turn_has_time_for() {
        for (rows, least, handed, micros, expected) in [
            (1, 1, 1, 0, 2),
            (8, 1, 8, 20_000, 8),
            (1_000, 1, 1_000, 200_000, 100),
            (4, 1, 4, 1_000_000, 1),
            // Of so few it cannot be told.
            (1_000, 1, 3, 1, 1_000),
            (1_000, 1, 300, 60_000, 100),
            // Fewer cost more, until they cost too much.
            (1, 820, 1, 3_000, 820),
            (820, 820, 820, 1_000_000, 820),
            (820, 820, 820, 4_000_000, 4),
            (1, 820, 1, 5_000, 2),
        ] {
            let mut cut = Cut { rows, least };
            cut.adapt(handed, Duration::from_micros(micros));
            assert_eq!(cut.rows, expected, "{handed} of {rows} in {micros} µs");
        }
    }

    #[test]
    fn no_part_of_a_batch_is_much_smaller_than_the_others() {
        for (rows, all, expected) in
            [(1, 5, 1), (4_000, 8_192, 2_731), (820, 8_192, 820), (9, 8, 8)]
        {
            assert_eq!(Cut { rows, least: 1 }.part_of(all), expected, "{rows} of {all}");
        }
        assert_eq!(Cut { rows: 1, least: 1 }.part_of(0), 0);
    }
}
