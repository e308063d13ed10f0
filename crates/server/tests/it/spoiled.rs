//! What the fuzzed requests are made of: values that are nearly right, and texts that were.

use std::ops::Range;

use proptest::prelude::*;
use serde_json::Value;

/// One of `words`, mostly, or any other value that holds no others.
pub fn scalar(words: Vec<String>) -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => prop::sample::select(words).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (0_i64..100).prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

/// A text of which so many pieces are left out, doubled or replaced, by what `with` matches.
pub fn spoiled(
    text: String,
    with: &'static str,
    times: Range<usize>,
) -> impl Strategy<Value = String> {
    let spoil = (any::<prop::sample::Index>(), 0..4_usize, with);
    prop::collection::vec(spoil, times).prop_map(move |spoils| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, with) in spoils {
            let at = at.index(chars.len() + 1);
            let end = (at + length).min(chars.len());
            drop(chars.splice(at..end, with.chars()));
        }
        chars.into_iter().collect()
    })
}
