//! `transform_values(map, (key, value) -> value)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::Field;
use datafusion::common::Result;

use super::entries::{Entries, key_and_value};
use super::support::{Call, Higher, Part};
use crate::functions::maps::build;

pub(super) fn function() -> Higher {
    Higher {
        name: "transform_values",
        takes: "(map, (key, value) -> value)",
        shape: &[Part::Value, Part::Lambda],
        parameters: key_and_value,
        returns: |values, bodies| {
            let map = build::map_type(values[0])?;
            let (key, _) = build::fields(&map)?;
            let made = build::type_of(key.as_ref().clone(), bodies[0].as_ref().clone());
            Ok(Arc::new(Field::new("", made, true)))
        },
        invoke,
    }
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let entries = Entries::of(call)?;
    let parameters = [Arc::clone(&entries.keys), Arc::clone(&entries.values)];
    let values = call.evaluate(0, &parameters, &entries.row_of)?;
    let nulls = entries.maps.nulls().cloned();
    build::made(call.result.data_type(), entries.lengths, entries.keys, values, nulls)
}
