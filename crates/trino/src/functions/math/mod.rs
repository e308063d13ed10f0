//! Numbers: <https://trino.io/docs/current/functions/math.html>.

mod bitwise;
mod doubles;
mod extremes;
mod from_base;
mod sign;
mod to_base;
mod truncate;
mod typeof_;
mod width_bucket;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/math.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = bitwise::functions();
    all.extend(doubles::functions());
    all.extend(extremes::functions());
    all.extend([
        from_base::function(),
        sign::function(),
        to_base::function(),
        truncate::function(),
        typeof_::function(),
        width_bucket::function(),
    ]);
    all
}
