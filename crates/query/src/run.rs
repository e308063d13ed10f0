//! A plan being run: under limits, each batch in its final form, and at the end what is to be said.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, stream};

use crate::answer::{Answer, Finish, Notes, SnapshotName, Statistics};
use crate::engine::{Prepared, What};
use crate::error::{Error, InOurWords, Result, file_named};
use crate::explain::{self, Explained, Outcome};
use crate::late::LateColumns;
use crate::limits::Limits;
use crate::pins::Pins;
use crate::scan::scans;
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

/// A statement with everything decided, before any row is read.
pub(crate) struct Planned {
    what: Ready,
    pins: Arc<Pins>,
    snapshots: Vec<SnapshotName>,
    notes: Notes,
    words: InOurWords,
}

enum Ready {
    Rows(RecordBatch),
    Plan(Box<Optimized>),
}

struct Optimized {
    optimized: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    finish: Finish,
    state: SessionState,
    explain: Option<bool>,
}

/// Plans what was prepared.
pub(crate) async fn plan(prepared: Prepared) -> Result<Planned> {
    let Prepared { what, state, pins, snapshots, notes, words } = prepared;
    let what = match what {
        What::Rows(rows) => Ready::Rows(rows),
        What::Plan(run) => {
            let optimized = optimize(*run, state).await.map_err(|error| words.error(error))?;
            Ready::Plan(Box::new(optimized))
        }
    };
    Ok(Planned { what, pins, snapshots, notes, words })
}

async fn optimize(run: Run, state: SessionState) -> Result<Optimized, DataFusionError> {
    let finish = Finish::new(run.plan.schema().as_arrow(), run.headers, run.late);
    let optimized = state.optimize(&run.plan)?;
    let physical = state.query_planner().create_physical_plan(&optimized, &state).await?;
    Ok(Optimized { optimized, physical, finish, state, explain: run.explain })
}

/// Starts what was planned.
pub(crate) async fn run(planned: Planned, limits: Limits) -> Result<Answer> {
    let Planned { what, pins, snapshots, notes, words } = planned;
    let (meter, scans) = (Arc::clone(&pins.meter), Arc::clone(&pins.scans));
    let (schema, batches) = match what {
        Ready::Rows(rows) => (rows.schema(), stream::iter([Ok(rows)]).boxed()),
        Ready::Plan(plan) => {
            let Optimized { optimized, physical, finish, state, explain } = *plan;
            let batches = execute_stream(Arc::clone(&physical), state.task_ctx());
            let batches = batches.map_err(|error| words.error(error))?;
            let after = After { optimized, physical, state, pins, notes: Arc::clone(&notes) };
            let running = Running { batches, finish, limits, words, after };
            match explain {
                None => {
                    let schema = Arc::clone(running.finish.schema());
                    (schema, stream::unfold(Some(running), Running::step).boxed())
                }
                Some(analyze) => {
                    let rows = running.explained(analyze).await?;
                    (rows.schema(), stream::iter([Ok(rows)]).boxed())
                }
            }
        }
    };
    Ok(Answer { schema, batches, snapshots, notes, meter, scans })
}

/// Finds what is wrong with a statement beyond its names: types that do not fit, above all.
pub(crate) fn check(prepared: &Prepared) -> Result<()> {
    if let What::Plan(run) = &prepared.what {
        let optimized = prepared.state.optimize(&run.plan);
        optimized.map_err(|error| prepared.words.error(error))?;
    }
    Ok(())
}

struct Running {
    batches: SendableRecordBatchStream,
    finish: Finish,
    limits: Limits,
    words: InOurWords,
    after: After,
}

/// What is still needed when the last batch has left.
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
            Some(Ok(batch)) => batch,
            Some(Err(error)) => return Err(self.after.explain(error, &self.words).await),
        };
        self.limits.count(batch.num_rows())?;
        self.finish.finish(&batch).map(Some).map_err(|error| self.words.error(error))
    }

    /// The lines of EXPLAIN; with `analyze` the query is run first and its rows dropped.
    async fn explained(mut self, analyze: bool) -> Result<RecordBatch> {
        while analyze && self.next().await?.is_some() {}
        let scans = scans(&self.after.pins.scans);
        let outcome = analyze.then(|| Outcome {
            rows: self.limits.rows(),
            statistics: Statistics::of(&scans, &self.after.pins.meter),
        });
        let lines = explain::lines(&Explained {
            plan: &self.after.optimized,
            scans: &scans,
            opens_files: opens_files(&self.after.physical),
            outcome,
        });
        lines.map_err(|error| self.words.error(error))
    }
}

/// Whether a plan holds a scan: `count(*)` and the like are answered while it is made.
fn opens_files(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<DataSourceExec>() || plan.children().into_iter().any(opens_files)
}

impl After {
    /// An error in our words. A file that it names and that is gone was removed by upkeep after this
    /// query began, or is lost: its store knows.
    async fn explain(&self, error: DataFusionError, words: &InOurWords) -> Error {
        if let Some(path) = file_named(&error) {
            for pin in self.pins.stores.values() {
                if let Some(why) = pin.snapshot.missing(&path).await {
                    return Error::Lake(why);
                }
            }
        }
        words.error(error)
    }

    async fn say_why_nothing(&self, rows: u64) {
        let After { physical, state, pins, notes, .. } = self;
        let about_nothing = absence::is_about_nothing(rows, physical, &scans(&pins.scans));
        let found = absence::notes(state, pins, about_nothing).await;
        if let Ok(mut notes) = notes.lock() {
            notes.extend(found);
        }
    }
}
