//! `$divide_decimals`: the quotient of decimals has as many digits after the point as the operand
//! that has more of them, the last one rounded half up
//! (<https://trino.io/docs/current/functions/decimal.html#binary-arithmetic-decimal-operators>).
//! DataFusion's has four more.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, Decimal128Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, i256};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, invalid};

pub(super) const NAME: &str = "$divide_decimals";
/// The most digits of a decimal.
const DIGITS_MAX: u8 = 38;

static DIVIDE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(udf()));

pub(super) fn udf() -> ScalarUDF {
    Scalar::new(NAME, &[Takes::Any, Takes::Any], quotient, invoke).udf()
}

/// Whether Trino divides these as decimals: at least one is, the other is one or an integer.
pub(crate) fn are_decimals(left: &DataType, right: &DataType) -> bool {
    let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
    digits(left).is_some() && digits(right).is_some() && (is_decimal(left) || is_decimal(right))
}

/// Returns `left / right` of decimals.
pub(crate) fn divided(left: Expr, right: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&DIVIDE), vec![left, right]))
}

/// Returns the digits of a decimal, and those after the point; of an integer the most it can have.
fn digits(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Decimal128(precision, scale) => {
            u8::try_from(*scale).ok().map(|scale| (*precision, scale))
        }
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt8 => Some((5, 0)),
        DataType::Int32 | DataType::UInt16 => Some((10, 0)),
        data_type if data_type.is_integer() => Some((19, 0)),
        _ => None,
    }
}

fn quotient(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let types = (args.arg_fields[0].data_type(), args.arg_fields[1].data_type());
    let (Some((precision, scale)), Some((_, scale_of_divisor))) =
        (digits(types.0), digits(types.1))
    else {
        return plan_err!("decimals are divided");
    };
    let more = scale_of_divisor.saturating_sub(scale);
    let precision = (precision + scale_of_divisor + more).min(DIGITS_MAX);
    let scale = scale.max(scale_of_divisor);
    let data_type = DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX));
    Ok(Arc::new(Field::new("", data_type, true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let data_type = rows.args.return_field.data_type();
    let DataType::Decimal128(precision, scale) = data_type else {
        return plan_err!("a decimal is returned");
    };
    let ((left, scale_of_left), (right, scale_of_right)) = (operand(rows, 0)?, operand(rows, 1)?);
    let shift = u32::from(scale.unsigned_abs()) + scale_of_right - scale_of_left;
    let (unit, most) = (i256::from_i128(10).checked_pow(shift), 10_i128.pow((*precision).into()));
    let quotients = left.iter().zip(&right).map(|pair| {
        let (Some(left), Some(right)) = pair else { return Ok(None) };
        if right == 0 {
            return invalid("division by zero");
        }
        let found = unit.and_then(|unit| i256::from_i128(left).checked_mul(unit));
        let found = found.and_then(|left| half_up(left, i256::from_i128(right)));
        match found.and_then(i256::to_i128).filter(|found| found.abs() < most) {
            Some(found) => Ok(Some(found)),
            None => invalid("decimal overflow"),
        }
    });
    let quotients = quotients.collect::<Result<Decimal128Array>>()?;
    rows.finish(Arc::new(quotients.with_data_type(data_type.clone())))
}

/// Returns the argument as decimals, and their digits after the point.
fn operand(rows: &Rows, at: usize) -> Result<(Decimal128Array, u32)> {
    let array = rows.full_array(at)?;
    let (precision, scale) = digits(array.data_type()).unwrap_or((DIGITS_MAX, 0));
    let to = DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX));
    Ok((cast(&array, &to)?.as_primitive::<Decimal128Type>().clone(), scale.into()))
}

fn half_up(left: i256, right: i256) -> Option<i256> {
    let (whole, rest) = (left.checked_div(right)?, left.checked_rem(right)?);
    let two = i256::from_i128(2);
    if rest.wrapping_abs().checked_mul(two)? < right.wrapping_abs() {
        return Some(whole);
    }
    match left.is_negative() == right.is_negative() {
        true => whole.checked_add(i256::ONE),
        false => whole.checked_sub(i256::ONE),
    }
}
