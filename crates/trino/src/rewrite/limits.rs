//! `FETCH FIRST n ROWS ONLY`, `LIMIT ALL`, `OFFSET m` before or after LIMIT.

use datafusion::sql::sqlparser::ast::{LimitClause, Query};

use super::tree;
use crate::{Kind, SqlError};

pub(crate) fn rewrite(query: &mut Query) -> Result<(), SqlError> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.with_ties || fetch.percent {
        let message = "`FETCH FIRST … WITH TIES` and `PERCENT` are not supported";
        return Err(SqlError::new(Kind::Unsupported, message)
            .with_hint("use `rank() OVER (ORDER BY …)` and a condition on it"));
    }
    let first = fetch.quantity.unwrap_or_else(|| tree::number("1"));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(first),
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: Some(first),
                offset: None,
                limit_by: Vec::new(),
            });
        }
        Some(_) => {
            return Err(SqlError::new(Kind::Syntax, "`LIMIT` and `FETCH FIRST` cannot both stand"));
        }
    }
    Ok(())
}
