//! Here is CloudTrail Lake SQL; make DataFusion understand it.
//!
//! The dialect is Trino's as CloudTrail Lake and Athena speak it. In the order a statement flows:
//!
//! | module | the question it answers |
//! |---|---|
//! | [`names`] | how is this word spelled? |
//! | `tokens` | which words, and where; bare UUIDs and ARNs; mistakes worth a hint |
//! | `spellings` | what stands for words the parser does not read? |
//! | `nesting` | how deep does the statement nest? |
//! | `dialect` | what does the parser accept beyond sqlparser's generic SQL? |
//! | [`parse`](mod@parse) | one read-only statement, with its headers as typed |
//! | `rewrite` | what Trino writes, as DataFusion's planner wants it (one rewrite a file) |
//! | `planner` | what a name, a subscript, a type or an UNNEST means |
//! | `analyze` | plan rules: rows dissolve into columns, map marks, comparisons with strings |
//! | `error`, `excerpt` | what is wrong with a statement, and how much of it is quoted? |
//! | `explain` | what does an error of DataFusion mean to somebody who knows SQL? |
//! | [`functions`] | Trino's functions, one a file |
//! | [`map`], [`row_if`](mod@row_if), [`type_names`] | values that are never built inside a plan, and what they are called |
//!
//! The crate knows nothing of stores or of CloudTrail's tables.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod analyze;
mod dialect;
mod error;
mod excerpt;
mod explain;
pub mod functions;
mod intervals;
mod json;
mod json_path;
pub mod map;
pub mod names;
mod nesting;
pub mod parameters;
pub mod parse;
mod planner;
mod rewrite;
pub mod row_if;
mod session;
mod spellings;
mod sql_json_path;
mod tokens;
pub mod type_names;

pub use error::{Kind, SqlError};
pub use excerpt::shortened;
pub use explain::explain_error;
pub use intervals::interval_text;
pub use names::Names;
pub use parameters::{Parameters, Value};
pub use parse::{Parsed, StatementKind, TableName, parse};
pub use session::{register, session_config};
