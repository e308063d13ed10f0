//! `$add`, `$subtract`, `$multiply`, `$divide`, `$modulus` and `$negate` of integers: the result
//! is of the wider type of the two, and an error when that type does not hold it
//! (<https://trino.io/docs/current/functions/math.html#mathematical-operators>). DataFusion's wrap
//! around.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Datum};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use crate::functions::support::invalid;

/// One operator of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sign {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
    Negative,
}

const SIGNS: [Sign; 6] =
    [Sign::Plus, Sign::Minus, Sign::Times, Sign::Over, Sign::Modulo, Sign::Negative];

impl Sign {
    fn of(operator: Operator) -> Option<Self> {
        SIGNS.into_iter().find(|sign| sign.operator() == Some(operator))
    }

    /// DataFusion's operator; none for the sign before one value.
    fn operator(self) -> Option<Operator> {
        match self {
            Self::Plus => Some(Operator::Plus),
            Self::Minus => Some(Operator::Minus),
            Self::Times => Some(Operator::Multiply),
            Self::Over => Some(Operator::Divide),
            Self::Modulo => Some(Operator::Modulo),
            Self::Negative => None,
        }
    }

    fn function(self) -> &'static str {
        match self {
            Self::Plus => "$add",
            Self::Minus => "$subtract",
            Self::Times => "$multiply",
            Self::Over => "$divide",
            Self::Modulo => "$modulus",
            Self::Negative => "$negate",
        }
    }

    /// What Trino's message calls it.
    fn noun(self) -> &'static str {
        match self {
            Self::Plus => "addition",
            Self::Minus => "subtraction",
            Self::Times => "multiplication",
            Self::Over => "division",
            Self::Modulo => "modulus",
            Self::Negative => "negation",
        }
    }
}

/// The function of an operator.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    sign: Sign,
    signature: Signature,
}

pub(super) fn udfs() -> impl Iterator<Item = ScalarUDF> {
    SIGNS.into_iter().map(udf)
}

fn udf(sign: Sign) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Arithmetic { sign, signature })
}

/// Returns `left operator right` of integers, which fails out of range; none for other operators.
/// Of two constants it is the result, where there is one.
pub(crate) fn checked(operator: Operator, left: Expr, right: Expr) -> Option<Expr> {
    Sign::of(operator).map(|sign| call(sign, vec![left, right]))
}

/// Returns the negative of an integer, which fails out of range.
pub(crate) fn negated(value: Expr) -> Expr {
    call(Sign::Negative, vec![value])
}

fn call(sign: Sign, args: Vec<Expr>) -> Expr {
    if let Some(known) = known(sign, &args) {
        return Expr::Literal(known, None);
    }
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(udf(sign)), args))
}

/// Returns the result for constants.
fn known(sign: Sign, args: &[Expr]) -> Option<ScalarValue> {
    let constants = args.iter().map(|arg| match arg {
        Expr::Literal(value, _) => Some(value.clone()),
        _ => None,
    });
    let constants = constants.collect::<Option<Vec<_>>>()?;
    let types: Vec<DataType> = constants.iter().map(ScalarValue::data_type).collect();
    let common = common(&types)?;
    let operands = constants.iter().map(|value| value.cast_to(&common)?.to_array());
    let operands = operands.collect::<Result<Vec<_>>>().ok()?;
    let operands: Vec<&dyn Datum> = operands.iter().map(|array| array as &dyn Datum).collect();
    ScalarValue::try_from_array(&result(sign, &operands).ok()?, 0).ok()
}

/// Returns the expression as somebody would type it, for `EXPLAIN`: these calls are operators.
pub fn as_operator(expr: Expr) -> Expr {
    let Expr::ScalarFunction(call) = &expr else { return expr };
    if let (super::interval_length::NAME, [interval]) = (call.name(), call.args.as_slice()) {
        return interval.clone();
    }
    let sign = match call.name() {
        super::decimals::NAME | super::interval_scaled::OVER => Some(Sign::Over),
        super::interval_scaled::TIMES => Some(Sign::Times),
        name => SIGNS.into_iter().find(|sign| sign.function() == name),
    };
    match (sign, call.args.as_slice()) {
        (Some(Sign::Negative), [value]) => Expr::Negative(Box::new(value.clone())),
        (Some(sign), [left, right]) => match sign.operator() {
            Some(operator) => Expr::BinaryExpr(BinaryExpr::new(
                Box::new(left.clone()),
                operator,
                Box::new(right.clone()),
            )),
            None => expr,
        },
        _ => expr,
    }
}

/// Returns the type of a result: the widest of the operands; bigint when all are NULL.
fn common(types: &[DataType]) -> Option<DataType> {
    let bits = types.iter().map(|data_type| match data_type {
        DataType::Null => Some(0),
        DataType::Int8 => Some(8),
        DataType::Int16 | DataType::UInt8 => Some(16),
        DataType::Int32 | DataType::UInt16 => Some(32),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Some(64),
        _ => None,
    });
    Some(match bits.collect::<Option<Vec<u8>>>()?.into_iter().max()? {
        8 => DataType::Int8,
        16 => DataType::Int16,
        32 => DataType::Int32,
        _ => DataType::Int64,
    })
}

/// Whether these are integers, of which at most some are NULL.
pub(crate) fn are_integers(types: &[DataType]) -> bool {
    common(types).is_some() && types.iter().any(DataType::is_integer)
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        self.sign.function()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match common(arg_types) {
            Some(common) => Ok(common),
            None => plan_err!("`{}` takes integers", self.name()),
        }
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.return_type(arg_types)?; arg_types.len()])
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let scalars = args.args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok(Box::new(Arc::clone(array)) as Box<dyn Datum>),
            ColumnarValue::Scalar(value) => Ok(Box::new(value.to_scalar()?) as Box<dyn Datum>),
        });
        let operands = scalars.collect::<Result<Vec<_>>>()?;
        let operands: Vec<&dyn Datum> = operands.iter().map(AsRef::as_ref).collect();
        let result = match result(self.sign, &operands) {
            Ok(result) => result,
            Err(error) => return fault(self.sign, args.return_type(), &error),
        };
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?),
            false => ColumnarValue::Array(result),
        })
    }
}

fn result(sign: Sign, operands: &[&dyn Datum]) -> std::result::Result<ArrayRef, ArrowError> {
    match (sign, operands) {
        (Sign::Plus, [left, right]) => numeric::add(*left, *right),
        (Sign::Minus, [left, right]) => numeric::sub(*left, *right),
        (Sign::Times, [left, right]) => numeric::mul(*left, *right),
        (Sign::Over, [left, right]) => numeric::div(*left, *right),
        (Sign::Modulo, [left, right]) => numeric::rem(*left, *right),
        (Sign::Negative, [value]) => numeric::neg(value.get().0),
        _ => Err(ArrowError::InvalidArgumentError("an operand is missing".to_owned())),
    }
}

/// Says in Trino's words what went wrong.
fn fault<T>(sign: Sign, data_type: &DataType, error: &ArrowError) -> Result<T> {
    let type_name = match data_type {
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        _ => "bigint",
    };
    match error {
        ArrowError::DivideByZero => invalid("division by zero"),
        ArrowError::ArithmeticOverflow(message) => {
            let operands = message.rsplit_once(": ").map_or("", |(_, operands)| operands);
            let operands = operands.trim_start_matches("- ");
            invalid(format!("{type_name} {} overflow: {operands}", sign.noun()))
        }
        other => invalid(other),
    }
}
