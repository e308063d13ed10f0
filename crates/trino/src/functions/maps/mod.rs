//! Maps: <https://trino.io/docs/current/functions/map.html>.

pub(crate) mod build;
mod cardinality;
mod element_at;
pub(crate) mod entries;
mod keys;
pub(crate) mod lookup;
pub(crate) mod map;
mod map_concat;
mod map_entries;
mod map_union;
mod values;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/map.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        cardinality::function(),
        element_at::function(),
        keys::function(),
        map::function(),
        map_concat::function(),
        map_entries::function(),
        values::function(),
    ];
    all.extend(entries::functions());
    all
}
