//! `map_filter(map, (key, value) -> condition)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::{cast, filter, prep_null_mask_filter};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};

use super::entries::{Entries, key_and_value};
use super::support::{Call, Higher, Part};
use crate::functions::maps::build;

pub(super) fn function() -> Higher {
    Higher {
        name: "map_filter",
        takes: "(map, (key, value) -> condition)",
        shape: &[Part::Value, Part::Lambda],
        parameters: key_and_value,
        returns: |values, bodies| match bodies[0].data_type() {
            DataType::Boolean | DataType::Null => {
                Ok(Arc::new(Field::new("", build::map_type(values[0])?, true)))
            }
            _ => plan_err!("the lambda of `map_filter` must give a boolean"),
        },
        invoke,
    }
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let entries = Entries::of(call)?;
    let parameters = [Arc::clone(&entries.keys), Arc::clone(&entries.values)];
    let kept = cast(&call.evaluate(0, &parameters, &entries.row_of)?, &DataType::Boolean)?;
    let kept = match kept.null_count() {
        0 => kept.as_boolean().clone(),
        _ => prep_null_mask_filter(kept.as_boolean()),
    };
    let mut at = 0;
    let lengths: Vec<usize> = entries
        .lengths
        .iter()
        .map(|length| {
            let inside = kept.slice(at, *length);
            at += length;
            inside.true_count()
        })
        .collect();
    let (keys, values) = (filter(&entries.keys, &kept)?, filter(&entries.values, &kept)?);
    build::made(call.result.data_type(), lengths, keys, values, entries.maps.nulls().cloned())
}
