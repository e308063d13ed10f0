//! `sum(x)`: DataFusion's, but a sum of bigints that no bigint holds is an error, not another
//! number.

use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sum { any: sum_udaf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    /// Sums every type, bigints without a look at their range.
    any: Arc<AggregateUDF>,
}

fn is_bigint(args: &AccumulatorArgs) -> bool {
    *args.return_field.data_type() == DataType::Int64
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.any.name()
    }

    fn signature(&self) -> &Signature {
        self.any.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.any.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (is_bigint(&args), args.is_distinct) {
            (false, _) => self.any.accumulator(args),
            (true, false) => Ok(Box::new(Total::default())),
            (true, true) => Ok(Box::new(DistinctTotal { values: self.any.accumulator(args)? })),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.any.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.any.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match is_bigint(&args) {
            true => Ok(Box::new(Totals::default())),
            false => self.any.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match is_bigint(&args) && !args.is_distinct {
            true => Ok(Box::new(Total::default())),
            false => self.any.create_sliding_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.any.reverse_udf()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.any.order_sensitivity()
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.any.value_from_stats(args)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.any.inner().set_monotonicity(data_type)
    }
}

fn overflow() -> DataFusionError {
    exec_datafusion_err!(
        "bigint addition overflow; `sum(CAST(x AS double))` has room for larger sums"
    )
}

/// The sum of the values that are there, which no number of bigints carries out of an `i128`.
#[derive(Debug, Default)]
struct Total {
    sum: i128,
    count: u64,
}

impl Total {
    fn add(&mut self, values: &Int64Array) {
        self.sum += match values.null_count() {
            0 => values.values().iter().map(|value| i128::from(*value)).sum::<i128>(),
            _ => values.iter().flatten().map(i128::from).sum(),
        };
        self.count += (values.len() - values.null_count()) as u64;
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_primitive());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut left = Self::default();
        left.add(values[0].as_primitive());
        self.sum -= left.sum;
        self.count -= left.count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = i64::try_from(self.sum).map_err(|_| overflow())?;
        Ok(ScalarValue::Int64((self.count > 0).then_some(sum)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// The sum of different values, which DataFusion's accumulator gathers.
#[derive(Debug)]
struct DistinctTotal {
    values: Box<dyn Accumulator>,
}

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut total = Total::default();
        for state in self.values.state()? {
            if let ScalarValue::List(list) = state {
                total.add(list.values().as_primitive());
            }
        }
        total.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }
}

/// Whether a row is one of those that `FILTER (WHERE …)` leaves.
fn counts(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// The sums of many groups; none of a group without values.
#[derive(Debug, Default)]
struct Totals {
    sums: Vec<Option<i64>>,
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, None);
        let values = values[0].as_primitive::<Int64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            if counts(filter, row) && values.is_valid(row) {
                let sum = self.sums[*group].unwrap_or(0).checked_add(values.value(row));
                self.sums[*group] = Some(sum.ok_or_else(overflow)?);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(emit_to.take_needed(&mut self.sums))))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Int64Type>();
        let kept = values.iter().enumerate();
        let kept = kept.map(|(row, value)| value.filter(|_| counts(filter, row)));
        Ok(vec![Arc::new(kept.collect::<Int64Array>())])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i64>>()
    }
}
