//! Maps: <https://trino.io/docs/current/functions/map.html>.

mod cardinality;
mod element_at;
mod keys;
pub(crate) mod lookup;
mod values;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/map.html";

pub(super) fn functions() -> Vec<Function> {
    vec![cardinality::function(), element_at::function(), keys::function(), values::function()]
}
