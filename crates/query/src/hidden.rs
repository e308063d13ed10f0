//! `*` does not show every column of a record table: the hidden ones are taken out of it.
//!
//! Views carry a hidden column only when the statement mentions it. If the statement has a `*` too,
//! that is narrowed here, in the syntax tree, after tables got their full names.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, ExceptSelectItem, Ident, ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind,
    TableFactor, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use crate::resolve::CATALOG;
use crate::views;

/// Takes the columns `hidden` out of every `*` over a record table.
pub(crate) fn exclude(statement: &mut Statement, hidden: &[&str]) {
    if hidden.is_empty() {
        return;
    }
    let mut statement = statement;
    loop {
        match statement {
            Statement::Explain(explain) => statement = &mut explain.statement,
            Statement::Statement(tree) => {
                let _ = tree.visit(&mut Excluder { hidden });
                return;
            }
            _ => return,
        }
    }
}

struct Excluder<'a> {
    hidden: &'a [&'a str],
}

impl VisitorMut for Excluder<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let sources = sources(select);
        let with_hidden = sources.iter().filter(|source| source.has_hidden).count();
        if with_hidden == 0 {
            return ControlFlow::Continue(());
        }
        let wildcard = |item: &SelectItem| {
            matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
        };
        if select.projection.iter().any(wildcard) {
            select.projection.iter_mut().for_each(|item| self.restore_name(item));
        }
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) if with_hidden == 1 => {
                    items.push(SelectItem::Wildcard(self.except(options)));
                }
                SelectItem::Wildcard(options) => match self.one_by_one(&sources) {
                    Some(all) => items.extend(all),
                    None => items.push(SelectItem::Wildcard(options)),
                },
                SelectItem::QualifiedWildcard(kind, options) => {
                    let options = match is_of(&kind, &sources) {
                        true => self.except(options),
                        false => options,
                    };
                    items.push(SelectItem::QualifiedWildcard(kind, options));
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        ControlFlow::Continue(())
    }
}

impl Excluder<'_> {
    /// The parser makes names beside a `*` unique, since `*` may bring them too. It never brings a
    /// hidden column, which keeps its own name then.
    fn restore_name(&self, item: &mut SelectItem) {
        let SelectItem::ExprWithAlias { expr, alias } = item else { return };
        let column = match expr {
            ast::Expr::Identifier(column) => Some(&column.value),
            ast::Expr::CompoundIdentifier(parts) => parts.last().map(|column| &column.value),
            _ => None,
        };
        let made_unique = |column: &&String| {
            alias.value.trim_end_matches(|c: char| c.is_ascii_digit()) == format!("{column}\u{1}")
        };
        if let Some(column) = column.filter(made_unique)
            && self.hidden.contains(&column.as_str())
        {
            alias.value.clone_from(column);
        }
    }

    fn except(&self, mut options: WildcardAdditionalOptions) -> WildcardAdditionalOptions {
        let mut names: Vec<Ident> = options.opt_except.take().map_or_else(Vec::new, |except| {
            std::iter::once(except.first_element).chain(except.additional_elements).collect()
        });
        for name in self.hidden {
            if !names.iter().any(|known| known.value == *name) {
                names.push(Ident::with_quote('"', *name));
            }
        }
        let mut names = names.into_iter();
        options.opt_except = names.next().map(|first_element| ExceptSelectItem {
            first_element,
            additional_elements: names.collect(),
        });
        options
    }

    /// `a.*, b.*` in place of `*`; none when a source has no name.
    fn one_by_one(&self, sources: &[Source]) -> Option<Vec<SelectItem>> {
        let items = sources.iter().map(|source| {
            let name = ObjectName::from(vec![Ident::with_quote('"', source.name.clone()?)]);
            let options = WildcardAdditionalOptions::default();
            let options = if source.has_hidden { self.except(options) } else { options };
            let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
            Some(SelectItem::QualifiedWildcard(kind, options))
        });
        items.collect()
    }
}

/// A table of FROM.
struct Source {
    /// What columns can be qualified with.
    name: Option<String>,
    has_hidden: bool,
}

fn sources(select: &Select) -> Vec<Source> {
    let mut sources = Vec::new();
    for table in &select.from {
        add_source(&table.relation, &mut sources);
        table.joins.iter().for_each(|join| add_source(&join.relation, &mut sources));
    }
    sources
}

fn add_source(factor: &TableFactor, sources: &mut Vec<Source>) {
    if let TableFactor::NestedJoin { table_with_joins, alias: None } = factor {
        add_source(&table_with_joins.relation, sources);
        table_with_joins.joins.iter().for_each(|join| add_source(&join.relation, sources));
        return;
    }
    let alias = match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.as_ref().map(|alias| alias.name.value.clone()),
        _ => None,
    };
    let source = match factor {
        TableFactor::Table { name, .. } => {
            let parts = parts(name);
            let last = parts.last().map(|last| last.to_string());
            let has_hidden = matches!(
                parts.as_slice(),
                [CATALOG, _, table] if views::is_record_table(table)
            );
            Source { name: alias.or(last), has_hidden }
        }
        _ => Source { name: alias, has_hidden: false },
    };
    sources.push(source);
}

fn parts(name: &ast::ObjectName) -> Vec<&str> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect()
}

fn is_of(kind: &SelectItemQualifiedWildcardKind, sources: &[Source]) -> bool {
    let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else { return false };
    let last = parts(name).last().map(|last| last.to_string());
    sources.iter().any(|source| source.has_hidden && source.name == last)
}
