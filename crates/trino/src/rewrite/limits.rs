//! `FETCH FIRST n ROWS ONLY`; ORDER BY of a SELECT DISTINCT; `GROUP BY (a, b)`.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, LimitClause, OrderByKind, Query, Select, SelectItem, SetExpr,
};

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

/// `SELECT DISTINCT f(x) … ORDER BY f(x)`: the item's place stands for the item, which gets
/// another name.
pub(crate) fn order_distinct_by_place(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(order) = &mut query.order_by else { return };
    let OrderByKind::Expressions(keys) = &mut order.kind else { return };
    if select.distinct.is_none() {
        return;
    }
    for key in keys {
        let place = select
            .projection
            .iter()
            .position(|item| matches!(item, SelectItem::UnnamedExpr(expr) if *expr == key.expr));
        let wildcard_before = |place: usize| {
            select.projection[..place].iter().any(|item| {
                matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
            })
        };
        if let Some(place) = place.filter(|place| !wildcard_before(*place)) {
            key.expr = tree::number(&(place + 1).to_string());
        }
    }
}

/// `GROUP BY (a, b)` groups by both, not by a row of them.
pub(crate) fn flatten_groups(select: &mut Select) {
    let GroupByExpr::Expressions(groups, _) = &mut select.group_by else { return };
    let flat = std::mem::take(groups).into_iter().flat_map(|group| match group {
        Expr::Tuple(members) => members,
        other => vec![other],
    });
    *groups = flat.collect();
}
