//! `shuffle(array)`.

use std::hash::{BuildHasher, RandomState};

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "shuffle(array)",
        doc: "The elements in a random order, drawn anew for every query.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("shuffle", &[Takes::Array], |args| Ok(same_as(args, 0)), invoke).volatile().udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    // The standard library's keys of hash maps are random; equal ranks are harmless.
    let random = RandomState::new();
    lists::rearranged(rows, |row, range| {
        let mut places: Vec<u32> = range.collect();
        places.sort_by_cached_key(|place| random.hash_one((row, place)));
        Some(places)
    })
}
