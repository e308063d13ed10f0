//! `$map_union(array(map))`: what `map_union` becomes over `array_agg`.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::build::{self, Standing, United};
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes};

pub(super) fn udf() -> ScalarUDF {
    Scalar::new("$map_union", &[Takes::Array], union, invoke).udf()
}

fn union(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::List(element) => Ok(Arc::new(Field::new("", build::map_type(element)?, true))),
        _ => plan_err!("`map_union` takes maps"),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let DataType::List(element) = rows.field(0).data_type() else {
        return plan_err!("`map_union` takes maps");
    };
    let maps = build::of_array(element, Arc::clone(list.values()))?;
    let encoded = build::encoded(maps.keys())?;
    let mut united = United::new(&encoded, Standing::First);
    for row in 0..list.len() {
        let range = lists::range(&list, row).filter(|at| maps.is_valid(*at as usize));
        let places = range.flat_map(|at| build::range(&maps, at as usize));
        united.push(list.is_valid(row).then_some(places));
    }
    let made = united.finish(rows.args.return_field.data_type(), maps.keys(), maps.values())?;
    rows.finish(made)
}
