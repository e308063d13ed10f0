//! URLs: <https://trino.io/docs/current/functions/url.html>.

mod extract;
pub(crate) mod parts;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/url.html";

pub(super) fn functions() -> Vec<Function> {
    extract::functions()
}
