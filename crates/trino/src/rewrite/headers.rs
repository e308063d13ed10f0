//! Names of output columns: Trino's rules inside queries, the user's spelling in the answer.
//!
//! Trino names an unnamed item by the last part of a name or field, else `_colN`, and allows the
//! same name twice. DataFusion wants unique names, so a second one gets [`REPEATED`] and a number
//! appended, which [`Headers`] takes off again.

use std::collections::HashSet;

use datafusion::arrow::datatypes::Schema;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, TableAlias,
    TableAliasColumnDef, TableFactor,
};

use super::scope::Scope;
use crate::tokens::Typed;

/// Stands between a repeated name and its number; no identifier a user types holds it.
pub(crate) const REPEATED: char = '\u{1}';

/// The headers of the outermost query, as typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// An alias or the last part of a name, as typed.
    Named(String),
    /// An expression: `_colN` by its place in the answer.
    Unnamed,
    /// `*` or `t.*`: the names of the schema.
    Wildcard,
}

impl Headers {
    pub(crate) fn of(statement: &Statement, typed: &Typed) -> Self {
        match statement {
            Statement::Query(query) => Self { items: items_of(&query.body, typed) },
            _ => Self::default(),
        }
    }

    pub(crate) fn of_schema(&self, schema: &Schema) -> Vec<String> {
        let wildcards = self.items.iter().filter(|item| **item == Item::Wildcard).count();
        let width = schema.fields().len();
        let mut names: Vec<String> =
            schema.fields().iter().map(|field| shown(field.name()).to_owned()).collect();
        let fixed = self.items.len() - wildcards;
        // With several wildcards nobody can tell how wide each one is; the canonical spelling
        // stands then.
        if wildcards > 1 || (wildcards == 0 && fixed != width) || fixed > width {
            return names;
        }
        let mut at = 0;
        for item in &self.items {
            match item {
                Item::Named(name) => names[at].clone_from(name),
                Item::Unnamed => names[at] = format!("_col{at}"),
                Item::Wildcard => {
                    at += width - fixed;
                    continue;
                }
            }
            at += 1;
        }
        names
    }
}

fn shown(name: &str) -> &str {
    name.split(REPEATED).next().unwrap_or(name)
}

fn items_of(body: &SetExpr, typed: &Typed) -> Vec<Item> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(|i| item_of(i, typed)).collect(),
        SetExpr::Query(query) => items_of(&query.body, typed),
        SetExpr::SetOperation { left, .. } => items_of(left, typed),
        SetExpr::Values(values) => {
            vec![Item::Unnamed; values.rows.first().map_or(0, |row| row.len())]
        }
        _ => Vec::new(),
    }
}

fn item_of(item: &SelectItem, typed: &Typed) -> Item {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Item::Named(typed.spelling(alias).to_owned()),
        SelectItem::UnnamedExpr(expr) => name_of(expr)
            .map_or(Item::Unnamed, |ident| Item::Named(typed.spelling(ident).to_owned())),
        _ => Item::Wildcard,
    }
}

/// Returns the identifier that names an unnamed item.
pub(crate) fn name_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(ident))) => Some(ident),
            _ => None,
        },
        Expr::Nested(inner) => name_of(inner),
        _ => None,
    }
}

/// Gives the items of a select Trino's names, made unique.
pub(crate) fn name_items(select: &mut Select, scope: &Scope) {
    let wildcard = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let single = select.projection.len() == 1;
    let mut taken = HashSet::new();
    for (at, item) in select.projection.iter_mut().enumerate() {
        let (name, plain_column) = match &*item {
            SelectItem::ExprWithAlias { alias, .. } => (alias.value.clone(), false),
            SelectItem::UnnamedExpr(expr) => match name_of(expr) {
                Some(ident) => (ident.value.clone(), is_column(expr, scope)),
                None => (format!("_col{at}"), false),
            },
            _ => continue,
        };
        let repeated = !taken.insert(name.clone());
        // A plain column keeps its qualifier, so that ORDER BY t.x still finds it.
        if plain_column && !repeated && (!wildcard || single) {
            continue;
        }
        let unique = match repeated || (wildcard && plain_column) {
            true => format!("{name}{REPEATED}{at}"),
            false => name,
        };
        rename(item, unique);
    }
}

fn is_column(expr: &Expr, scope: &Scope) -> bool {
    match expr {
        Expr::Identifier(_) => true,
        Expr::CompoundIdentifier(parts) => scope.relation_parts(parts) + 1 == parts.len(),
        _ => false,
    }
}

fn rename(item: &mut SelectItem, name: String) {
    let expr = match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr.clone(),
        _ => return,
    };
    *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
}

/// Names the columns of VALUES `_col0…` where a query in FROM does not.
pub(crate) fn name_values(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    for table in &mut select.from {
        name_values_of(&mut table.relation);
        table.joins.iter_mut().for_each(|join| name_values_of(&mut join.relation));
    }
}

fn name_values_of(factor: &mut TableFactor) {
    let TableFactor::Derived { subquery, alias, .. } = factor else { return };
    let SetExpr::Values(values) = subquery.body.as_ref() else { return };
    let width = values.rows.first().map_or(0, |row| row.len());
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::with_quote('"', "$values"),
        columns: Vec::new(),
        at: None,
    });
    if alias.columns.is_empty() {
        alias.columns = (0..width)
            .map(|at| TableAliasColumnDef {
                name: Ident::with_quote('"', format!("_col{at}")),
                data_type: None,
            })
            .collect();
    }
}
