//! A plan being run: under limits, each batch in its final form, and at the end what is to be said.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, stream};

use crate::answer::{Answer, Finish, Notes};
use crate::engine::{Inner, Prepared, What};
use crate::error::{Explain, Result};
use crate::late::LateColumns;
use crate::limits::Limits;
use crate::pins::Pins;
use crate::views::absence;

/// A planned statement.
pub(crate) struct Run {
    /// The plan, late columns packed.
    pub(crate) plan: LogicalPlan,
    pub(crate) late: LateColumns,
    /// Names of the output as typed.
    pub(crate) headers: Vec<String>,
    /// EXPLAIN, and whether to ANALYZE.
    pub(crate) explain: Option<bool>,
}

/// Starts what was prepared.
pub(crate) async fn run(
    inner: &Arc<Inner>,
    prepared: Prepared,
    mut limits: Limits,
) -> Result<Answer> {
    let Prepared { what, state, pins, snapshots, notes, explain } = prepared;
    let _ = inner;
    let answer = |schema, batches, pins: &Pins, notes| Answer {
        schema,
        batches,
        snapshots,
        notes,
        meter: Arc::clone(&pins.meter),
        scans: Arc::clone(&pins.scans),
    };
    let run = match what {
        What::Rows(rows) => {
            let schema = rows.schema();
            let batches = stream::iter([Ok(rows)]).boxed();
            return Ok(answer(schema, batches, &pins, notes));
        }
        What::Plan(run) => *run,
    };
    let plan = |e| explain.error(e);
    let optimized = state.optimize(&run.plan).map_err(plan)?;
    let finish = Finish::new(run.plan.schema().as_arrow(), run.headers, run.late);
    let physical =
        limits.within(state.query_planner().create_physical_plan(&optimized, &state)).await?;
    let physical = physical.map_err(|e| explain.error(e))?;
    let inner_stream = execute_stream(Arc::clone(&physical), state.task_ctx());
    let inner_stream = inner_stream.map_err(|e| explain.error(e))?;
    let schema = Arc::clone(finish.schema());
    let running = Running {
        batches: inner_stream,
        finish,
        limits,
        explain,
        after: After {
            optimized,
            physical,
            state,
            pins: Arc::clone(&pins),
            notes: Arc::clone(&notes),
        },
    };
    let batches = stream::unfold(Some(running), Running::step).boxed();
    Ok(answer(schema, batches, &pins, notes))
}

struct Running {
    batches: SendableRecordBatchStream,
    finish: Finish,
    limits: Limits,
    explain: Explain,
    after: After,
}

/// What notes about an empty answer are made from.
struct After {
    optimized: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    state: SessionState,
    pins: Arc<Pins>,
    notes: Notes,
}

impl Running {
    async fn step(running: Option<Running>) -> Option<(Result<RecordBatch>, Option<Running>)> {
        let mut running = running?;
        match running.next().await {
            Ok(Some(batch)) => Some((Ok(batch), Some(running))),
            Ok(None) => {
                running.after.say_why_nothing(running.limits.rows()).await;
                None
            }
            Err(error) => Some((Err(error), None)),
        }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = match self.limits.within(self.batches.next()).await? {
            None => return Ok(None),
            Some(batch) => batch.map_err(|error| self.explain.error(error))?,
        };
        self.limits.count(batch.num_rows())?;
        self.finish.finish(&batch).map(Some).map_err(|error| self.explain.error(error))
    }
}

impl After {
    async fn say_why_nothing(&self, rows: u64) {
        let After { optimized, physical, state, pins, notes } = self;
        let found = absence::notes(rows, optimized, physical, state, pins).await;
        if let Ok(mut notes) = notes.lock() {
            notes.extend(found);
        }
    }
}
