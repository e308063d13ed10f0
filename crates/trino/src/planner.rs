//! What names, operators and UNNEST mean while DataFusion plans a statement.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, Int64Builder, ListBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, Result, UnnestOptions, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannedRelation, PlannerResult, RawBinaryExpr, RelationPlanner,
    RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlanBuilder, Operator, ScalarUDF, when,
};
use datafusion::sql::sqlparser::ast::{BinaryOperator, TableFactor};

use crate::analyze::compare;
use crate::functions;
use crate::functions::support::{Rows, Scalar, Takes, returns};
use crate::map;
use crate::type_names::trino_type;

/// Plans comparisons of timestamps and booleans with text, which DataFusion refuses or reads
/// otherwise.
#[derive(Debug)]
pub(crate) struct Comparisons;

impl ExprPlanner for Comparisons {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match expr.op {
            BinaryOperator::Eq => Operator::Eq,
            BinaryOperator::NotEq => Operator::NotEq,
            BinaryOperator::Lt => Operator::Lt,
            BinaryOperator::LtEq => Operator::LtEq,
            BinaryOperator::Gt => Operator::Gt,
            BinaryOperator::GtEq => Operator::GtEq,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(match compare::fit(&expr.left, &expr.right, schema)? {
            Some((left, right)) => {
                let fitted = BinaryExpr::new(Box::new(left), op, Box::new(right));
                PlannerResult::Planned(Expr::BinaryExpr(fitted))
            }
            None => PlannerResult::Original(expr),
        })
    }
}

/// Plans `UNNEST(…)`: arrays, maps (key and value), arrays of rows (one column a field), several
/// at once, WITH ORDINALITY. With one name for an array of rows (`AS t (entry)`) the rows stay
/// whole, as AWS's guide to Athena has them (`t.entry.arn`); Trino would refuse that.
#[derive(Debug)]
pub(crate) struct UnnestPlanner;

impl RelationPlanner for UnnestPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let empty = DFSchema::empty();
        let names = alias.as_ref().map_or(0, |alias| alias.columns.len());
        let keep_rows = names == array_exprs.len() + usize::from(with_ordinality);
        let mut unnest = Unnested { keep_rows, ..Unnested::default() };
        for argument in array_exprs {
            let argument = context.sql_to_expr(argument, &empty)?;
            unnest.add(argument, &empty)?;
        }
        if with_ordinality {
            let ordinals = ScalarFunction::new_udf(Arc::clone(&ORDINALS), unnest.arguments.clone());
            let column = unnest.column(Expr::ScalarFunction(ordinals));
            unnest.outputs.push((column, "ordinality".to_owned()));
        }
        let plan = unnest.plan()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

#[derive(Default)]
struct Unnested {
    /// Rows are not taken apart.
    keep_rows: bool,
    /// Arrays, unnested side by side.
    arguments: Vec<Expr>,
    /// Outputs over the unnested columns, with their names when the user gives none.
    outputs: Vec<(Expr, String)>,
}

impl Unnested {
    fn add(&mut self, argument: Expr, schema: &DFSchema) -> Result<()> {
        let (_, field) = argument.to_field(schema)?;
        let is_map = map::is_map(&field) || matches!(field.data_type(), DataType::Map(..));
        if is_map {
            for name in ["map_keys", "map_values"] {
                let half = functions::named(name).map(|udf| {
                    Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![argument.clone()]))
                });
                let Some(half) = half else { return plan_err!("`{name}` is not registered") };
                let column = self.column(half);
                self.push(column);
            }
            return Ok(());
        }
        let DataType::List(element) = field.data_type() else {
            return plan_err!("UNNEST takes arrays and maps, not {}", trino_type(&field));
        };
        let column = self.column(argument);
        match element.data_type() {
            DataType::Struct(fields) if !self.keep_rows || fields.len() == 1 => {
                for field in fields {
                    let value = get_field(column.clone(), field.name().as_str());
                    self.outputs.push((value, field.name().clone()));
                }
            }
            _ => self.push(column),
        }
        Ok(())
    }

    fn push(&mut self, column: Expr) {
        let name = format!("_col{}", self.outputs.len());
        self.outputs.push((column, name));
    }

    /// Adds an array; returns the column of its elements.
    fn column(&mut self, argument: Expr) -> Expr {
        let name = format!("$unnest{}", self.arguments.len());
        self.arguments.push(argument);
        Expr::Column(Column::new_unqualified(name))
    }

    fn plan(self) -> Result<datafusion::logical_expr::LogicalPlan> {
        let name = |at: usize| format!("$unnest{at}");
        let columns = (0..self.arguments.len()).map(|at| Column::new_unqualified(name(at)));
        let columns = columns.collect();
        let arguments = self.arguments.into_iter().enumerate();
        let arguments = arguments.map(|(at, argument)| argument.alias(name(at)));
        let mut taken = std::collections::HashSet::new();
        let outputs = self.outputs.into_iter().enumerate().map(|(at, (output, name))| {
            let unique = if taken.insert(name.clone()) { name } else { format!("{name}\u{1}{at}") };
            output.alias(unique)
        });
        LogicalPlanBuilder::empty(true)
            .project(arguments.collect::<Vec<_>>())?
            .unnest_columns_with_options(columns, UnnestOptions::new().with_preserve_nulls(false))?
            .project(outputs.collect::<Vec<_>>())?
            .build()
    }
}

/// `$ordinals(array, …)`: 1 to the length of the longest array.
static ORDINALS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let udf = Scalar::new(
        "$ordinals",
        &[],
        |_| returns(DataType::List(Arc::new(Field::new("item", DataType::Int64, true)))),
        ordinals,
    );
    Arc::new(udf.variadic(Takes::Any).udf())
});

fn ordinals(rows: &Rows) -> Result<datafusion::logical_expr::ColumnarValue> {
    let arrays = (0..rows.width()).map(|at| rows.full_array(at)).collect::<Result<Vec<_>>>()?;
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..rows.count() {
        let length = arrays.iter().filter(|array| array.is_valid(row)).map(|array| {
            match array.data_type() {
                DataType::List(_) => array.as_list::<i32>().value_length(row),
                _ => 0,
            }
        });
        for ordinal in 1..=length.max().unwrap_or(0) {
            lists.values().append_value(i64::from(ordinal));
        }
        lists.append(true);
    }
    rows.finish(Arc::new(lists.finish()))
}

/// Returns the array, or NULL when it is empty: a LEFT JOIN keeps rows of both alike.
pub(crate) fn null_if_empty(array: Expr) -> Expr {
    let (alias, array) = match array {
        Expr::Alias(alias) => (Some(alias.name), *alias.expr),
        other => (None, other),
    };
    let Some(cardinality) = functions::named("cardinality") else { return array };
    let length = Expr::ScalarFunction(ScalarFunction::new_udf(cardinality, vec![array.clone()]));
    let kept = when(length.gt(datafusion::logical_expr::lit(0_i64)), array.clone()).end();
    let kept = kept.unwrap_or(array);
    match alias {
        Some(name) => kept.alias(name),
        None => kept,
    }
}
