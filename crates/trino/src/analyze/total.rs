//! `$total(array, …)`: an aggregate function over the elements of arrays, one result a row.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion::arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunctionParams, NullTreatment};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

/// One aggregate function as a function of arrays: those of its arguments that are no constants,
/// then those of its order.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Total {
    name: String,
    function: Arc<AggregateUDF>,
    arguments: Vec<(FieldRef, Option<ScalarValue>)>,
    order: Vec<(bool, bool)>,
    distinct: bool,
    ignore_nulls: bool,
    signature: Signature,
}

impl Total {
    /// `fields` are those of the arguments after coercion.
    pub(super) fn new(
        function: Arc<AggregateUDF>,
        params: &AggregateFunctionParams,
        fields: Vec<FieldRef>,
    ) -> Self {
        let arguments = params.args.iter().zip(fields);
        let arguments = arguments.map(|(arg, field)| (field, constant(arg).cloned()));
        Self {
            name: format!("$total_{}", function.name()),
            arguments: arguments.collect(),
            order: params.order_by.iter().map(|key| (key.asc, key.nulls_first)).collect(),
            distinct: params.distinct,
            ignore_nulls: params.null_treatment == Some(NullTreatment::IgnoreNulls),
            signature: Signature::variadic_any(Volatility::Immutable),
            function,
        }
    }

    fn fields(&self) -> Vec<FieldRef> {
        self.arguments.iter().map(|(field, _)| Arc::clone(field)).collect()
    }

    /// Returns the aggregate of one row's elements; `columns` are as long as each other.
    fn of_row(&self, columns: &[ArrayRef], schema: &Schema) -> Result<ScalarValue> {
        let fields = self.fields();
        let expressions: Vec<Arc<dyn PhysicalExpr>> = self
            .arguments
            .iter()
            .enumerate()
            .map(|(at, (field, constant))| match constant {
                Some(value) => Arc::new(Literal::new(value.clone())) as Arc<dyn PhysicalExpr>,
                None => Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>,
            })
            .collect();
        let mut accumulator = self.function.accumulator(AccumulatorArgs {
            return_field: self.function.return_field(&fields)?,
            schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &[],
            is_reversed: false,
            name: &self.name,
            is_distinct: self.distinct,
            exprs: &expressions,
            expr_fields: &fields,
        })?;
        let length = columns.first().map_or(0, |column| column.len());
        if length > 0 {
            let (values, keys) = columns.split_at(columns.len() - self.order.len());
            let mut values = values.iter().cloned();
            let arguments = self.arguments.iter().map(|(_, constant)| match constant {
                Some(value) => value.to_array_of_size(length),
                None => Ok(values.next().unwrap_or_else(|| columns[0].clone())),
            });
            let arguments = self.sorted(arguments.collect::<Result<_>>()?, keys)?;
            accumulator.update_batch(&arguments)?;
        }
        accumulator.evaluate()
    }

    fn sorted(&self, arguments: Vec<ArrayRef>, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        if keys.is_empty() {
            return Ok(arguments);
        }
        let keys = keys.iter().zip(&self.order).map(|(values, (ascending, nulls_first))| {
            let options = SortOptions { descending: !ascending, nulls_first: *nulls_first };
            SortColumn { values: Arc::clone(values), options: Some(options) }
        });
        let places = lexsort_to_indices(&keys.collect::<Vec<_>>(), None)?;
        arguments.iter().map(|argument| Ok(take(argument, &places, None)?)).collect()
    }
}

impl ScalarUDFImpl for Total {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.function.return_field(&self.fields())?.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = self.function.return_field(&self.fields())?;
        Ok(Arc::new(field.as_ref().clone().with_name("").with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let schema = Schema::new(self.fields());
        let columns = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let totals = (0..args.number_rows).map(|row| {
            let elements = columns.iter().map(|column| elements(column, row));
            self.of_row(&elements.collect::<Vec<_>>(), &schema)
        });
        let totals = totals.collect::<Result<Vec<_>>>()?;
        match totals.is_empty() {
            true => {
                let none = ScalarValue::try_new_null(args.return_field.data_type())?;
                Ok(ColumnarValue::Array(none.to_array_of_size(0)?))
            }
            false => Ok(ColumnarValue::Array(ScalarValue::iter_to_array(totals)?)),
        }
    }
}

/// Returns the elements of a row's array; none for NULL.
fn elements(column: &ArrayRef, row: usize) -> ArrayRef {
    match column.data_type() {
        DataType::List(_) => {
            let list: &ListArray = column.as_list();
            match list.is_valid(row) {
                true => list.value(row),
                false => list.values().slice(0, 0),
            }
        }
        _ => column.slice(0, 0),
    }
}

/// Returns the value of a constant argument.
pub(super) fn constant(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => constant(&alias.expr),
        _ => None,
    }
}
