//! What names, operators and UNNEST mean while DataFusion plans a statement.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, Int64Builder, ListBuilder, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, Result, UnnestOptions, plan_err};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::math::expr_fn::random;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannedRelation, PlannerResult, RawBinaryExpr, RelationPlanner,
    RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlanBuilder, Operator, ReturnFieldArgs,
    ScalarUDF, lit, when,
};
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, TableFactor, TableSampleKind, TableSampleMethod,
};

use crate::analyze::compare;
use crate::functions;
use crate::functions::internal::interval_scaled;
use crate::functions::support::{Rows, Scalar, Takes, invalid, returns};
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

/// Plans an interval times or over a number, which DataFusion refuses.
#[derive(Debug)]
pub(crate) struct ScaledIntervals;

impl ExprPlanner for ScaledIntervals {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let scale: fn(Expr, Expr, [&DataType; 2]) -> Option<Expr> = match expr.op {
            BinaryOperator::Multiply => interval_scaled::times,
            BinaryOperator::Divide => interval_scaled::over,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // What has no type yet is refused where DataFusion looks at it.
        let types = (expr.left.get_type(schema), expr.right.get_type(schema));
        let (Ok(left), Ok(right)) = types else { return Ok(PlannerResult::Original(expr)) };
        let scaled = scale(expr.left.clone(), expr.right.clone(), [&left, &right]);
        Ok(scaled.map_or(PlannerResult::Original(expr), PlannerResult::Planned))
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
            return sampled(relation, context);
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

/// Plans `TABLESAMPLE BERNOULLI (percent)` and `SYSTEM`, which DataFusion passes over: every row is
/// taken with that probability.
fn sampled(
    mut relation: TableFactor,
    context: &mut dyn RelationPlannerContext,
) -> Result<RelationPlanning> {
    let (TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. }) = &mut relation
    else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let Some(sample) = sample.take() else {
        return Ok(RelationPlanning::Original(Box::new(relation)));
    };
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) =
        sample;
    let percent = sample.quantity.as_ref().and_then(|quantity| match &quantity.value {
        ast::Expr::Value(value) => value.to_string().parse::<f64>().ok(),
        _ => None,
    });
    let plain = sample.seed.is_none()
        && sample.bucket.is_none()
        && matches!(sample.name, Some(TableSampleMethod::Bernoulli | TableSampleMethod::System));
    let Some(percent) = percent.filter(|percent| plain && (0.0..=100.0).contains(percent)) else {
        return plan_err!("a sample is written `TABLESAMPLE BERNOULLI (percent)`, 0 to 100");
    };
    let mut plan = context.plan(relation)?;
    if percent < 100.0 {
        let taken = random().lt(lit(percent / 100.0));
        plan = LogicalPlanBuilder::from(plan).filter(taken)?.build()?;
    }
    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
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

fn ordinals(rows: &Rows) -> Result<ColumnarValue> {
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

/// `$only(array)`: the only element, NULL of an empty array.
static ONLY: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let returned = |args: &ReturnFieldArgs| match args.arg_fields[0].data_type() {
        DataType::List(element) => {
            Ok(Arc::new(element.as_ref().clone().with_name("").with_nullable(true)))
        }
        other => returns(other.clone()),
    };
    Arc::new(Scalar::new("$only", &[Takes::Array], returned, only_element).udf())
});

fn only_element(rows: &Rows) -> Result<ColumnarValue> {
    let array = rows.full_array(0)?;
    let DataType::List(_) = array.data_type() else { return rows.finish(array) };
    let list = array.as_list::<i32>();
    let places = (0..list.len()).map(|row| match (list.is_valid(row), list.value_length(row)) {
        (false, _) | (_, 0) => Ok(None),
        (_, 1) => Ok(Some(list.value_offsets()[row] as u32)),
        _ => invalid(crate::explain::MANY_ROWS),
    });
    let places = places.collect::<Result<UInt32Array>>()?;
    rows.finish(take(list.values(), &places, None)?)
}

/// Returns the value of a subquery with one column and at most one row; `first` allows more rows.
pub(crate) fn only(array: Expr, first: bool) -> Result<Expr> {
    let (udf, args) = match (first, functions::named("element_at")) {
        (true, Some(element_at)) => (element_at, vec![array, lit(1_i64)]),
        _ => (Arc::clone(&ONLY), vec![array]),
    };
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(udf, args)))
}

/// Returns the array, or NULL when it is empty: a LEFT JOIN keeps rows of both alike.
pub(crate) fn null_if_empty(array: Expr) -> Expr {
    let (alias, array) = match array {
        Expr::Alias(alias) => (Some(alias.name), *alias.expr),
        other => (None, other),
    };
    let Some(cardinality) = functions::named("cardinality") else { return array };
    let length = Expr::ScalarFunction(ScalarFunction::new_udf(cardinality, vec![array.clone()]));
    let kept = when(length.gt(lit(0_i64)), array.clone()).end();
    let kept = kept.unwrap_or(array);
    match alias {
        Some(name) => kept.alias(name),
        None => kept,
    }
}
