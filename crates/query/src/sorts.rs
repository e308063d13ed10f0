//! Sorts of wide rows: in batches that fit into their share of the memory.
//!
//! A column of text shares its bytes with what it was read from: eight thousand rows of it hold on
//! to whole pages and dictionaries, and so does every part of them that a sort makes. Counted, they
//! fill a sort's memory many times over; and merged in batches of thousands of wide rows, a few runs
//! hold more than there is. So a sort that has to see all rows looks at the first of them, chooses
//! how many make a batch, and gets batches of that size which own their bytes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_err};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use crate::widths::{self, parts};

/// Bytes of a batch in a sort, however much memory there is, and however little.
const BATCH_BYTES: std::ops::RangeInclusive<usize> = (256 << 10)..=(8 << 20);
/// Batches of that size in the memory of one partition: some are collected, some are read and merged.
const BATCHES: usize = 32;
/// Rows of a batch of what merges the partitions of such a sort.
const MERGED_ROWS: usize = 1_024;

/// Makes a [`SortInParts`] of each sort that carries text and has no limit, and of what merges its
/// partitions.
#[derive(Debug)]
pub(crate) struct SortsInParts;

impl PhysicalOptimizerRule for SortsInParts {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows_below = config.execution.batch_size.get();
        let plan = plan.transform_up(|node| {
            let wide = match (node.downcast_ref::<SortExec>(), node.children().as_slice()) {
                // With a limit only the best rows so far are held.
                (Some(sort), _) => sort.fetch().is_none() && carries_text(&sort.schema()),
                (None, [of]) if of.is::<SortInParts>() => node.is::<SortPreservingMergeExec>(),
                _ => false,
            };
            Ok(match wide {
                true => Transformed::yes(Arc::new(SortInParts::new(node, rows_below)) as _),
                false => Transformed::no(node),
            })
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "sorts_in_parts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn carries_text(schema: &SchemaRef) -> bool {
    schema.fields().iter().any(|field| {
        let of = field.data_type();
        of.is_nested() || of.is_string() || of.is_binary()
    })
}

/// A sort, or what merges its partitions, run in smaller batches. What is below it makes batches of
/// `rows_below` rows, as everywhere.
#[derive(Debug)]
struct SortInParts {
    sorting: Arc<dyn ExecutionPlan>,
    rows_below: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl SortInParts {
    fn new(sorting: Arc<dyn ExecutionPlan>, rows_below: usize) -> SortInParts {
        SortInParts { sorting, rows_below, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// The sort of a partition, begun when its first rows are there.
    fn sort(
        &self,
        sort: &SortExec,
        partition: usize,
        context: &Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let below = with_rows(context, self.rows_below);
        let mut input = sort.input().execute(partition, Arc::new(below))?;
        let (sorting, input_of) = (Arc::clone(&self.sorting), Arc::clone(sort.input()));
        let (context, rows_max) = (Arc::clone(context), self.rows_below);
        let begun = async move {
            let first = input.next().await.transpose()?;
            let bytes = batch_bytes(&context);
            let rows =
                first.as_ref().map_or(rows_max, |first| widths::rows(first, bytes, rows_max));
            let all = stream::iter(first.map(Ok)).chain(input);
            let parts = all.map_ok(move |batch| {
                stream::iter(parts(&batch, rows, bytes)).map(Ok::<_, DataFusionError>)
            });
            let own = parts.try_flatten();
            let own = own.map(|part| -> Result<RecordBatch> { Ok(part?.with_own_bytes()?) });
            let given: SendableRecordBatchStream =
                Box::pin(RecordBatchStreamAdapter::new(input_of.schema(), own));
            let given = Given { of: input_of, batches: Mutex::new(Some(given)) };
            let sort = replace_children_if_necessary(sorting, vec![Arc::new(given)])?;
            let mut context = with_rows(&context, rows);
            // Batches that are put together share their bytes again.
            let config = context.session_config().clone().with_sort_in_place_threshold_bytes(0);
            context = context.with_session_config(config);
            sort.execute(partition, Arc::new(context))
        };
        let sorted = stream::once(begun).try_flatten();
        // What it merges shares the bytes of all that is merged.
        let owned = sorted.map(|batch| batch.and_then(|batch| Ok(widths::with_own_bytes(&batch)?)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), owned)))
    }
}

/// The bytes that a batch should have.
fn batch_bytes(context: &TaskContext) -> usize {
    let memory = match context.runtime_env().memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes,
        MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
    };
    let share = memory / context.session_config().target_partitions().max(1);
    (share / BATCHES).clamp(*BATCH_BYTES.start(), *BATCH_BYTES.end())
}

/// The context with batches of `rows` rows.
fn with_rows(context: &TaskContext, rows: usize) -> TaskContext {
    TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone().with_batch_size(rows),
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    )
}

impl DisplayAs for SortInParts {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SortInParts")
    }
}

impl ExecutionPlan for SortInParts {
    fn name(&self) -> &str {
        "SortInParts"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.sorting.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.sorting]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(sorting), true) => Ok(Arc::new(SortInParts::new(sorting, self.rows_below))),
            _ => exec_err!("a sort in parts is of one sort"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let sorted = match self.sorting.downcast_ref::<SortExec>() {
            Some(sort) => self.sort(sort, partition, &context)?,
            None => {
                let rows = self.rows_below.min(MERGED_ROWS);
                self.sorting.execute(partition, Arc::new(with_rows(&context, rows)))?
            }
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let counted = sorted.inspect_ok(move |batch| metrics.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The batches of one partition of `of`, which has begun.
struct Given {
    of: Arc<dyn ExecutionPlan>,
    batches: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("of", &self.of).finish_non_exhaustive()
    }
}

impl DisplayAs for Given {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given")
    }
}

impl ExecutionPlan for Given {
    fn name(&self) -> &str {
        "Given"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.of.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        batches.map_or_else(|| exec_err!("what was given is given once"), Ok)
    }
}
