//! Arrays: <https://trino.io/docs/current/functions/array.html>.

mod contains;
mod slice;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/array.html";

pub(super) fn functions() -> Vec<Function> {
    vec![contains::function(), slice::function()]
}
