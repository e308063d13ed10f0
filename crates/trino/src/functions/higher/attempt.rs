//! `try(x)`, written `try(() -> x)` by the rewrite: NULL for the rows where `x` fails.
//!
//! The whole batch is evaluated at once; only when that fails is it evaluated row by row, so that
//! the failing rows alone become NULL.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, NullArray, UInt32Array, new_null_array};
use datafusion::arrow::compute::{concat, take_arrays};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDFImpl, LambdaParametersProgress, ValueOrLambda, Volatility,
};

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Try {
    signature: HigherOrderSignature,
}

impl Try {
    pub(super) fn new() -> Self {
        let lambda = vec![ValueOrLambda::Lambda(())];
        Self { signature: HigherOrderSignature::exact(lambda, Volatility::Immutable) }
    }
}

impl HigherOrderUDFImpl for Try {
    fn name(&self) -> &str {
        "try"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, _arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(Vec::new())
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        _fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        Ok(LambdaParametersProgress::Complete(vec![Vec::new()]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields {
            [ValueOrLambda::Lambda(body)] => {
                Ok(Arc::new(body.as_ref().clone().with_nullable(true)))
            }
            _ => plan_err!("`try` takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let [ValueOrLambda::Lambda(body)] = args.args.as_slice() else {
            return plan_err!("`try` takes one argument");
        };
        let rows = args.number_rows;
        // A body without columns takes its number of rows from an argument.
        let all = body.evaluate(&[&|| Ok(nulls(rows))], |arrays| Ok(arrays.to_vec()));
        match all {
            Ok(value) => return Ok(ColumnarValue::Array(value.into_array(rows)?)),
            Err(error @ DataFusionError::Internal(_)) => return Err(error),
            Err(_) => {}
        }
        let parts = (0..rows).map(|row| {
            let place = UInt32Array::from(vec![row as u32]);
            let one =
                body.evaluate(&[&|| Ok(nulls(1))], |arrays| Ok(take_arrays(arrays, &place, None)?));
            let one = one.and_then(|value| value.into_array(1));
            one.unwrap_or_else(|_| new_null_array(args.return_type(), 1))
        });
        let parts: Vec<ArrayRef> = parts.collect();
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        match parts.is_empty() {
            true => Ok(ColumnarValue::Array(new_null_array(args.return_type(), 0))),
            false => Ok(ColumnarValue::Array(concat(&parts)?)),
        }
    }
}

fn nulls(rows: usize) -> ArrayRef {
    Arc::new(NullArray::new(rows))
}
