//! How large is a plan? A short statement can come to a huge one: a name of WITH stands for its whole
//! query wherever it is read, so thirty names, each of which reads the one before twice, are a
//! thousand million steps.
//!
//! It is reckoned before there is a plan, for a planner that walks what it has made so far at every
//! SELECT would not come to an end; and counted when there is one.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Visit, Visitor};
use traillake_trino::{Kind, SqlError};

/// Steps that may follow each other: one for every join, set operation, subquery or name of WITH.
/// What the views of CloudTrail's tables bring along counts too.
const DEPTH_MAX: usize = 600;
/// Steps and parts of expressions in all.
const PARTS_MAX: usize = 200_000;

/// What a query counts for, its expressions apart: a few steps, and what looks at all of it again.
const QUERY_PARTS: usize = 100;

/// Refuses a statement whose plan would be too large to be made. With names of WITH replaced by their
/// queries, each query counts as a hundred parts and each part of an expression as one.
///
/// # Errors
/// [`Kind::Unsupported`].
pub(crate) fn check_statement(statement: &Statement) -> std::result::Result<(), SqlError> {
    let mut statement = statement;
    while let Statement::Explain(explain) = statement {
        statement = &explain.statement;
    }
    let Statement::Statement(tree) = statement else { return Ok(()) };
    let mut reckoned = Reckoned::default();
    let _ = tree.visit(&mut reckoned);
    match reckoned.parts > PARTS_MAX {
        true => Err(refused(format!("a plan of more than {PARTS_MAX} parts"))),
        false => Ok(()),
    }
}

/// Refuses a plan that is too large to be worked on. Looks at no more of it than is allowed.
///
/// # Errors
/// [`Kind::Unsupported`].
pub(crate) fn check(plan: &LogicalPlan) -> std::result::Result<(), SqlError> {
    let mut size = Size::default();
    // Nothing in the walk fails.
    let _ = plan.visit_with_subqueries(&mut size);
    match (size.deepest > DEPTH_MAX, size.parts > PARTS_MAX) {
        (true, _) => Err(refused(format!("more than {DEPTH_MAX} steps in a row"))),
        (_, true) => Err(refused(format!("a plan of more than {PARTS_MAX} parts"))),
        _ => Ok(()),
    }
}

fn refused(what: String) -> SqlError {
    let hint = "read fewer tables, and each name of WITH only once or twice";
    SqlError::new(Kind::Unsupported, format!("the statement comes to {what}")).with_hint(hint)
}

/// The parts that a statement comes to.
#[derive(Default)]
struct Reckoned {
    /// Of the query under way.
    parts: usize,
    /// The queries around it, the innermost last.
    around: Vec<Around>,
}

/// A query, while one within it is looked at.
#[derive(Default)]
struct Around {
    parts: usize,
    /// Its names of WITH that are still to come, by the place of their queries in memory.
    coming: HashMap<*const Query, String>,
    /// The parts of those that came.
    named: HashMap<String, usize>,
}

impl Visitor for Reckoned {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables);
        let named = |name: &str| name.to_lowercase();
        let coming = names.map(|of| (&raw const *of.query, named(&of.alias.name.value)));
        let parts = std::mem::replace(&mut self.parts, QUERY_PARTS);
        self.around.push(Around { parts, coming: coming.collect(), ..Around::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(Around { parts, .. }) = self.around.pop() else { return ControlFlow::Break(()) };
        let within = std::mem::replace(&mut self.parts, parts);
        let outer = self.around.last_mut();
        match outer.and_then(|outer| Some((outer.coming.remove(&(&raw const *query))?, outer))) {
            // What a name stands for counts where it is read.
            Some((name, outer)) => drop(outer.named.insert(name, within)),
            None => self.parts = self.parts.saturating_add(within),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = match relation.0.as_slice() {
            [only] => only.as_ident().map(|ident| ident.value.to_lowercase()),
            _ => None,
        };
        let stands_for = |name: String| self.around.iter().rev().find_map(|at| at.named.get(&name));
        let parts = name.and_then(stands_for).copied().unwrap_or_default();
        self.parts = self.parts.saturating_add(parts);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.parts = self.parts.saturating_add(1);
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Size {
    depth: usize,
    deepest: usize,
    parts: usize,
}

impl Size {
    fn go_on(&self) -> TreeNodeRecursion {
        match self.deepest > DEPTH_MAX || self.parts > PARTS_MAX {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        }
    }
}

impl<'n> TreeNodeVisitor<'n> for Size {
    type Node = LogicalPlan;

    fn f_down(&mut self, node: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.parts += 1;
        node.apply_expressions(|expr| {
            expr.apply(|_| {
                self.parts += 1;
                Ok(self.go_on())
            })
        })?;
        Ok(self.go_on())
    }

    fn f_up(&mut self, _node: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        self.depth -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}
