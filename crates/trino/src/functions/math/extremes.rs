//! `greatest(x, …)`, `least(x, …)`: NULL when any argument is NULL, where DataFusion's ignore it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array, make_comparator};
use datafusion::arrow::compute::{SortOptions, cast, concat, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, is_text};
use crate::type_names::trino_type;

const URL: &str = "https://trino.io/docs/current/functions/comparison.html";

pub(super) fn functions() -> Vec<Function> {
    let function = |syntax, doc, udf| Function { family: "math", syntax, doc, url: URL, udf };
    vec![
        function(
            "greatest(x, …)",
            "The largest argument; NULL when any is NULL.",
            udf("greatest", |rows| pick(rows, true)),
        ),
        function(
            "least(x, …)",
            "The smallest argument; NULL when any is NULL.",
            udf("least", |rows| pick(rows, false)),
        ),
    ]
}

fn udf(name: &'static str, invoke: fn(&Rows) -> Result<ColumnarValue>) -> ScalarUDF {
    Scalar::new(name, &[Takes::Any], common, invoke).variadic(Takes::Any).udf()
}

fn common(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let types: Vec<DataType> =
        args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
    match type_union_resolution(&types) {
        Some(common) if types.iter().all(|each| is_alike(each, &common)) => {
            Ok(Arc::new(Field::new("", common, true)))
        }
        _ => {
            let names: Vec<String> =
                args.arg_fields.iter().map(|field| trino_type(field)).collect();
            plan_err!("the arguments have no common type: {}", names.join(", "))
        }
    }
}

/// Whether Trino takes values of one type for the other: text is no number, time or boolean.
fn is_alike(a: &DataType, b: &DataType) -> bool {
    a.is_null()
        || b.is_null()
        || (is_text(a) == is_text(b)
            && a.is_numeric() == b.is_numeric()
            && a.is_temporal() == b.is_temporal())
}

fn pick(rows: &Rows, largest: bool) -> Result<ColumnarValue> {
    let to = rows.args.return_field.data_type();
    let columns = (0..rows.width()).map(|at| Ok(cast(&rows.full_array(at)?, to)?));
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let all = concat(&columns.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
    let compare = make_comparator(&all, &all, SortOptions::default())?;
    let count = rows.count();
    let places: UInt32Array = (0..count)
        .map(|row| {
            let mut places = (0..columns.len()).map(|column| column * count + row);
            if places.clone().any(|place| all.is_null(place)) {
                return None;
            }
            let best = places.next()?;
            let best = places.fold(best, |best, place| match compare(place, best) {
                order if largest && order.is_gt() => place,
                order if !largest && order.is_lt() => place,
                _ => best,
            });
            u32::try_from(best).ok()
        })
        .collect();
    rows.finish(take(&all, &places, None)?)
}
