//! Which names are relations, and which are lambda parameters, at a point of the statement.

use datafusion::sql::sqlparser::ast::{
    Ident, LambdaFunction, Query, Select, SetExpr, TableAlias, TableFactor, TableWithJoins,
};

use super::using::{self, Shared};

/// The relations of the queries around a point, and the lambda parameters.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// One frame a query, the innermost last.
    queries: Vec<Frame>,
    lambdas: Vec<Vec<String>>,
}

/// What names mean in a query.
#[derive(Debug, Default)]
struct Frame {
    /// Each by the parts of its name.
    relations: Vec<Vec<String>>,
    /// Columns of USING where the walk is: in the select, then in ORDER BY.
    shared: Vec<Shared>,
    /// Those that ORDER BY will have.
    shared_in_order: Vec<Shared>,
}

impl Scope {
    pub(crate) fn enter_query(&mut self, query: &Query) {
        let inner = !self.queries.is_empty();
        let shared_in_order = match query.body.as_ref() {
            SetExpr::Select(select) => using::shared_in_order(select, inner),
            _ => Vec::new(),
        };
        self.queries.push(Frame { shared_in_order, ..Frame::default() });
    }

    pub(crate) fn leave_query(&mut self) {
        self.queries.pop();
    }

    /// The relations stay in scope until the query ends, so that its ORDER BY sees them.
    pub(crate) fn enter_select(&mut self, select: &Select) {
        let inner = self.queries.len() > 1;
        if let Some(frame) = self.queries.last_mut() {
            select.from.iter().for_each(|table| add_joined(table, &mut frame.relations));
            frame.shared = using::shared(select, inner);
        }
    }

    /// What follows is the ORDER BY, or another select of the same query.
    pub(crate) fn leave_select(&mut self) {
        if let Some(frame) = self.queries.last_mut() {
            frame.shared = std::mem::take(&mut frame.shared_in_order);
        }
    }

    pub(crate) fn enter_lambda(&mut self, lambda: &LambdaFunction) {
        self.lambdas.push(lambda.params.iter().map(|param| param.name.value.clone()).collect());
    }

    pub(crate) fn leave_lambda(&mut self) {
        self.lambdas.pop();
    }

    pub(crate) fn is_lambda_parameter(&self, name: &str) -> bool {
        self.lambdas.iter().flatten().any(|param| param == name)
    }

    /// Returns the relation that a bare column of USING is read from; none for other columns, and
    /// where several could be meant.
    pub(crate) fn relation_of(&self, column: &Ident) -> Option<Ident> {
        if self.is_lambda_parameter(&column.value) {
            return None;
        }
        let shared = self.queries.last()?.shared.iter();
        let mut found = shared.filter(|shared| shared.column == column.value);
        match (found.next(), found.next()) {
            (Some(only), None) => Some(Ident { span: column.span, ..only.relation.clone() }),
            _ => None,
        }
    }

    /// Returns how many leading parts of `parts` name a relation; at least one part is left over
    /// for the column. 0 when the first part is a column (or unknown).
    pub(crate) fn relation_parts(&self, parts: &[Ident]) -> usize {
        let longest = parts.len().saturating_sub(1).min(3);
        (1..=longest).rev().find(|count| self.names_relation(&parts[..*count])).unwrap_or(0)
    }

    fn names_relation(&self, parts: &[Ident]) -> bool {
        let mut relations = self.queries.iter().flat_map(|frame| &frame.relations);
        relations.any(|relation| {
            relation.len() >= parts.len()
                && relation[relation.len() - parts.len()..]
                    .iter()
                    .zip(parts)
                    .all(|(name, part)| *name == part.value)
        })
    }
}

fn add_joined(table: &TableWithJoins, frame: &mut Vec<Vec<String>>) {
    add(&table.relation, frame);
    table.joins.iter().for_each(|join| add(&join.relation, frame));
}

fn add(factor: &TableFactor, frame: &mut Vec<Vec<String>>) {
    let alias = |alias: &Option<TableAlias>| alias.as_ref().map(|a| vec![a.name.value.clone()]);
    match factor {
        TableFactor::Table { name, alias: renamed, .. } => {
            let parts = || {
                let idents = name.0.iter().filter_map(|part| part.as_ident());
                idents.map(|ident| ident.value.clone()).collect()
            };
            frame.push(alias(renamed).unwrap_or_else(parts));
        }
        TableFactor::NestedJoin { table_with_joins, alias: renamed } => match alias(renamed) {
            Some(name) => frame.push(name),
            None => add_joined(table_with_joins, frame),
        },
        TableFactor::Derived { alias: renamed, .. }
        | TableFactor::TableFunction { alias: renamed, .. }
        | TableFactor::Function { alias: renamed, .. }
        | TableFactor::UNNEST { alias: renamed, .. } => frame.extend(alias(renamed)),
        _ => {}
    }
}
