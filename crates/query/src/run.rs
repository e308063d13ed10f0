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

use crate::answer::{Answer, Finish, Notes, Statistics};
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

/// Starts what was prepared.
pub(crate) async fn run(prepared: Prepared, limits: Limits) -> Result<Answer> {
    let Prepared { what, state, pins, snapshots, notes, words } = prepared;
    let (meter, scans) = (Arc::clone(&pins.meter), Arc::clone(&pins.scans));
    let (schema, batches) = match what {
        What::Rows(rows) => (rows.schema(), stream::iter([Ok(rows)]).boxed()),
        What::Plan(run) => {
            let analyze = run.explain;
            let running = start(*run, state, pins, Arc::clone(&notes), words, limits).await?;
            match analyze {
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

async fn start(
    run: Run,
    state: SessionState,
    pins: Arc<Pins>,
    notes: Notes,
    words: InOurWords,
    mut limits: Limits,
) -> Result<Running> {
    let finish = Finish::new(run.plan.schema().as_arrow(), run.headers, run.late);
    let optimized = state.optimize(&run.plan).map_err(|e| words.error(e))?;
    let planning = state.query_planner().create_physical_plan(&optimized, &state);
    let physical = limits.within(planning).await?.map_err(|e| words.error(e))?;
    let batches = execute_stream(Arc::clone(&physical), state.task_ctx());
    let batches = batches.map_err(|e| words.error(e))?;
    let after = After { optimized, physical, state, pins, notes };
    Ok(Running { batches, finish, limits, words, after })
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
