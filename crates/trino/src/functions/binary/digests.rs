//! `md5`, `sha256`, `sha512` of a varbinary: DataFusion's, which give hexadecimal text for text;
//! Trino's take bytes and give bytes.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::functions::crypto;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varbinary};

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "binary", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "md5(binary)",
            "The MD5 hash, 16 bytes.",
            Scalar::new("md5", &[Takes::Binary], varbinary, |rows| hash(rows, &crypto::md5()))
                .udf(),
        ),
        function(
            "sha256(binary)",
            "The SHA-256 hash, 32 bytes.",
            Scalar::new("sha256", &[Takes::Binary], varbinary, |rows| {
                hash(rows, &crypto::sha256())
            })
            .udf(),
        ),
        function(
            "sha512(binary)",
            "The SHA-512 hash, 64 bytes.",
            Scalar::new("sha512", &[Takes::Binary], varbinary, |rows| {
                hash(rows, &crypto::sha512())
            })
            .udf(),
        ),
    ]
}

fn hash(rows: &Rows, inner: &ScalarUDF) -> Result<ColumnarValue> {
    let types = [DataType::Binary];
    let returned = inner.return_type(&types)?;
    let args = ScalarFunctionArgs {
        args: vec![ColumnarValue::Array(rows.full_array(0)?)],
        arg_fields: rows.args.arg_fields.clone(),
        number_rows: rows.count(),
        return_field: Arc::new(Field::new("", returned.clone(), true)),
        config_options: Arc::clone(&rows.args.config_options),
    };
    let hashed = inner.invoke_with_args(args)?.into_array(rows.count())?;
    if crate::functions::support::is_text(hashed.data_type()) {
        let texts = crate::functions::support::Texts::of(&hashed)?;
        return rows.binaries(|row| Ok(texts.get(row).map(unhex)));
    }
    rows.finish(datafusion::arrow::compute::cast(&hashed, &DataType::Binary)?)
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
