//! Rows of views dissolve into their columns.
//!
//! A row made by `row_if` is never passed from operator to operator: its fields are, as columns
//! named `userIdentity.arn`. So `userIdentity.arn = 'x'` becomes a condition on the bare column
//! that the view put there, through any number of projections, subqueries and joins, and prunes.
//! Where a row is needed whole (the answer, a grouping key, an argument) it is made there from its
//! columns; `IS NULL` asks the column that says whether it is present.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference};
use datafusion::logical_expr::expr::{Alias, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, SubqueryAlias, Union,
};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::internal::field::position_of_name;
use crate::rewrite::internal::FIELD;
use crate::row_if;

/// Takes rows made by `row_if` apart.
#[derive(Debug)]
pub(super) struct DissolveRows;

impl AnalyzerRule for DissolveRows {
    fn name(&self) -> &str {
        "dissolve_rows"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !makes_rows(&plan)? {
            return Ok(plan);
        }
        whole(&plan, &[])
    }
}

fn makes_rows(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|plan| {
        plan.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(row_if::parts(expr).is_some()))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

/// A row in parts: its leaves are expressions over the plan that the row is an output of.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Expr),
    Row { present: Box<Expr>, fields: Vec<(String, Tree)> },
}

impl Tree {
    /// Returns the row whole.
    fn whole(self) -> Expr {
        match self {
            Self::Leaf(expr) => expr,
            Self::Row { present, fields } => row_if::row_if(
                *present,
                fields.into_iter().map(|(name, tree)| (name, tree.whole())).collect(),
            ),
        }
    }

    fn field(self, name: &str) -> Option<Self> {
        let Self::Row { fields, .. } = self else { return None };
        let at = position_of_name(fields.iter().map(|(name, _)| name.as_str()), name)?;
        fields.into_iter().nth(at).map(|(_, tree)| tree)
    }

    fn same_shape(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(_), Self::Leaf(_)) => true,
            (Self::Row { fields: a, .. }, Self::Row { fields: b, .. }) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.same_shape(&b.1))
            }
            _ => false,
        }
    }

    fn map_leaves(self, map: &impl Fn(Expr) -> Expr) -> Self {
        match self {
            Self::Leaf(expr) => Self::Leaf(map(expr)),
            Self::Row { present, fields } => Self::Row {
                present: Box::new(map(*present)),
                fields: fields
                    .into_iter()
                    .map(|(name, tree)| (name, tree.map_leaves(map)))
                    .collect(),
            },
        }
    }
}

/// The rows among a plan's outputs, by the column they were, and the fields of their leaves.
#[derive(Clone, Debug, Default)]
struct Rows {
    trees: HashMap<Column, Tree>,
    leaves: HashMap<Column, FieldRef>,
}

impl Rows {
    fn extend(&mut self, other: Self) {
        self.trees.extend(other.trees);
        self.leaves.extend(other.leaves);
    }

    /// Notes the fields of the plan's columns, among which the leaves are.
    fn typed(mut self, schema: &DFSchema) -> Self {
        if !self.trees.is_empty() {
            let columns = schema.iter().map(|(relation, field)| {
                (Column::new(relation.cloned(), field.name()), Arc::clone(field))
            });
            self.leaves = columns.collect();
        }
        self
    }

    /// Whether the leaf is known to hold no NULL.
    fn is_never_null(&self, leaf: &Expr) -> bool {
        match leaf {
            Expr::Column(column) => {
                self.leaves.get(column).is_some_and(|field| !field.is_nullable())
            }
            _ => false,
        }
    }

    /// Returns the column as an inner query sees it.
    fn outer_reference(&self, expr: Expr) -> Expr {
        match expr {
            Expr::Column(column) => match self.leaves.get(&column) {
                Some(field) => Expr::OuterReferenceColumn(Arc::clone(field), column),
                None => Expr::Column(column),
            },
            other => other,
        }
    }

    fn get(&self, column: &Column) -> Option<Tree> {
        if let Some(tree) = self.trees.get(column) {
            return Some(tree.clone());
        }
        let mut unqualified = self
            .trees
            .iter()
            .filter(|(known, _)| column.relation.is_none() && known.name == column.name);
        unqualified.next().map(|(_, tree)| tree.clone())
    }
}

/// What an expression reads: rows of its inputs, and rows of the queries around it.
struct Reads<'a> {
    rows: &'a Rows,
    outer: &'a [&'a Rows],
}

/// Returns the plan with rows dissolved inside and its outputs as they were.
fn whole(plan: &LogicalPlan, outer: &[&Rows]) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let (plan, rows) = dissolve(plan, outer)?;
    if rows.trees.is_empty() {
        return Ok(plan);
    }
    let outputs = schema.iter().map(|(relation, field)| {
        let column = Column::new(relation.cloned(), field.name());
        match rows.get(&column) {
            Some(tree) => tree.whole().alias_qualified(relation.cloned(), field.name()),
            None => Expr::Column(column),
        }
    });
    let outputs = outputs.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(outputs, Arc::new(plan))?))
}

/// Returns the plan with its row outputs replaced by their leaves.
fn dissolve(plan: &LogicalPlan, outer: &[&Rows]) -> Result<(LogicalPlan, Rows)> {
    match plan {
        LogicalPlan::Projection(projection) => dissolve_projection(projection, outer),
        LogicalPlan::SubqueryAlias(alias) => dissolve_alias(alias, outer),
        LogicalPlan::Subquery(subquery) => {
            let (inner, rows) = dissolve(&subquery.subquery, outer)?;
            Ok((LogicalPlan::Subquery(requery(subquery, inner)), rows))
        }
        LogicalPlan::Unnest(unnest) => {
            let (input, rows) = dissolve(&unnest.input, outer)?;
            let plan = LogicalPlanBuilder::from(input)
                .unnest_columns_with_options(unnest.exec_columns.clone(), unnest.options.clone())?
                .build()?;
            Ok((plan, rows))
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Join(_) => dissolve_through(plan, outer),
        LogicalPlan::Union(union) => dissolve_union(union, outer),
        LogicalPlan::Aggregate(aggregate) => {
            let (input, rows) = dissolve(&aggregate.input, outer)?;
            let exprs = substituted(plan, &rows, outer)?;
            Ok((plan.with_new_exprs(exprs, vec![input])?, Rows::default()))
        }
        other => {
            let inputs = other.inputs();
            if inputs.is_empty() {
                return Ok((other.clone(), Rows::default()));
            }
            let inputs = inputs.into_iter().map(|input| whole(input, outer));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            let exprs = substituted(other, &Rows::default(), outer)?;
            Ok((other.with_new_exprs(exprs, inputs)?, Rows::default()))
        }
    }
}

/// An operator that passes the columns of its inputs on.
fn dissolve_through(plan: &LogicalPlan, outer: &[&Rows]) -> Result<(LogicalPlan, Rows)> {
    let mut inputs = Vec::new();
    let mut all = Rows::default();
    let mut passed = Rows::default();
    for (at, input) in plan.inputs().into_iter().enumerate() {
        let (input, rows) = dissolve(input, outer)?;
        inputs.push(input);
        all.extend(rows.clone());
        let dropped = match plan {
            LogicalPlan::Join(join) => match join.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => at == 1,
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => at == 0,
                _ => false,
            },
            _ => false,
        };
        if !dropped {
            passed.extend(rows);
        }
    }
    let exprs = substituted(plan, &all, outer)?;
    // An outer join makes columns nullable.
    let plan = plan.with_new_exprs(exprs, inputs)?;
    let passed = passed.typed(plan.schema());
    Ok((plan, passed))
}

/// A row that is one in every branch stays in parts; its leaves follow one another.
fn dissolve_union(union: &Union, outer: &[&Rows]) -> Result<(LogicalPlan, Rows)> {
    let branches = union.inputs.iter().map(|input| {
        let (plan, rows) = dissolve(input, outer)?;
        let columns: Vec<Column> = input.schema().columns();
        Ok((plan, rows, columns))
    });
    let branches = branches.collect::<Result<Vec<_>>>()?;
    if branches.iter().all(|(_, rows, _)| rows.trees.is_empty()) {
        let inputs = branches.into_iter().map(|(plan, ..)| Arc::new(plan)).collect();
        return Ok((LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?), Rows::default()));
    }
    let mut made = Rows::default();
    let mut outputs: Vec<Vec<Expr>> = vec![Vec::new(); branches.len()];
    for (at, (relation, field)) in union.schema.iter().enumerate() {
        let trees: Vec<Option<Tree>> =
            branches.iter().map(|(_, rows, columns)| rows.get(&columns[at])).collect();
        let alike = trees.iter().all(|tree| match (tree, &trees[0]) {
            (Some(tree), Some(first)) => tree.same_shape(first),
            _ => false,
        });
        for ((tree, (_, _, columns)), outputs) in trees.into_iter().zip(&branches).zip(&mut outputs)
        {
            match tree {
                Some(tree) if alike => {
                    let tree = lay_out(tree, relation, field.name(), outputs);
                    made.trees.insert(Column::new(relation.cloned(), field.name()), tree);
                }
                Some(tree) => outputs.push(named(tree.whole(), relation, field.name())),
                None => {
                    let column = Expr::Column(columns[at].clone());
                    outputs.push(named(column, relation, field.name()));
                }
            }
        }
    }
    let inputs = branches.into_iter().zip(outputs).map(|((plan, ..), outputs)| {
        let projection = Projection::try_new(outputs, Arc::new(plan))?;
        Ok(Arc::new(LogicalPlan::Projection(projection)))
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let plan = Union::try_new_with_loose_types(inputs)?;
    let made = made.typed(&plan.schema);
    Ok((LogicalPlan::Union(plan), made))
}

fn dissolve_alias(alias: &SubqueryAlias, outer: &[&Rows]) -> Result<(LogicalPlan, Rows)> {
    let (input, rows) = dissolve(&alias.input, outer)?;
    let name = alias.alias.clone();
    let plan = SubqueryAlias::try_new(Arc::new(input), name.clone())?;
    let renamed = |expr: Expr| match expr {
        Expr::Column(column) => Expr::Column(Column::new(Some(name.clone()), column.name)),
        other => other,
    };
    let trees = rows.trees.into_iter().map(|(column, tree)| {
        (Column::new(Some(name.clone()), column.name), tree.map_leaves(&renamed))
    });
    let rows = Rows { trees: trees.collect(), leaves: HashMap::new() }.typed(&plan.schema);
    Ok((LogicalPlan::SubqueryAlias(plan), rows))
}

fn dissolve_projection(projection: &Projection, outer: &[&Rows]) -> Result<(LogicalPlan, Rows)> {
    let (input, rows) = dissolve(&projection.input, outer)?;
    let reads = Reads { rows: &rows, outer };
    let mut outputs = Vec::new();
    let mut made = Rows::default();
    for (expr, (relation, field)) in projection.expr.iter().zip(projection.schema.iter()) {
        match reads.tree(unaliased(expr))? {
            Some(tree @ Tree::Row { .. }) => {
                let tree = lay_out(tree, relation, field.name(), &mut outputs);
                made.trees.insert(Column::new(relation.cloned(), field.name()), tree);
            }
            Some(Tree::Leaf(leaf)) => {
                push_unique(&mut outputs, named(leaf, relation, field.name()));
            }
            None => {
                let name = NamePreserver::new_for_projection().save(expr);
                push_unique(&mut outputs, name.restore(reads.substitute(expr.clone())?));
            }
        }
    }
    let plan = Projection::try_new(outputs, Arc::new(input))?;
    let made = made.typed(&plan.schema);
    Ok((LogicalPlan::Projection(plan), made))
}

/// Adds the leaves of a row to the outputs; returns the row over them.
fn lay_out(
    tree: Tree,
    relation: Option<&TableReference>,
    name: &str,
    outputs: &mut Vec<Expr>,
) -> Tree {
    match tree {
        Tree::Leaf(expr) => {
            push_unique(outputs, named(expr, relation, name));
            Tree::Leaf(Expr::Column(Column::new(relation.cloned(), name)))
        }
        Tree::Row { present, fields } => {
            let present = lay_out(Tree::Leaf(*present), relation, &format!("{name}.?"), outputs);
            let fields = fields.into_iter().map(|(field, tree)| {
                let tree = lay_out(tree, relation, &format!("{name}.{field}"), outputs);
                (field, tree)
            });
            let fields = fields.collect();
            Tree::Row { present: Box::new(present.whole()), fields }
        }
    }
}

/// The same row may be an output twice (`SELECT *, userIdentity`): its leaves once suffice.
fn push_unique(outputs: &mut Vec<Expr>, output: Expr) {
    if !outputs.contains(&output) {
        outputs.push(output);
    }
}

fn named(expr: Expr, relation: Option<&TableReference>, name: &str) -> Expr {
    match &expr {
        Expr::Column(column) if column.relation.as_ref() == relation && column.name == name => expr,
        _ => expr.alias_qualified(relation.cloned(), name),
    }
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(Alias { expr, .. }) => unaliased(expr),
        other => other,
    }
}

fn substituted(plan: &LogicalPlan, rows: &Rows, outer: &[&Rows]) -> Result<Vec<Expr>> {
    let reads = Reads { rows, outer };
    let names = NamePreserver::new(plan);
    plan.expressions()
        .into_iter()
        .map(|expr| {
            let substitute = |expr: Expr| -> Result<Transformed<Expr>> {
                Ok(Transformed::yes(reads.substitute(expr)?))
            };
            Ok(super::keep_names(expr, &names, &substitute)?.data)
        })
        .collect()
}

fn requery(subquery: &Subquery, plan: LogicalPlan) -> Subquery {
    Subquery {
        outer_ref_columns: plan.all_out_ref_exprs(),
        subquery: Arc::new(plan),
        spans: subquery.spans.clone(),
    }
}

impl Reads<'_> {
    /// Returns the row (or the field of a row) that an expression is; none for anything else.
    fn tree(&self, expr: &Expr) -> Result<Option<Tree>> {
        if let Some((present, fields)) = row_if::parts(expr) {
            let fields = fields.into_iter().map(|(name, value)| {
                let tree = match self.tree(value)? {
                    Some(tree) => tree,
                    None => Tree::Leaf(self.substitute(value.clone())?),
                };
                Ok((name.to_owned(), tree))
            });
            let fields = fields.collect::<Result<Vec<_>>>()?;
            let present = Box::new(self.substitute(present.clone())?);
            return Ok(Some(Tree::Row { present, fields }));
        }
        match expr {
            Expr::Column(column) => Ok(self.rows.get(column)),
            Expr::OuterReferenceColumn(_, column) => Ok(self.outer.iter().rev().find_map(|rows| {
                let tree = rows.get(column)?;
                Some(tree.map_leaves(&|leaf| rows.outer_reference(leaf)))
            })),
            Expr::Alias(alias) => self.tree(&alias.expr),
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == FIELD => {
                let [value, Expr::Literal(ScalarValue::Utf8(Some(name)), _)] = args.as_slice()
                else {
                    return Ok(None);
                };
                Ok(self.tree(value)?.and_then(|tree| tree.field(name)))
            }
            _ => Ok(None),
        }
    }

    /// Returns the expression over the leaves of the rows it reads.
    fn substitute(&self, expr: Expr) -> Result<Expr> {
        let substituted = expr.transform_down(|expr| {
            match &expr {
                Expr::IsNull(value) | Expr::IsNotNull(value) => {
                    if let Some(Tree::Row { present, .. }) = self.tree(value)? {
                        // `NOT present` comes apart into conditions that prune, `IS NOT TRUE`
                        // does not; they are the same where `present` is never NULL.
                        let asked = match (&expr, self.rows.is_never_null(&present)) {
                            (Expr::IsNull(_), true) => Expr::Not(present),
                            (Expr::IsNull(_), false) => Expr::IsNotTrue(present),
                            (_, true) => *present,
                            (_, false) => Expr::IsTrue(present),
                        };
                        return Ok(Transformed::new(asked, true, TreeNodeRecursion::Jump));
                    }
                }
                Expr::Alias(_) => return Ok(Transformed::no(expr)),
                _ => {
                    if let Some(tree) = self.tree(&expr)? {
                        return Ok(Transformed::new(tree.whole(), true, TreeNodeRecursion::Jump));
                    }
                }
            }
            self.substitute_subquery(expr)
        })?;
        Ok(substituted.data)
    }

    fn substitute_subquery(&self, expr: Expr) -> Result<Transformed<Expr>> {
        let mut outer: Vec<&Rows> = self.outer.to_vec();
        outer.push(self.rows);
        let inner = |subquery: &Subquery| -> Result<Subquery> {
            Ok(requery(subquery, whole(&subquery.subquery, &outer)?))
        };
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(inner(&subquery)?))
            }
            Expr::Exists(mut exists) => {
                exists.subquery = inner(&exists.subquery)?;
                Transformed::yes(Expr::Exists(exists))
            }
            Expr::InSubquery(mut within) => {
                within.subquery = inner(&within.subquery)?;
                Transformed::yes(Expr::InSubquery(within))
            }
            Expr::SetComparison(mut comparison) => {
                comparison.subquery = inner(&comparison.subquery)?;
                Transformed::yes(Expr::SetComparison(comparison))
            }
            other => Transformed::no(other),
        })
    }
}
