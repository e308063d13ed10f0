//! The left side of a nested-loop join, which may be asked for twice.
//!
//! DataFusion 55 holds it in memory. When it does not fit, the join forgets it and runs its plan
//! again, to write all of it to disk. A plan can be run once: what deals rows out panics the second
//! time, and conditions that a first run narrowed hide rows from the next. So what was read is kept
//! with what was not, and given again; or it is said that it does not fit, where the join would be
//! wrong.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt, stream};

/// Why it is not given again.
const TOO_LARGE: &str = "the left side of a nested-loop join does not fit";

/// The left side of one join.
pub(super) struct Left {
    spills: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
enum State {
    #[default]
    Unread,
    /// Read in part by a join that had no room for it.
    Kept(Kept),
    /// Given for good, and why there is no more of it.
    Gone(String),
}

struct Kept {
    read: Vec<RecordBatch>,
    rest: SendableRecordBatchStream,
    /// Of what was read.
    memory: MemoryReservation,
}

impl Left {
    /// Returns a left side that nobody has asked for; `spills`: whether it is given twice.
    pub(super) fn new(spills: bool) -> Left {
        Left { spills, state: Arc::default() }
    }

    /// Returns the like of it, of another plan.
    pub(super) fn anew(&self) -> Left {
        Left::new(self.spills)
    }

    /// Returns the rows of the plan `of`, whose left side this is.
    ///
    /// # Errors
    /// The plan's; [`DataFusionError::ResourcesExhausted`] when they cannot be given again.
    pub(super) fn rows(
        &self,
        of: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let before = mem::replace(&mut *lock(&self.state), State::Gone(TOO_LARGE.to_owned()));
        match before {
            State::Unread => {
                let memory = MemoryConsumer::new("JoinLeft").register(context.memory_pool());
                Ok(Box::pin(Reading {
                    schema: of.schema(),
                    read: Vec::new(),
                    rest: Some(of.execute(partition, context)?),
                    memory,
                    spills: self.spills,
                    state: Arc::clone(&self.state),
                }))
            }
            State::Kept(kept) => Ok(kept.again(of.schema())),
            State::Gone(why) => Err(DataFusionError::ResourcesExhausted(why)),
        }
    }
}

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Left").field("spills", &self.spills).finish_non_exhaustive()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn again(self, schema: SchemaRef) -> SendableRecordBatchStream {
        let Kept { read, rest, memory } = self;
        let read = stream::iter(read).map(move |batch| {
            memory.shrink(batch.get_array_memory_size());
            Ok(batch)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, read.chain(rest)))
    }
}

/// The rows as they are read first.
struct Reading {
    schema: SchemaRef,
    read: Vec<RecordBatch>,
    /// None when it is over.
    rest: Option<SendableRecordBatchStream>,
    memory: MemoryReservation,
    spills: bool,
    state: Arc<Mutex<State>>,
}

impl Stream for Reading {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let reading = self.get_mut();
        let Some(rest) = &mut reading.rest else { return Poll::Ready(None) };
        let next = ready!(rest.poll_next_unpin(cx));
        match &next {
            // A join holds the same batch: this takes no memory.
            Some(Ok(batch)) if reading.spills => reading.read.push(batch.clone()),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                reading.end();
                if let DataFusionError::ResourcesExhausted(why) = error.find_root() {
                    *lock(&reading.state) = State::Gone(why.clone());
                }
            }
            None => reading.end(),
        }
        Poll::Ready(next)
    }
}

impl RecordBatchStream for Reading {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Reading {
    fn end(&mut self) {
        self.rest = None;
        self.read = Vec::new();
    }
}

impl Drop for Reading {
    /// Keeps what was read before its end: the join had no room for it.
    fn drop(&mut self) {
        let Some(rest) = self.rest.take().filter(|_| self.spills) else { return };
        let read = mem::take(&mut self.read);
        self.memory.grow(read.iter().map(RecordBatch::get_array_memory_size).sum());
        let memory = self.memory.take();
        *lock(&self.state) = State::Kept(Kept { read, rest, memory });
    }
}
