//! A boolean as text, which is what Athena's tables hold.
//!
//! A condition on such text is turned into one on the stored boolean by `stored_ranges`.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Returns `true` or `false` for `flag`, a boolean.
pub(super) fn flag_text(flag: Expr) -> Expr {
    ScalarUDF::from(FlagText { signature: Signature::any(1, Volatility::Immutable) })
        .call(vec![flag])
}

/// Returns the boolean that `expr` writes, when it is text of one.
pub(crate) fn written(expr: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(call) = expr else { return None };
    call.func.inner().downcast_ref::<FlagText>()?;
    call.args.first()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FlagText {
    signature: Signature,
}

impl ScalarUDFImpl for FlagText {
    fn name(&self) -> &str {
        "flag_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let flags = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(flags) = flags[0].as_boolean_opt() else {
            return exec_err!("only a boolean is written as `true` or `false`");
        };
        let texts = flags.iter().map(|flag| flag.map(|flag| if flag { "true" } else { "false" }));
        Ok(ColumnarValue::Array(Arc::new(texts.collect::<StringViewArray>())))
    }
}
