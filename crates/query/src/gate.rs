//! The read-only gate, second lock: whatever the parser let through, a plan that does more than
//! read tables of the lake is refused.

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use traillake_trino::{Kind, SqlError};

/// Refuses a plan that writes, changes settings or defines anything.
///
/// # Errors
/// [`Kind::NotReadOnly`], naming what the statement does.
pub(crate) fn check(plan: &LogicalPlan) -> Result<(), SqlError> {
    let mut found = ControlFlow::Continue(());
    let walked = plan.apply_with_subqueries(|node| {
        if let Some(what) = refused(node) {
            found = ControlFlow::Break(what);
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    match (walked, found) {
        (Ok(_), ControlFlow::Continue(())) => Ok(()),
        (_, ControlFlow::Break(what)) => Err(refusal(what)),
        (Err(_), ControlFlow::Continue(())) => Err(refusal("a statement that cannot be walked")),
    }
}

fn refused(node: &LogicalPlan) -> Option<&'static str> {
    match node {
        LogicalPlan::Ddl(_) => Some("a definition"),
        LogicalPlan::Dml(_) => Some("a change of rows"),
        LogicalPlan::Copy(_) => Some("COPY"),
        LogicalPlan::Statement(_) => Some("a session command"),
        LogicalPlan::Extension(_) => Some("an extension"),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
        #[expect(unreachable_patterns, reason = "a node of a later version is refused")]
        _ => Some("a statement of an unknown kind"),
    }
}

fn refusal(what: &str) -> SqlError {
    SqlError::new(Kind::NotReadOnly, format!("{what} is not allowed: statements only read"))
        .with_hint("use one SELECT, VALUES, EXPLAIN, SHOW or DESCRIBE")
}
