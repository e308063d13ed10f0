//! `*` over tables joined by USING, and `t.*` of a table that goes by its own name.
//!
//! The columns that a join shares come first and once, with the value of the side that has all rows,
//! then what is left of each relation: https://trino.io/docs/current/sql/select.html#joins. DataFusion
//! shows one of the two columns where it stands, the one whose relation's name sorts first: of a LEFT
//! JOIN that may be the side that has no row, and of several joins a column may be shown twice.

use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    Select, SelectItem, SelectItemQualifiedWildcardKind, Spanned, TableAlias, TableFactor,
    TableWithJoins, WildcardAdditionalOptions,
};

use super::tree;
use super::using::{columns, constraint, relation_of};
use crate::{Kind, SqlError};

/// Writes the wildcards of a select out as far as joins make them mean something else.
///
/// # Errors
/// [`Kind::Unsupported`] for `*` over joins of which nobody can tell here what it should show.
pub(crate) fn rewrite(select: &mut Select) -> Result<(), SqlError> {
    let is_plain = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
    let Some(plain) = select.projection.iter().find(|item| is_plain(item)) else {
        select.from.iter_mut().for_each(|table| name_tables(table, &select.projection));
        return Ok(());
    };
    let span = plain.span();
    let Some(written_out) = written_out(&select.from) else {
        return match shows_left(&select.from) {
            true => Ok(()),
            false => {
                let message = "`*` over these joins is not supported";
                Err(tree::error_at(Kind::Unsupported, message, span)
                    .with_hint("name the columns that you want, each with its table: `a.x`"))
            }
        };
    };
    select.projection = std::mem::take(&mut select.projection)
        .into_iter()
        .flat_map(|item| if is_plain(&item) { written_out.clone() } else { vec![item] })
        .collect();
    select.from.iter_mut().for_each(|table| name_tables(table, &select.projection));
    Ok(())
}

/// Returns what `*` shows of tables joined one after another, of which the first has all columns that
/// any join shares; none of others.
fn written_out(from: &[TableWithJoins]) -> Option<Vec<SelectItem>> {
    let [table] = from else { return None };
    let (first, joins) = (named(&table.relation)?, &table.joins);
    let of_first = columns(joins.first()?);
    if of_first.is_empty() {
        return None;
    }
    let mut shared: Vec<&Ident> = Vec::new();
    for join in joins.iter().rev() {
        let by_join = columns(join);
        let known = by_join.iter().all(|column| holds(&of_first, column));
        if !known || constraint(join) == Some(&JoinConstraint::Natural) {
            return None;
        }
        for column in by_join {
            if !holds(&shared, column) {
                shared.push(column);
            }
        }
    }
    let of_relation = |column: &Ident| {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(vec![first.clone(), column.clone()]))
    };
    let mut items: Vec<SelectItem> = shared.iter().map(|column| of_relation(column)).collect();
    items.push(all_of(first, &shared));
    for join in joins {
        items.push(all_of(named(&join.relation)?, &columns(join)));
    }
    Some(items)
}

/// Returns the one name of a relation; none where its columns may go by a longer one.
fn named(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { name, alias: None, .. } if name.0.len() > 1 => None,
        factor => relation_of(factor),
    }
}

fn holds(columns: &[&Ident], column: &Ident) -> bool {
    columns.iter().any(|known| known.value == column.value)
}

/// Returns `relation.*`, without the columns that stand elsewhere.
fn all_of(relation: &Ident, without: &[&Ident]) -> SelectItem {
    let name = ObjectName(vec![ObjectNamePart::Identifier(relation.clone())]);
    let opt_except = without.split_first().map(|(first, others)| ExceptSelectItem {
        first_element: (*first).clone(),
        additional_elements: others.iter().map(|column| (*column).clone()).collect(),
    });
    let options = WildcardAdditionalOptions { opt_except, ..WildcardAdditionalOptions::default() };
    SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
}

/// Whether DataFusion's own `*` has the right values: one join without a side that lacks rows, or
/// relations whose names sort as they stand.
fn shows_left(from: &[TableWithJoins]) -> bool {
    let (mut relations, mut joins) = (Vec::new(), Vec::new());
    from.iter().for_each(|table| add(table, &mut relations, &mut joins));
    let is_inner =
        |join: &Join| matches!(join.join_operator, JoinOperator::Join(_) | JoinOperator::Inner(_));
    let sorted = || {
        relations.iter().all(Option::is_some) && relations.windows(2).all(|pair| pair[0] < pair[1])
    };
    match joins.as_slice() {
        [] => true,
        [only] if is_inner(only) => true,
        _ => sorted(),
    }
}

/// Adds relations by the name that was given to them, and the joins that share columns.
fn add<'a>(
    table: &'a TableWithJoins,
    relations: &mut Vec<Option<&'a str>>,
    joins: &mut Vec<&'a Join>,
) {
    let mut add_factor = |factor: &'a TableFactor, joins: &mut Vec<&'a Join>| match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            add(table_with_joins, relations, joins);
        }
        // One without a name of its own sorts among others by more than that.
        TableFactor::Table { alias: None, .. } => relations.push(None),
        factor => relations.push(relation_of(factor).map(|name| name.value.as_str())),
    };
    add_factor(&table.relation, joins);
    for join in &table.joins {
        add_factor(&join.relation, joins);
        let natural = constraint(join) == Some(&JoinConstraint::Natural);
        if natural || !columns(join).is_empty() {
            joins.push(join);
        }
    }
}

/// Gives tables that `t.*` asks for their own name as one that DataFusion finds them by.
fn name_tables(table: &mut TableWithJoins, items: &[SelectItem]) {
    let joined = table.joins.iter_mut().map(|join| &mut join.relation);
    for factor in std::iter::once(&mut table.relation).chain(joined) {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                name_tables(table_with_joins, items);
            }
            TableFactor::Table { name, alias: alias @ None, args: None, .. } => {
                let own = name.0.last().and_then(ObjectNamePart::as_ident);
                if let Some(own) = own.filter(|own| items.iter().any(|item| asks_for(item, own))) {
                    let (name, columns) = (own.clone(), Vec::new());
                    *alias = Some(TableAlias { explicit: true, name, columns, at: None });
                }
            }
            _ => {}
        }
    }
}

fn asks_for(item: &SelectItem, table: &Ident) -> bool {
    let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
    else {
        return false;
    };
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(only)] if only.value == table.value)
}
