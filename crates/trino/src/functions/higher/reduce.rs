//! `reduce(array, initial, (state, x) -> state, state -> result)`.
//!
//! All rows take a step at a time: the first elements of all arrays, then the second ones, and so
//! on, for the rows that still have one.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array};
use datafusion::arrow::compute::{can_cast_types, cast, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;

use super::support::{Call, Fields, Higher, Part, element_of, list};
use crate::functions::arrays::lists::range;
use crate::type_names::trino_type;

/// Rounds after which the state must have a type: adding decimals widens them for ever.
const ROUNDS_MAX: usize = 4;

pub(super) fn function() -> Higher {
    Higher {
        name: "reduce",
        takes: "(array, initial state, (state, x) -> state, state -> result)",
        shape: &[Part::Value, Part::Value, Part::Lambda, Part::Lambda],
        parameters,
        returns: |_values, bodies| {
            Ok(Arc::new(bodies[1].as_ref().clone().with_name("").with_nullable(true)))
        },
        invoke,
    }
}

fn parameters(fields: &Fields) -> Result<Vec<Option<Vec<FieldRef>>>> {
    let element = element_of(fields.values[0], "reduce")?;
    let initial = fields.values[1];
    let Some(body) = fields.bodies[0] else {
        let state = Arc::new(initial.as_ref().clone().with_nullable(true));
        return Ok(vec![Some(vec![state, element]), None]);
    };
    let state = state_of(initial, body)?;
    let settled = state.data_type() == initial.data_type();
    let both = vec![Arc::clone(&state), element];
    match settled || fields.step == 0 || fields.step >= ROUNDS_MAX {
        true => Ok(vec![Some(both), Some(vec![state])]),
        false => Ok(vec![Some(both), None]),
    }
}

/// The type that holds the initial state and what the lambda makes of it.
fn state_of(initial: &FieldRef, body: &FieldRef) -> Result<FieldRef> {
    let (from, to) = (initial.data_type(), body.data_type());
    let data_type = match type_union_resolution(&[from.clone(), to.clone()]) {
        _ if from == to || to.is_null() => from.clone(),
        Some(common) => common,
        None if from.is_null() => to.clone(),
        None if can_cast_types(to, from) => from.clone(),
        None => {
            return plan_err!(
                "the state of `reduce` begins as {} and becomes {}",
                trino_type(initial),
                trino_type(body)
            );
        }
    };
    Ok(Arc::new(initial.as_ref().clone().with_data_type(data_type).with_nullable(true)))
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let lists = list(call, 0)?;
    let state_field: Field = state_of(call.fields[1], call.bodies[0])?.as_ref().clone();
    let state_type: &DataType = state_field.data_type();
    let mut state = cast(&call.values[1], state_type)?;
    let length = |row: usize| if lists.is_valid(row) { range(&lists, row).len() } else { 0 };
    let longest = (0..call.rows).map(length).max().unwrap_or(0);
    for step in 0..longest {
        let active: Vec<u32> =
            (0..call.rows).filter(|row| length(*row) > step).map(|row| row as u32).collect();
        let places = active.iter().map(|row| range(&lists, *row as usize).start + step as u32);
        let places: UInt32Array = places.map(Some).collect();
        let rows = UInt32Array::from(active.clone());
        let parameters = [take(&state, &rows, None)?, take(lists.values(), &places, None)?];
        let next = cast(&call.evaluate(0, &parameters, &rows)?, state_type)?;
        let mut taken: Vec<(usize, usize)> = (0..call.rows).map(|row| (0, row)).collect();
        for (at, row) in active.iter().enumerate() {
            taken[*row as usize] = (1, at);
        }
        state = interleave(&[state.as_ref(), next.as_ref()], &taken)?;
    }
    let present: UInt32Array =
        (0..call.rows as u32).filter(|row| lists.is_valid(*row as usize)).map(Some).collect();
    let states = take(&state, &present, None)?;
    let results = call.evaluate(1, &[states], &present)?;
    let mut next = 0;
    let places: UInt32Array = (0..call.rows)
        .map(|row| {
            lists.is_valid(row).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    Ok(take(&cast(&results, call.result.data_type())?, &places, None)?)
}
