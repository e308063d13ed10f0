//! Search through whole events. These functions are ours, not Trino's; docs/sql.md says exactly
//! what counts as a mention.

mod event;
mod mentioned;
mod mentions;
mod mentions_any;
mod terms;
mod wanted;

use super::Function;

const URL: &str = "sql.md#mentions";

pub(super) fn functions() -> Vec<Function> {
    vec![mentions::function(), mentions_any::function(), mentioned::function()]
}
