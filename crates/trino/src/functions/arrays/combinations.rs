//! `combinations(array, n)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

/// Trino's own bounds: on `n`, and on the elements of all groups of one array.
const SIZE_MAX: i64 = 5;
const ELEMENTS_MAX: u128 = 100_000;

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "combinations(array, n)",
        doc: "All groups of `n` elements at different places, an array of arrays. `n` is at most 5, \
              and the groups have at most 100,000 elements in all; more is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Array, Takes::Integer];
    Scalar::new("combinations", &takes, lists::array_of_arrays, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    lists::grouped(rows, |length, size| {
        if size < 0 {
            return exec_err!("combination size must not be negative: {size}");
        }
        if size > SIZE_MAX {
            return exec_err!("combination size must not exceed {SIZE_MAX}: {size}");
        }
        let size = size as usize;
        if count(length, size) * size as u128 > ELEMENTS_MAX {
            return exec_err!("combinations exceed max size");
        }
        Ok(groups(length, size))
    })
}

/// Returns how many groups of `size` there are among `length` elements.
fn count(length: usize, size: usize) -> u128 {
    (0..size as u128).fold(1, |count, at| count * (length as u128).saturating_sub(at) / (at + 1))
}

/// Returns the places of each group's elements, groups ordered by their last element first.
fn groups(length: usize, size: usize) -> Vec<Vec<usize>> {
    if size > length {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut group: Vec<usize> = (0..size).collect();
    loop {
        all.push(group.clone());
        let next = |at: usize| group.get(at + 1).copied().unwrap_or(length);
        let Some(at) = (0..size).find(|at| group[*at] + 1 < next(*at)) else { return all };
        group[at] += 1;
        (0..at).for_each(|before| group[before] = before);
    }
}
