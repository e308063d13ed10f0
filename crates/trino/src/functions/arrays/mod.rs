//! Arrays: <https://trino.io/docs/current/functions/array.html>.

mod array_histogram;
mod array_join;
mod array_position;
mod array_remove;
mod array_sort;
mod arrays_overlap;
mod combinations;
mod contains;
mod contains_sequence;
mod extremes;
pub(crate) mod lists;
mod ngrams;
mod repeat;
mod sequence;
mod shuffle;
mod slice;
mod trim_array;
mod vectors;
mod zip;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/array.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        array_histogram::function(),
        array_join::function(),
        array_position::function(),
        array_remove::function(),
        array_sort::function(),
        arrays_overlap::function(),
        combinations::function(),
        contains::function(),
        contains_sequence::function(),
        ngrams::function(),
        repeat::function(),
        sequence::function(),
        shuffle::function(),
        slice::function(),
        trim_array::function(),
        zip::function(),
    ];
    all.extend(extremes::functions());
    all.extend(vectors::functions());
    all
}
