//! How large is a plan? A short statement can come to a huge one: a name of WITH stands for its whole
//! query wherever it is read, so thirty names, each of which reads the one before twice, are a
//! thousand million steps.

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::logical_expr::LogicalPlan;
use traillake_trino::{Kind, SqlError};

/// Steps that may follow each other: one for every join, set operation, subquery or name of WITH.
/// What the views of CloudTrail's tables bring along counts too.
const DEPTH_MAX: usize = 600;
/// Steps and parts of expressions in all.
const PARTS_MAX: usize = 200_000;

/// Refuses a plan that is too large to be worked on. Looks at no more of it than is allowed.
///
/// # Errors
/// [`Kind::Unsupported`].
pub(crate) fn check(plan: &LogicalPlan) -> std::result::Result<(), SqlError> {
    let mut size = Size::default();
    // Nothing in the walk fails.
    let _ = plan.visit_with_subqueries(&mut size);
    let message = match (size.deepest > DEPTH_MAX, size.parts > PARTS_MAX) {
        (true, _) => format!("the statement comes to more than {DEPTH_MAX} steps in a row"),
        (_, true) => format!("the statement comes to a plan of more than {PARTS_MAX} parts"),
        _ => return Ok(()),
    };
    let hint = "read fewer tables, and each name of WITH only once or twice";
    Err(SqlError::new(Kind::Unsupported, message).with_hint(hint))
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
