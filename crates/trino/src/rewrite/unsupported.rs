//! What Trino or another database has and TrailLake does not run: named, never passed over.
//!
//! DataFusion's planner drops some clauses without a word (`FOR UPDATE`, `GROUP BY … WITH ROLLUP`)
//! and refuses others with its own syntax tree as the message.

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, Query, Select,
    SelectItem, SetExpr, Spanned, TableFactor, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::tree;
use crate::{Kind, SqlError};

/// Words that begin a construct when the second follows, what it is called, and what to do instead.
const CONSTRUCTS: &[(&str, &str, &str, &str)] = &[
    ("MATCH_RECOGNIZE", "(", "MATCH_RECOGNIZE", "window functions such as `lag` find sequences"),
    ("PIVOT", "(", "PIVOT", "write `count_if(…)` or `sum(…) FILTER (WHERE …)` for every column"),
    ("UNPIVOT", "(", "UNPIVOT", "write `CROSS JOIN UNNEST(ARRAY[…])`"),
    ("JSON_TABLE", "(", "JSON_TABLE", "write `UNNEST(CAST(json_extract(…) AS ARRAY(…)))`"),
    ("XMLTABLE", "(", "XMLTABLE", "CloudTrail holds JSON"),
    ("NEAREST", "(", "NEAREST", "write a correlated subquery with `max_by`"),
    ("WITH", "SESSION", "WITH SESSION", "limits are set by flags of the command"),
    ("WITH", "FUNCTION", "an inline function", "write its body where it is used"),
    ("FOR", "VERSION", "FOR VERSION AS OF", "`--at` asks an older state of the lake"),
    ("FOR", "TIMESTAMP", "FOR TIMESTAMP AS OF", "`--at` asks an older state of the lake"),
    ("FOR", "SYSTEM_TIME", "FOR SYSTEM_TIME AS OF", "`--at` asks an older state of the lake"),
    ("UNION", "CORRESPONDING", "CORRESPONDING", "name the columns in the same order"),
    ("ALL", "CORRESPONDING", "CORRESPONDING", "name the columns in the same order"),
    ("GROUP BY", "DISTINCT", "GROUP BY DISTINCT", "list the grouping sets once"),
];

/// Finds constructs by their first words.
pub(crate) fn check(tokens: &[&TokenWithSpan]) -> Result<(), SqlError> {
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(word) = &token.token else { continue };
        let next = tokens.get(at + 1).map(|next| next.token.to_string());
        let before = at.checked_sub(1).map(|before| tokens[before].token.to_string());
        let is = |text: &Option<String>, word: &str| {
            text.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        let found = CONSTRUCTS.iter().find(|(first, second, ..)| match first.split_once(' ') {
            Some((earlier, first)) => {
                is(&before, earlier) && word.value.eq_ignore_ascii_case(first) && is(&next, second)
            }
            None => word.value.eq_ignore_ascii_case(first) && is(&next, second),
        });
        // `WITH session AS (…)` names a query.
        let named = word.value.eq_ignore_ascii_case("WITH")
            && tokens.get(at + 2).is_some_and(|token| {
                token.token == Token::LParen || token.token.to_string().eq_ignore_ascii_case("AS")
            });
        if let (Some((_, _, name, instead)), None, false) = (found, word.quote_style, named) {
            let message = format!("{name} is not supported");
            return Err(tree::error_at(Kind::Unsupported, message, token.span)
                .with_hint((*instead).to_owned()));
        }
    }
    Ok(())
}

/// Clauses of a query that would be dropped.
pub(crate) fn query(query: &Query) -> Result<(), SqlError> {
    let span = query.span();
    let refuse = |present: bool, name: &str, instead: &str| match present {
        true => Err(refused(name, span).with_hint(instead.to_owned())),
        false => Ok(()),
    };
    refuse(!query.locks.is_empty(), "FOR UPDATE", "a query only reads")?;
    refuse(query.for_clause.is_some(), "FOR", "`--format json` prints JSON")?;
    refuse(query.settings.is_some(), "SETTINGS", "limits are set by flags of the command")?;
    refuse(query.format_clause.is_some(), "FORMAT", "`--format` chooses how rows are printed")?;
    refuse(!query.pipe_operators.is_empty(), "`|>`", "write one SELECT with its clauses")?;
    match query.body.as_ref() {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            Err(tree::error_at(Kind::NotReadOnly, "a query only reads", span))
        }
        _ => Ok(()),
    }
}

/// `SELECT a 'b'`: a text is no name.
fn quoted_as_text(name: &Ident) -> Result<(), SqlError> {
    match name.quote_style {
        Some('\'') => {
            let message = format!("a text, `'{}'`, stands where a name is expected", name.value);
            Err(tree::error_at(Kind::Syntax, message, name.span)
                .with_hint(format!("a name stands in double quotes: \"{}\"", name.value)))
        }
        _ => Ok(()),
    }
}

/// Clauses of a SELECT that would be dropped or refused with a syntax tree.
pub(crate) fn select(select: &Select) -> Result<(), SqlError> {
    for item in &select.projection {
        if let SelectItem::ExprWithAlias { alias, .. } = item {
            quoted_as_text(alias)?;
        }
    }
    let span = select.select_token.0.span;
    let refuse = |present: bool, name: &str, instead: &str| match present {
        true => Err(refused(name, span).with_hint(instead.to_owned())),
        false => Ok(()),
    };
    refuse(select.top.is_some(), "TOP", "write `LIMIT n` at the end")?;
    refuse(select.into.is_some(), "SELECT INTO", "a query only reads")?;
    refuse(
        !select.lateral_views.is_empty(),
        "LATERAL VIEW",
        "write `CROSS JOIN UNNEST(array) AS t(x)`",
    )?;
    refuse(select.prewhere.is_some(), "PREWHERE", "write WHERE")?;
    refuse(!select.connect_by.is_empty(), "CONNECT BY", "write WITH RECURSIVE")?;
    refuse(!select.cluster_by.is_empty(), "CLUSTER BY", "write ORDER BY")?;
    refuse(!select.distribute_by.is_empty(), "DISTRIBUTE BY", "write GROUP BY or ORDER BY")?;
    refuse(!select.sort_by.is_empty(), "SORT BY", "write ORDER BY")?;
    refuse(select.exclude.is_some(), "EXCLUDE", "name the columns you want")?;
    refuse(select.value_table_mode.is_some(), "SELECT AS", "name the columns")?;
    let distinct_on = matches!(select.distinct, Some(Distinct::On(_)));
    refuse(distinct_on, "DISTINCT ON", "write `max_by(x, y)` with GROUP BY, or `row_number()`")?;
    let modified = match &select.group_by {
        GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => modifiers,
    };
    refuse(!modified.is_empty(), "GROUP BY … WITH", "write `GROUP BY ROLLUP (…)` or `CUBE (…)`")?;
    for join in select.from.iter().flat_map(|table| &table.joins) {
        joined(join)?;
    }
    let options = select.projection.iter().find_map(|item| match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => Some(options),
        _ => None,
    });
    let plain = options.is_none_or(|options| {
        let WildcardAdditionalOptions {
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            ..
        } = options;
        opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none()
    });
    refuse(!plain, "`*` with EXCLUDE, EXCEPT, REPLACE or RENAME", "name the columns you want")
}

/// Joins that would be refused with a syntax tree, or answered with other rows: of a column in USING
/// DataFusion takes the left side's value, and Trino that of the side that has one.
fn joined(join: &Join) -> Result<(), SqlError> {
    use JoinConstraint::{Natural, Using};
    use JoinOperator::{FullOuter, Right, RightOuter};
    match &join.join_operator {
        JoinOperator::Join(JoinConstraint::None) | JoinOperator::Inner(JoinConstraint::None) => {
            let message = "a join needs a condition";
            Err(tree::error_at(Kind::Syntax, message, join.relation.span())
                .with_hint("write `JOIN … ON a.x = b.x`, or CROSS JOIN"))
        }
        Right(Using(_) | Natural)
        | RightOuter(Using(_) | Natural)
        | FullOuter(Using(_) | Natural) => {
            Err(refused("RIGHT or FULL JOIN with USING", join.relation.span())
                .with_hint("write `ON a.x = b.x`, and `coalesce(a.x, b.x)` for the column"))
        }
        _ => Ok(()),
    }
}

/// Relations that are no tables.
pub(crate) fn table(factor: &TableFactor) -> Result<(), SqlError> {
    if let TableFactor::Table { alias: Some(alias), .. }
    | TableFactor::Derived { alias: Some(alias), .. }
    | TableFactor::UNNEST { alias: Some(alias), .. } = factor
    {
        quoted_as_text(&alias.name)?;
    }
    match factor {
        TableFactor::Table { args: Some(_), name, .. } | TableFactor::Function { name, .. } => {
            Err(refused(&format!("the table function `{name}`"), factor.span())
                .with_hint("`UNNEST(sequence(1, 10)) AS t(n)` makes rows; files are not read"))
        }
        TableFactor::TableFunction { .. } => Err(refused("TABLE(…)", factor.span())
            .with_hint("`UNNEST(sequence(1, 10)) AS t(n)` makes rows")),
        TableFactor::Table { version: Some(_), .. } => Err(refused("FOR … AS OF", factor.span())
            .with_hint("`--at` asks an older state of the lake")),
        TableFactor::NestedJoin { table_with_joins, .. } => {
            table_with_joins.joins.iter().try_for_each(joined)
        }
        TableFactor::Table { .. } | TableFactor::Derived { .. } | TableFactor::UNNEST { .. } => {
            Ok(())
        }
        other => Err(refused("this relation", other.span())),
    }
}

/// Expressions of other databases.
pub(crate) fn expr(expr: &Expr) -> Result<(), SqlError> {
    let (name, instead) = match expr {
        Expr::SimilarTo { .. } => ("SIMILAR TO", "write `regexp_like(x, 'pattern')`"),
        Expr::RLike { .. } => ("RLIKE", "write `regexp_like(x, 'pattern')`"),
        Expr::Dictionary(_) => ("`{…}`", "write `MAP(ARRAY['key'], ARRAY['value'])`"),
        Expr::Map(_) => ("`MAP {…}`", "write `MAP(ARRAY['key'], ARRAY['value'])`"),
        Expr::Collate { .. } => ("COLLATE", "`lower(x)` compares without case"),
        Expr::Convert { .. } => ("CONVERT", "write `CAST(x AS type)`"),
        Expr::MatchAgainst { .. } => ("MATCH … AGAINST", "write `x LIKE '%text%'`"),
        Expr::OuterJoin(_) => ("`(+)`", "write LEFT JOIN"),
        Expr::Prior(_) => ("PRIOR", "write WITH RECURSIVE"),
        Expr::MemberOf(_) => ("MEMBER OF", "write `contains(array, x)`"),
        Expr::Struct { .. } => ("STRUCT", "write `CAST(ROW(…) AS ROW(name type))`"),
        _ => return Ok(()),
    };
    Err(refused(name, expr.span()).with_hint(instead.to_owned()))
}

fn refused(name: &str, span: Span) -> SqlError {
    tree::error_at(Kind::Unsupported, format!("{name} is not supported"), span)
}
