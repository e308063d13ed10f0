//! Wiring into a DataFusion session.

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Kind, Names, SqlError};

/// Returns the settings Trino's semantics need: exact identifiers (they are canonical already),
/// NULLs last, UTC, spans in errors.
pub fn session_config() -> SessionConfig {
    let mut config = SessionConfig::new();
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.default_null_ordering = "nulls_last".to_owned();
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".to_owned());
    config
}

/// Registers functions, planners and analyzer rules.
///
/// # Errors
/// DataFusion's, when a registration is refused.
pub fn register(_context: &SessionContext) -> Result<()> {
    Ok(())
}

/// Returns what a planning or run-time error of DataFusion means in our words, with the place in
/// `sql` and a did-you-mean where they are known.
pub fn explain_error(error: &DataFusionError, _sql: &str, _names: &Names) -> SqlError {
    SqlError::new(Kind::Semantic, error.strip_backtrace())
}
