//! `checksum(x)`: the sum of the hashes of all values, so that their order does not matter.

use std::mem::size_of_val;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::functions::binary::hashes::xxhash64;
use crate::functions::maps::build::encoded;
use crate::functions::support::{Texts, is_binary, is_text};

/// What a NULL counts, and what every hash is multiplied with.
const PRIME: u64 = 0x9e37_79b1_85eb_ca87;

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Checksum { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checksum {
    signature: Signature,
}

impl AggregateUDFImpl for Checksum {
    fn name(&self) -> &str {
        "checksum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sum { sum: None }))
    }
}

#[derive(Debug)]
struct Sum {
    sum: Option<u64>,
}

impl Sum {
    fn add(&mut self, value: u64) {
        self.sum = Some(self.sum.unwrap_or(0).wrapping_add(value));
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let array = &values[0];
        let hashes = hashes(array)?;
        for (row, hash) in hashes.into_iter().enumerate() {
            let present = !array.data_type().is_null() && array.is_valid(row);
            self.add(if present { hash.wrapping_mul(PRIME) } else { PRIME });
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Binary(self.sum.map(|sum| sum.to_le_bytes().to_vec())))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_binary::<i32>().iter().flatten() {
            self.add(state.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        Ok(())
    }
}

/// Returns a hash for every row, whatever the string or integer type it is stored in.
fn hashes(array: &ArrayRef) -> Result<Vec<u64>> {
    let of_long = |value: i64| xxhash64(&value.to_le_bytes());
    let longs = |array: &ArrayRef| -> Result<Vec<u64>> {
        let array = cast(array, &DataType::Int64)?;
        Ok(array.as_primitive::<Int64Type>().values().iter().map(|value| of_long(*value)).collect())
    };
    match array.data_type() {
        data_type if is_text(data_type) => {
            let texts = Texts::of(array)?;
            let bytes = |row| texts.get(row).unwrap_or_default().as_bytes();
            Ok((0..array.len()).map(|row| xxhash64(bytes(row))).collect())
        }
        data_type if is_binary(data_type) => {
            let array = cast(array, &DataType::Binary)?;
            let binary = array.as_binary::<i32>();
            Ok((0..array.len()).map(|row| xxhash64(binary.value(row))).collect())
        }
        DataType::Boolean => longs(array),
        data_type if data_type.is_integer() => longs(array),
        DataType::Date32 => longs(&cast(array, &DataType::Int32)?),
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            longs(&cast(array, &micros)?)
        }
        data_type if data_type.is_floating() => {
            let array = cast(array, &DataType::Float64)?;
            let doubles = array.as_primitive::<Float64Type>().values().iter();
            Ok(doubles.map(|value| xxhash64(&(value + 0.0).to_bits().to_le_bytes())).collect())
        }
        DataType::Null => Ok(vec![0; array.len()]),
        _ => {
            let rows = encoded(array)?;
            Ok(rows.iter().map(|row| xxhash64(row.as_ref())).collect())
        }
    }
}
