//! Arrays: <https://trino.io/docs/current/functions/array.html>.

mod array_position;
mod array_remove;
mod array_sort;
mod contains;
mod extremes;
pub(crate) mod lists;
mod repeat;
mod sequence;
mod slice;
mod trim_array;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/array.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        array_position::function(),
        array_remove::function(),
        array_sort::function(),
        contains::function(),
        repeat::function(),
        sequence::function(),
        slice::function(),
        trim_array::function(),
    ];
    all.extend(extremes::functions());
    all
}
