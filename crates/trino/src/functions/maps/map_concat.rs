//! `map_concat(map1, map2, …)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::{cast, concat};
use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::build::{self, Standing, United};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "map_concat(map1, map2, …)",
        doc: "The entries of all maps; of a key that several have the last value stands. NULL when \
              a map is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("map_concat", &[Takes::Any, Takes::Any], union, invoke).variadic(Takes::Any).udf()
}

/// The types of the first key and of the first value that have one.
fn union(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let types = args.arg_fields.iter().map(|field| build::map_type(field));
    let types = types.collect::<Result<Vec<_>>>()?;
    let fields = types.iter().map(build::fields).collect::<Result<Vec<_>>>()?;
    let (keys, values): (Vec<&FieldRef>, Vec<&FieldRef>) = fields.into_iter().unzip();
    let typed = |fields: &[&FieldRef]| {
        let found = fields.iter().find(|field| !field.data_type().is_null());
        found.unwrap_or(&fields[0]).as_ref().clone()
    };
    Ok(Arc::new(Field::new("", build::type_of(typed(&keys), typed(&values)), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let to = rows.args.return_field.data_type();
    let (key, value) = build::fields(to)?;
    let maps = (0..rows.width()).map(|at| build::maps(rows, at)).collect::<Result<Vec<_>>>()?;
    let gathered = |parts: Vec<ArrayRef>| -> Result<ArrayRef> {
        Ok(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    };
    let keys = maps.iter().map(|map| cast(map.keys(), key.data_type()));
    let keys = gathered(keys.collect::<std::result::Result<_, _>>()?)?;
    let values = maps.iter().map(|map| cast(map.values(), value.data_type()));
    let values = gathered(values.collect::<std::result::Result<_, _>>()?)?;
    let starts: Vec<u32> = maps
        .iter()
        .scan(0, |start, map| {
            let before = *start;
            *start += map.keys().len() as u32;
            Some(before)
        })
        .collect();
    let encoded = build::encoded(&keys)?;
    let mut united = United::new(&encoded, Standing::Last);
    for row in 0..rows.count() {
        let valid = maps.iter().all(|map| map.is_valid(row));
        let places = maps
            .iter()
            .zip(&starts)
            .flat_map(|(map, start)| build::range(map, row).map(move |place| start + place));
        united.push(valid.then_some(places));
    }
    rows.finish(united.finish(to, &keys, &values)?)
}
