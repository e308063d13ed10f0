//! Rows leave in the order that was asked for.
//!
//! What is computed of sorted rows is worth several cores to DataFusion 55: it deals the rows out to
//! them in turn, and as nothing above asks for an order any more, each core's rows leave when they are
//! ready. What stands between the last sort and the answer stays on one core here.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// Takes away what deals out rows that are in order, from the answer down to where an order begins.
#[derive(Debug)]
pub(crate) struct OrderKept;

impl PhysicalOptimizerRule for OrderKept {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        kept(plan)
    }

    fn name(&self) -> &str {
        "order_kept"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn kept(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(dealing) = plan.downcast_ref::<RepartitionExec>() {
        let input = dealing.input();
        let in_order = input.output_ordering().is_some();
        if in_order && input.output_partitioning().partition_count() == 1 {
            return kept(Arc::clone(input));
        }
    }
    let passes_order_on = plan.maintains_input_order().first() == Some(&true);
    let input = match plan.children().as_slice() {
        [input] if passes_order_on => Arc::clone(input),
        _ => return Ok(plan),
    };
    replace_children_if_necessary(plan, vec![kept(input)?])
}
