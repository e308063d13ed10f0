//! `md5`, `sha1`, `sha256`, `sha512` of a varbinary, and `hmac_…` with a key: bytes in, bytes out.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::functions::crypto;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::sha1;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, Texts, is_text, varbinary};

/// A hash function over a column, and the bytes of one of its blocks.
type Hash = (fn(&Rows, BinaryArray) -> Result<BinaryArray>, usize);

const MD5: Hash = (|rows, bytes| datafusion(rows, bytes, &crypto::md5()), 64);
const SHA1: Hash = (|_, bytes| Ok(bytes.iter().map(|value| value.map(sha1::digest)).collect()), 64);
const SHA256: Hash = (|rows, bytes| datafusion(rows, bytes, &crypto::sha256()), 64);
const SHA512: Hash = (|rows, bytes| datafusion(rows, bytes, &crypto::sha512()), 128);

pub(super) fn functions() -> Vec<Function> {
    let plain = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "binary",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Binary], varbinary, invoke).udf(),
    };
    let keyed = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "binary",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Binary, Takes::Binary], varbinary, invoke).udf(),
    };
    vec![
        plain("md5", "md5(binary)", "The MD5 hash, 16 bytes.", |rows| hash(rows, MD5)),
        plain("sha1", "sha1(binary)", "The SHA-1 hash, 20 bytes.", |rows| hash(rows, SHA1)),
        plain("sha256", "sha256(binary)", "The SHA-256 hash, 32 bytes.", |rows| hash(rows, SHA256)),
        plain("sha512", "sha512(binary)", "The SHA-512 hash, 64 bytes.", |rows| hash(rows, SHA512)),
        keyed("hmac_md5", "hmac_md5(binary, key)", "The HMAC with MD5.", |rows| hmac(rows, MD5)),
        keyed("hmac_sha1", "hmac_sha1(binary, key)", "The HMAC with SHA-1.", |rows| {
            hmac(rows, SHA1)
        }),
        keyed("hmac_sha256", "hmac_sha256(binary, key)", "The HMAC with SHA-256.", |rows| {
            hmac(rows, SHA256)
        }),
        keyed("hmac_sha512", "hmac_sha512(binary, key)", "The HMAC with SHA-512.", |rows| {
            hmac(rows, SHA512)
        }),
    ]
}

fn column(rows: &Rows, at: usize) -> Result<BinaryArray> {
    Ok(cast(&rows.full_array(at)?, &DataType::Binary)?.as_binary::<i32>().clone())
}

fn hash(rows: &Rows, (digest, _): Hash) -> Result<ColumnarValue> {
    rows.finish(Arc::new(digest(rows, column(rows, 0)?)?))
}

/// RFC 2104.
fn hmac(rows: &Rows, (digest, block): Hash) -> Result<ColumnarValue> {
    let (messages, keys) = (column(rows, 0)?, column(rows, 1)?);
    let hashed = digest(rows, keys.clone())?;
    let padded = |row: usize, pad: u8| {
        let key = if keys.value(row).len() > block { hashed.value(row) } else { keys.value(row) };
        let bytes = key.iter().copied().chain(std::iter::repeat(0)).take(block);
        bytes.map(|byte| byte ^ pad).collect::<Vec<u8>>()
    };
    let inner: BinaryArray = (0..messages.len())
        .map(|row| {
            let present = messages.is_valid(row) && keys.is_valid(row);
            present.then(|| [padded(row, 0x36).as_slice(), messages.value(row)].concat())
        })
        .collect();
    let inner = digest(rows, inner)?;
    let outer: BinaryArray = (0..inner.len())
        .map(|row| {
            inner.is_valid(row).then(|| [padded(row, 0x5c).as_slice(), inner.value(row)].concat())
        })
        .collect();
    rows.finish(Arc::new(digest(rows, outer)?))
}

/// DataFusion's hash, some of which give hexadecimal text.
fn datafusion(rows: &Rows, bytes: BinaryArray, inner: &ScalarUDF) -> Result<BinaryArray> {
    let count = bytes.len();
    let returned = inner.return_type(&[DataType::Binary])?;
    let args = ScalarFunctionArgs {
        args: vec![ColumnarValue::Array(Arc::new(bytes))],
        arg_fields: vec![Arc::new(Field::new("", DataType::Binary, true))],
        number_rows: count,
        return_field: Arc::new(Field::new("", returned, true)),
        config_options: Arc::clone(&rows.args.config_options),
    };
    let hashed: ArrayRef = inner.invoke_with_args(args)?.into_array(count)?;
    if is_text(hashed.data_type()) {
        let texts = Texts::of(&hashed)?;
        return Ok((0..count).map(|row| texts.get(row).map(unhex)).collect());
    }
    Ok(cast(&hashed, &DataType::Binary)?.as_binary::<i32>().clone())
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
