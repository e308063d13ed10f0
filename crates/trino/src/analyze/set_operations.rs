//! UNION, INTERSECT, EXCEPT and VALUES: columns take the type that both sides have in common
//! (<https://trino.io/docs/current/sql/select.html#set-operations>), and ALL keeps copies.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::{
    Cast, Distinct, Expr, ExprFunctionExt, ExprSchemable, Join, JoinType, LogicalPlan,
    LogicalPlanBuilder, Projection, Union, Values, cast,
};
use datafusion::optimizer::AnalyzerRule;

use super::zones::common_time;

/// Gives the columns of both sides one type where DataFusion would not, or would find another one:
/// times with zones beside times without, and the sides of INTERSECT and EXCEPT.
#[derive(Debug)]
pub(super) struct AlikeSides;

impl AnalyzerRule for AlikeSides {
    fn name(&self) -> &str {
        "alike_sides"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            // Only what stands below was changed so far.
            let plan = plan.recompute_schema()?;
            match plan {
                LogicalPlan::Values(values) => alike_rows(values),
                LogicalPlan::Union(union) => alike_inputs(union),
                LogicalPlan::Join(join) if is_set_operation(&join) => alike_join(join),
                other => Ok(Transformed::no(other)),
            }
        })?;
        Ok(plan.data)
    }
}

/// Of VALUES every row is cast already, to a type that DataFusion has found.
fn alike_rows(mut values: Values) -> Result<Transformed<LogicalPlan>> {
    let none = DFSchema::empty();
    let mut fields = values.schema.as_arrow().fields().to_vec();
    let mut changed = false;
    for (at, field) in fields.iter_mut().enumerate() {
        let given = values.values.iter().map(|row| uncast(&row[at], field.data_type()));
        let given: Vec<Expr> = given.cloned().collect();
        let types = given.iter().map(|value| value.get_type(&none)).collect::<Result<Vec<_>>>()?;
        let Some(common) = common_time(types.iter()) else { continue };
        *field = Arc::new(field.as_ref().clone().with_data_type(common.clone()));
        for (row, value) in values.values.iter_mut().zip(given) {
            row[at] = cast(value, common.clone());
        }
        changed = true;
    }
    if !changed {
        return Ok(Transformed::no(LogicalPlan::Values(values)));
    }
    let schema = DFSchema::from_unqualified_fields(fields.into(), Default::default())?;
    values.schema = Arc::new(schema);
    Ok(Transformed::yes(LogicalPlan::Values(values)))
}

fn uncast<'a>(value: &'a Expr, data_type: &DataType) -> &'a Expr {
    match value {
        Expr::Cast(Cast { expr, field }) if field.data_type() == data_type => expr,
        other => other,
    }
}

fn alike_inputs(union: Union) -> Result<Transformed<LogicalPlan>> {
    let width = union.schema.fields().len();
    let types = |at: usize| {
        let fields = union.inputs.iter().map(move |input| input.schema().fields().get(at));
        fields.flatten().map(|field| field.data_type())
    };
    let common: Vec<Option<DataType>> = (0..width).map(|at| common_time(types(at))).collect();
    if common.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().map(|input| as_types(input, &common));
    let union = Union::try_new_with_loose_types(inputs.collect::<Result<_>>()?)?;
    Ok(Transformed::yes(LogicalPlan::Union(union)))
}

fn alike_join(join: Join) -> Result<Transformed<LogicalPlan>> {
    let fields = join.left.schema().fields().iter().zip(join.right.schema().fields());
    let common = fields.map(|(left, right)| {
        let (left, right) = (left.data_type(), right.data_type());
        match left.is_numeric() && right.is_numeric() && left != right {
            true => type_union_coercion(left, right),
            false => common_time([left, right].into_iter()),
        }
    });
    let common: Vec<Option<DataType>> = common.collect();
    if common.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let left = as_types(join.left, &common)?;
    let right = as_types(join.right, &common)?;
    let joined = Join { left, right, ..join };
    LogicalPlan::Join(joined).recompute_schema().map(Transformed::yes)
}

/// Returns the plan with its columns cast to these types, where one is given, under their names.
/// Rows are made distinct after that.
fn as_types(plan: Arc<LogicalPlan>, types: &[Option<DataType>]) -> Result<Arc<LogicalPlan>> {
    if let LogicalPlan::Distinct(Distinct::All(input)) = plan.as_ref() {
        let input = as_types(Arc::clone(input), types)?;
        return Ok(Arc::new(LogicalPlan::Distinct(Distinct::All(input))));
    }
    let columns = plan.schema().iter().zip(types).map(|((table, field), to)| {
        let column = Expr::Column(Column::from((table, field)));
        match to {
            Some(to) if to != field.data_type() => {
                cast(column, to.clone()).alias_qualified(table.cloned(), field.name())
            }
            _ => column,
        }
    });
    let projection = Projection::try_new(columns.collect(), plan)?;
    Ok(Arc::new(LogicalPlan::Projection(projection)))
}

/// The name of the column of numbers.
const COPY: &str = "$copy";

/// Numbers the copies of rows for INTERSECT ALL and EXCEPT ALL: DataFusion asks only whether a row
/// stands on the other side, not how often. The numbers are compared too.
#[derive(Debug)]
pub(super) struct CountCopies;

impl AnalyzerRule for CountCopies {
    fn name(&self) -> &str {
        "count_copies"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| match &plan {
            LogicalPlan::Join(join) if counts_copies(join) => {
                numbered_join(join).map(Transformed::yes)
            }
            _ => Ok(Transformed::no(plan)),
        })?;
        plan.map_data(LogicalPlan::recompute_schema).map(|plan| plan.data)
    }
}

/// Only set operations join with NULLs being equal.
fn is_set_operation(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
}

/// Without ALL the left side is distinct.
fn counts_copies(join: &Join) -> bool {
    is_set_operation(join) && !matches!(join.left.as_ref(), LogicalPlan::Distinct(_))
}

fn numbered_join(join: &Join) -> Result<LogicalPlan> {
    let outputs: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    let sides = |plan: &Arc<LogicalPlan>| {
        let columns = plan.schema().columns();
        let all: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
        let number = row_number().partition_by(all).build()?.alias(COPY);
        let numbered = LogicalPlanBuilder::from(plan.as_ref().clone()).window(vec![number])?;
        let keys = columns.into_iter().chain([Column::new_unqualified(COPY)]).collect();
        Ok::<(LogicalPlan, Vec<Column>), datafusion::error::DataFusionError>((
            numbered.build()?,
            keys,
        ))
    };
    let ((left, left_keys), (right, right_keys)) = (sides(&join.left)?, sides(&join.right)?);
    LogicalPlanBuilder::from(left)
        .join_detailed(
            right,
            join.join_type,
            (left_keys, right_keys),
            None,
            NullEquality::NullEqualsNull,
        )?
        .project(outputs)?
        .build()
}
