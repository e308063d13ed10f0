//! Maps: <https://trino.io/docs/current/functions/map.html>.

mod cardinality;
mod element_at;
pub(crate) mod entries;
mod keys;
pub(crate) mod lookup;
mod values;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/map.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all =
        vec![cardinality::function(), element_at::function(), keys::function(), values::function()];
    all.extend(entries::functions());
    all
}
