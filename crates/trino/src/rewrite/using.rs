//! `a JOIN b USING (x) JOIN c USING (x)`: a bare `x` is the column of the leftmost relation.
//!
//! DataFusion looks at the two columns of one join at a time, and calls `x` ambiguous when a second
//! join shares it. In a subquery it takes the outer query's `x` before one that a join shares. Only
//! INNER and LEFT joins have USING here, and of these the leftmost column has the value of all.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, Select, SelectItem, TableFactor,
    TableWithJoins,
};

use super::headers::name_of;
use super::scope::Scope;

/// A column of USING, and the relation that it is read from.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) column: String,
    pub(crate) relation: Ident,
}

/// Qualifies a bare column of USING.
pub(crate) fn rewrite(expr: &mut Expr, scope: &Scope) {
    let Expr::Identifier(column) = &*expr else { return };
    if let Some(relation) = scope.relation_of(column) {
        *expr = Expr::CompoundIdentifier(vec![relation, column.clone()]);
    }
}

/// Returns the columns of USING that are to be qualified in a select; `inner` when it stands in
/// another query.
pub(crate) fn shared(select: &Select, inner: bool) -> Vec<Shared> {
    let mut found: Vec<Shared> =
        select.from.iter().flat_map(|table| shared_by(table, inner)).collect();
    let mut relations = Vec::new();
    select.from.iter().for_each(|table| add_relations(table, &mut relations));
    let once = |shared: &Shared| {
        relations.iter().filter(|relation| relation.value == shared.relation.value).count() == 1
    };
    found.retain(once);
    found
}

/// As [`shared`], in ORDER BY: what the select gives comes before what it reads.
pub(crate) fn shared_in_order(select: &Select, inner: bool) -> Vec<Shared> {
    let mut found = shared(select, inner);
    let given = |column: &str| {
        select.projection.iter().any(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value == column,
            SelectItem::UnnamedExpr(expr) => name_of(expr).is_some_and(|name| name.value == column),
            _ => true,
        })
    };
    found.retain(|shared| !given(&shared.column));
    found
}

/// Those of one table and what is joined with it. A column that only one join shares is no riddle,
/// unless the query around has one of that name.
fn shared_by(table: &TableWithJoins, inner: bool) -> Vec<Shared> {
    let mut joins = Vec::new();
    let Some(relation) = leftmost(table, &mut joins) else { return Vec::new() };
    let Some((first, others)) = joins.split_first() else { return Vec::new() };
    let named = |join: &Join, column: &str| columns(join).iter().any(|name| name.value == column);
    let mut wanted = columns(first);
    wanted.retain(|column| inner || others.iter().any(|join| named(join, &column.value)));
    let shared =
        |column: &Ident| Shared { column: column.value.clone(), relation: relation.clone() };
    wanted.into_iter().map(shared).collect()
}

/// Returns the name of the leftmost relation, and adds the joins in the order they are made; none
/// where names mean something else in a part of them.
fn leftmost<'a>(table: &'a TableWithJoins, joins: &mut Vec<&'a Join>) -> Option<&'a Ident> {
    let relation = match &table.relation {
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            leftmost(table_with_joins, joins)?
        }
        TableFactor::NestedJoin { .. } => return None,
        factor => relation_of(factor)?,
    };
    for join in &table.joins {
        let natural = constraint(join) == Some(&JoinConstraint::Natural);
        if natural || matches!(join.relation, TableFactor::NestedJoin { .. }) {
            return None;
        }
        joins.push(join);
    }
    Some(relation)
}

/// The name by which columns of a relation are qualified.
pub(crate) fn relation_of(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } => Some(&alias.name),
        TableFactor::Table { name, alias: None, .. } => name.0.last()?.as_ident(),
        _ => None,
    }
}

/// Adds the names of all relations.
fn add_relations<'a>(table: &'a TableWithJoins, relations: &mut Vec<&'a Ident>) {
    let joined = table.joins.iter().map(|join| &join.relation);
    for factor in std::iter::once(&table.relation).chain(joined) {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                add_relations(table_with_joins, relations);
            }
            factor => relations.extend(relation_of(factor)),
        }
    }
}

/// The columns that a join shares by USING.
pub(crate) fn columns(join: &Join) -> Vec<&Ident> {
    match constraint(join) {
        Some(JoinConstraint::Using(names)) => {
            names.iter().filter_map(|name| name.0.last()?.as_ident()).collect()
        }
        _ => Vec::new(),
    }
}

/// What a join of two tables asks of their rows; none for joins that ask nothing.
pub(crate) fn constraint(join: &Join) -> Option<&JoinConstraint> {
    match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}
