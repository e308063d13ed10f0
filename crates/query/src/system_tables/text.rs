//! Bytes as text: hexadecimal digits, or what UTF-8 says.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Returns `bytes` in lower-case hexadecimal digits.
pub(super) fn hex(bytes: Expr) -> Expr {
    call(Form::Hex, bytes)
}

/// Returns `bytes` as the text they are in UTF-8, NULL where they are not.
pub(super) fn utf8(bytes: Expr) -> Expr {
    call(Form::Utf8, bytes)
}

fn call(form: Form, bytes: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(BytesText { form, signature }).call(vec![bytes])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Hex,
    Utf8,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BytesText {
    form: Form,
    signature: Signature,
}

impl ScalarUDFImpl for BytesText {
    fn name(&self) -> &str {
        match self.form {
            Form::Hex => "bytes_hex",
            Form::Utf8 => "bytes_text",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = ColumnarValue::values_to_arrays(&args.args)?;
        let bytes = cast(&bytes[0], &DataType::BinaryView)?;
        let bytes = bytes.as_binary_view();
        let texts: StringViewArray = match self.form {
            Form::Hex => bytes.iter().map(|bytes| bytes.map(crate::late::hex)).collect(),
            Form::Utf8 => bytes.iter().map(|bytes| std::str::from_utf8(bytes?).ok()).collect(),
        };
        debug_assert_eq!(texts.len(), bytes.len());
        Ok(ColumnarValue::Array(Arc::new(texts) as ArrayRef))
    }
}
