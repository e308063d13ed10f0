//! `?` and `:name` become literals of the tree; a value is never pasted into text.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, Expr, LimitClause, Query, Statement, Value as Literal, VisitMut, VisitorMut,
};

use super::{internal, tree};
use crate::{Kind, Parameters, SqlError, Value};

pub(crate) fn bind(statement: &mut Statement, parameters: &Parameters) -> Result<(), SqlError> {
    let mut binder = Binder { parameters, next: 0, used: BTreeSet::new() };
    if let ControlFlow::Break(error) = statement.visit(&mut binder) {
        return Err(*error);
    }
    if binder.next < parameters.positional.len() {
        let (given, asked) = (parameters.positional.len(), binder.next);
        let message = format!("{given} positional parameters are given, {asked} `?` stand");
        return Err(SqlError::new(Kind::Parameter, message)
            .with_hint("write a `?` for each value, or leave the value out"));
    }
    match parameters.named.keys().find(|name| !binder.used.contains(name.as_str())) {
        Some(name) => {
            let message =
                format!("parameter `{name}` is given, but `:{name}` is not in the statement");
            Err(SqlError::new(Kind::Parameter, message).with_hint(match binder.used.first() {
                Some(used) => format!("the statement asks for `:{used}`"),
                None => format!("write `:{name}` where its value belongs, or leave it out"),
            }))
        }
        None => Ok(()),
    }
}

struct Binder<'a> {
    parameters: &'a Parameters,
    next: usize,
    used: BTreeSet<&'a str>,
}

impl<'a> Binder<'a> {
    fn value(&mut self, placeholder: &str) -> Result<&'a Value, SqlError> {
        if let Some(name) = placeholder.strip_prefix(':') {
            let (name, value) = self.parameters.named.get_key_value(name).ok_or_else(|| {
                SqlError::new(Kind::Parameter, format!("parameter `{name}` has no value"))
                    .with_hint(format!("give one: `-p {name}=VALUE`"))
            })?;
            self.used.insert(name);
            return Ok(value);
        }
        let place = self.next;
        self.next += 1;
        self.parameters.positional.get(place).ok_or_else(|| {
            let message = format!("parameter {} (`?`) has no value", place + 1);
            SqlError::new(Kind::Parameter, message)
        })
    }

    fn bind_expr(&mut self, expr: &mut Expr) -> Result<(), SqlError> {
        let Expr::Value(literal) = expr else { return Ok(()) };
        let Literal::Placeholder(placeholder) = &literal.value else { return Ok(()) };
        let span = literal.span;
        let value = self.value(&placeholder.clone()).map_err(|error| {
            let place = tree::error_at(error.kind, "", span);
            SqlError { line: place.line, column: place.column, length: place.length, ..error }
        })?;
        *expr = literal_of(value);
        Ok(())
    }

    /// A row count is a number, also when its value came as text.
    fn bind_count(&mut self, expr: &mut Expr) -> Result<(), SqlError> {
        self.bind_expr(expr)?;
        if let Expr::Value(literal) = expr
            && let Literal::SingleQuotedString(text) = &literal.value
        {
            let count: u64 = text.parse().map_err(|_| {
                SqlError::new(Kind::Parameter, format!("`{text}` is not a number of rows"))
            })?;
            *expr = tree::number(&count.to_string());
        }
        Ok(())
    }

    fn bind_limits(&mut self, query: &mut Query) -> Result<(), SqlError> {
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                limit.iter_mut().try_for_each(|limit| self.bind_count(limit))?;
                offset.iter_mut().try_for_each(|offset| self.bind_count(&mut offset.value))
            }
            _ => Ok(()),
        }
    }
}

impl VisitorMut for Binder<'_> {
    type Break = Box<SqlError>;

    // After its other parts, so that `?` are counted in the order they stand.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        super::flow(self.bind_limits(query))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        super::flow(self.bind_expr(expr))
    }
}

fn literal_of(value: &Value) -> Expr {
    let literal = |value: Literal| Expr::Value(value.with_empty_span());
    let span = datafusion::sql::sqlparser::tokenizer::Span::empty();
    match value {
        Value::Text(text) => literal(Literal::SingleQuotedString(text.clone())),
        Value::Integer(number) if *number < 0 => tree::call(
            internal::CAST,
            vec![tree::text(&number.to_string(), span), tree::text("bigint", span)],
            span,
        ),
        Value::Integer(number) => literal(Literal::Number(number.to_string(), false)),
        Value::Double(number) => {
            let text = tree::text(&format!("{number:?}"), span);
            tree::call(internal::CAST, vec![text, tree::text("double", span)], span)
        }
        Value::Boolean(truth) => literal(Literal::Boolean(*truth)),
        Value::Timestamp(micros) => {
            let text = chrono::DateTime::from_timestamp_micros(*micros)
                .map(|time| time.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
            let text = tree::text(&text.unwrap_or_default(), span);
            tree::call(internal::CAST, vec![text, tree::text("timestamp(6)", span)], span)
        }
        Value::Texts(texts) => {
            let elem = texts.iter().map(|text| tree::text(text, span)).collect();
            Expr::Array(Array { elem, named: true })
        }
        Value::Typed { text, type_name } => {
            let arguments = vec![tree::text(text, span), tree::text(type_name, span)];
            tree::call(internal::CAST, arguments, span)
        }
        Value::Bytes(bytes) => {
            let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            literal(Literal::HexStringLiteral(hex))
        }
        Value::Array(items) => array_of(items.iter()),
        Value::Map(entries) => {
            let keys = array_of(entries.iter().map(|(key, _)| key));
            let values = array_of(entries.iter().map(|(_, value)| value));
            tree::call("map", vec![keys, values], span)
        }
        Value::Row(fields) => tree::call("row", fields.iter().map(literal_of).collect(), span),
        Value::Null => literal(Literal::Null),
    }
}

fn array_of<'a>(items: impl Iterator<Item = &'a Value>) -> Expr {
    Expr::Array(Array { elem: items.map(literal_of).collect(), named: true })
}
