//! Numbers: <https://trino.io/docs/current/functions/math.html>.

mod bitwise;
mod doubles;
mod extremes;
mod format_number;
mod from_base;
mod parse_data_size;
mod random;
mod rounding;
mod sign;
mod to_base;
mod truncate;
mod typeof_;
mod unary;
mod width_bucket;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/math.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = bitwise::functions();
    all.extend(doubles::functions());
    all.extend(extremes::functions());
    all.extend(rounding::functions());
    all.extend(unary::functions());
    all.extend([
        format_number::function(),
        from_base::function(),
        parse_data_size::function(),
        random::function(),
        sign::function(),
        to_base::function(),
        truncate::function(),
        typeof_::function(),
        width_bucket::function(),
    ]);
    all
}
