//! Short constructors of syntax tree nodes.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use crate::{Kind, SqlError};

/// `name(args…)`; the span is where errors about the call point.
pub(crate) fn call(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    Expr::Function(function(name, args, span))
}

pub(crate) fn function(name: &str, args: Vec<Expr>, span: Span) -> Function {
    let args =
        args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Function {
        name: ObjectName::from(vec![Ident { value: name.to_owned(), quote_style: None, span }]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}

pub(crate) fn text(value: &str, span: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value.to_owned()), span })
}

pub(crate) fn number(value: &str) -> Expr {
    Expr::Value(Value::Number(value.to_owned(), false).with_empty_span())
}

pub(crate) fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

/// Returns the single lower-case name of a call, none for qualified names.
pub(crate) fn name_of(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [part] => part.as_ident().map(|ident| ident.value.to_lowercase()),
        _ => None,
    }
}

pub(crate) fn span_of(function: &Function) -> Span {
    let ident = function.name.0.first().and_then(|part| part.as_ident());
    ident.map_or_else(Span::empty, |ident| ident.span)
}

/// Returns the plain arguments of a call; none when one is named or a wildcard.
pub(crate) fn args_of(function: &Function) -> Option<Vec<Expr>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            })
            .collect(),
    }
}

/// Returns an error at the identifier's place.
pub(crate) fn error_at(kind: Kind, message: impl Into<String>, span: Span) -> SqlError {
    SqlError::new(kind, message).placed(span)
}
