//! Joins that go on for long give way to others, and a left side larger than the memory goes to
//! disk or is refused.
//!
//! A join compares every row of one side with rows of the other, for hours if need be and without a
//! row to give. DataFusion 55 gives way after some batches of a scan, and one may be all there is:
//! a query that is given up, or whose time is over, would not hear of it. So the right side comes
//! in parts that take a turn, and what joins and unnesting bring forth gives way as well.

mod left;
mod turns;

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};

use self::left::Left;
use self::turns::in_turns;

/// Makes a [`JoinPart`] of each join and unnesting, and of those sides of a join that need it.
#[derive(Debug)]
pub(crate) struct JoinsGiveWay;

impl PhysicalOptimizerRule for JoinsGiveWay {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan.transform_up(giving_way)?.data)
    }

    fn name(&self) -> &str {
        "joins_give_way"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn giving_way(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let mut sides = None;
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let left = Role::Left(Left::new(spills_rightly(join)));
        sides = Some([part(join.left(), left), part(join.right(), Role::Looped)]);
    } else if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        sides = Some([Arc::clone(join.left()), part(join.right(), Role::Probed)]);
    }
    let node = match sides {
        Some(sides) => replace_children_if_necessary(node, sides.into())?,
        None if node.is::<CrossJoinExec>() || node.is::<UnnestExec>() => node,
        None => return Ok(Transformed::no(node)),
    };
    Ok(Transformed::yes(part(&node, Role::Joined)))
}

/// Whether DataFusion 55 joins rightly what it wrote to disk. It forgets right rows that found
/// nothing when the last batch of the left side is the one that fills the memory, and of several
/// partitions each takes the left rows that found nothing there for rows that found nothing at all.
fn spills_rightly(join: &NestedLoopJoinExec) -> bool {
    match join.join_type() {
        JoinType::Inner => true,
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            join.right().output_partitioning().partition_count() == 1
        }
        _ => false,
    }
}

fn part(of: &Arc<dyn ExecutionPlan>, role: Role) -> Arc<dyn ExecutionPlan> {
    Arc::new(JoinPart { of: Arc::clone(of), role })
}

/// A side of a join, or a join itself: the same rows in the same order.
#[derive(Debug)]
struct JoinPart {
    of: Arc<dyn ExecutionPlan>,
    role: Role,
}

#[derive(Debug)]
enum Role {
    /// What a nested-loop join holds in memory.
    Left(Left),
    /// What it compares with that, one batch after the other.
    Looped,
    /// What a hash join looks up.
    Probed,
    /// What comes out of a join, or of lists that were taken apart.
    Joined,
}

impl DisplayAs for JoinPart {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Left(_) => "left",
            Role::Looped | Role::Probed => "right",
            Role::Joined => "joined",
        };
        write!(f, "JoinPart: {role}")
    }
}

impl ExecutionPlan for JoinPart {
    fn name(&self) -> &str {
        "JoinPart"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.of.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.of]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [of] = children.as_slice() else {
            return exec_err!("a part of a join is of one plan");
        };
        let role = match &self.role {
            Role::Left(left) => Role::Left(left.anew()),
            Role::Looped => Role::Looped,
            Role::Probed => Role::Probed,
            Role::Joined => Role::Joined,
        };
        Ok(part(of, role))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let least = match &self.role {
            Role::Left(left) => return left.rows(&self.of, partition, context),
            // With fewer, DataFusion 55 goes another way: it makes every pair before it looks at the
            // condition, and takes ten times as long where that costs little.
            Role::Looped => Some(context.session_config().batch_size() / 10 + 1),
            Role::Probed => Some(1),
            Role::Joined => None,
        };
        Ok(in_turns(self.of.execute(partition, context)?, self.schema(), least))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.of.metrics()
    }
}
