//! URLs: <https://trino.io/docs/current/functions/url.html>.

mod codec;
mod extract;
pub(crate) mod parts;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/url.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = extract::functions();
    all.extend(codec::functions());
    all
}
