//! `dot_product`, `euclidean_distance`, `cosine_similarity`, `cosine_distance` of two arrays.

use datafusion::arrow::array::{Array, AsArray, ListArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, double};
use crate::type_names::trino_type;

pub(super) fn functions() -> Vec<Function> {
    let function = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "arrays",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Array, Takes::Array], numbers, invoke).udf(),
    };
    vec![
        function(
            "dot_product",
            "dot_product(array1, array2)",
            "The dot product of two arrays of numbers; NULL when an element is NULL. Arrays of \
             different lengths are an error.",
            |rows| apply(rows, |x, y| Ok(dot(x, y))),
        ),
        function(
            "euclidean_distance",
            "euclidean_distance(array1, array2)",
            "The Euclidean distance of two arrays of numbers.",
            |rows| {
                apply(rows, |x, y| {
                    Ok(x.iter().zip(y).fold(0.0, |sum, (x, y)| sum + (x - y).powi(2)).sqrt())
                })
            },
        ),
        function(
            "cosine_similarity",
            "cosine_similarity(array1, array2)",
            "The cosine of the angle between two arrays of numbers; an array of zeros is an error.",
            |rows| apply(rows, cosine),
        ),
        function(
            "cosine_distance",
            "cosine_distance(array1, array2)",
            "One less the cosine of the angle between two arrays of numbers.",
            |rows| apply(rows, |x, y| Ok(1.0 - cosine(x, y)?)),
        ),
    ]
}

fn numbers(args: &ReturnFieldArgs) -> Result<datafusion::arrow::datatypes::FieldRef> {
    for field in args.arg_fields {
        match field.data_type() {
            DataType::List(element)
                if element.data_type().is_numeric() || element.data_type().is_null() => {}
            DataType::Null => {}
            _ => return plan_err!("an array of numbers is needed, not {}", trino_type(field)),
        }
    }
    double(args)
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).fold(0.0, |sum, (x, y)| sum + x * y)
}

fn cosine(x: &[f64], y: &[f64]) -> Result<f64> {
    let magnitudes = (dot(x, x) * dot(y, y)).sqrt();
    if magnitudes == 0.0 {
        return exec_err!("Vector magnitude cannot be zero");
    }
    Ok(dot(x, y) / magnitudes)
}

fn apply(rows: &Rows, operation: fn(&[f64], &[f64]) -> Result<f64>) -> Result<ColumnarValue> {
    let (left, right) = (lists::list(rows, 0)?, lists::list(rows, 1)?);
    let doubles = |list: &ListArray| cast(list.values(), &DataType::Float64);
    let (x, y) = (doubles(&left)?, doubles(&right)?);
    let (x, y) = (x.as_primitive::<Float64Type>(), y.as_primitive::<Float64Type>());
    rows.primitives::<Float64Type>(|row| {
        if left.is_null(row) || right.is_null(row) {
            return Ok(None);
        }
        let (in_left, in_right) = (lists::range(&left, row), lists::range(&right, row));
        if in_left.len() != in_right.len() {
            return exec_err!("The arguments must have the same length");
        }
        let part = |all: &datafusion::arrow::array::PrimitiveArray<Float64Type>,
                    range: std::ops::Range<u32>| {
            all.slice(range.start as usize, range.len())
        };
        let (x, y) = (part(x, in_left), part(y, in_right));
        match x.null_count() + y.null_count() {
            0 => operation(x.values(), y.values()).map(Some),
            _ => Ok(None),
        }
    })
}
