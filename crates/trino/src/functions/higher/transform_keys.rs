//! `transform_keys(map, (key, value) -> key)`.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::Field;
use datafusion::common::{Result, exec_err};

use super::entries::{Entries, key_and_value};
use super::support::{Call, Higher, Part};
use crate::functions::maps::build;
use crate::functions::text::as_text;

pub(super) fn function() -> Higher {
    Higher {
        name: "transform_keys",
        takes: "(map, (key, value) -> key)",
        shape: &[Part::Value, Part::Lambda],
        parameters: key_and_value,
        returns: |values, bodies| {
            let map = build::map_type(values[0])?;
            let (_, value) = build::fields(&map)?;
            let made = build::type_of(bodies[0].as_ref().clone(), value.as_ref().clone());
            Ok(Arc::new(Field::new("", made, true)))
        },
        invoke,
    }
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let entries = Entries::of(call)?;
    let parameters = [Arc::clone(&entries.keys), Arc::clone(&entries.values)];
    let keys = call.evaluate(0, &parameters, &entries.row_of)?;
    if keys.logical_null_count() > 0 {
        return exec_err!("map key cannot be null");
    }
    let encoded = build::encoded(&keys)?;
    let mut seen = HashSet::new();
    for (at, row) in entries.row_of.values().iter().enumerate() {
        if !seen.insert((row, encoded.row(at))) {
            let key = as_text::value(&keys, call.bodies[0], at).ok().flatten();
            return exec_err!("Duplicate keys ({}) are not allowed", key.unwrap_or_default());
        }
    }
    let nulls = entries.maps.nulls().cloned();
    build::made(call.result.data_type(), entries.lengths, keys, entries.values, nulls)
}
