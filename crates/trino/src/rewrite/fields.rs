//! `a.b.c`, `f(x).b`, `a[1]`, `a['k']`: which part is a relation, which a column, which a field.
//!
//! DataFusion resolves dotted names itself, but not on lambda parameters, not on columns of an
//! outer query, not on calls, and never with a key of a map. So every field becomes
//! `$field(value, 'name')` and every subscript `$subscript(value, index)`. The name of a field is
//! kept as typed, since keys of maps are case-sensitive.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Spanned, Subscript};

use super::scope::Scope;
use super::{internal, tree};
use crate::tokens::Typed;
use crate::{Kind, SqlError};

pub(crate) fn rewrite(expr: &mut Expr, scope: &Scope, typed: &Typed) -> Result<(), SqlError> {
    match expr {
        Expr::CompoundIdentifier(parts) => {
            *expr = dotted(std::mem::take(parts), scope, typed);
            Ok(())
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            let mut chain = std::mem::take(access_chain).into_iter().peekable();
            let mut value = match root.as_ref() {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                    let mut parts = match root.as_ref() {
                        Expr::Identifier(ident) => vec![ident.clone()],
                        Expr::CompoundIdentifier(parts) => parts.clone(),
                        _ => Vec::new(),
                    };
                    while let Some(AccessExpr::Dot(Expr::Identifier(part))) = chain
                        .next_if(|access| matches!(access, AccessExpr::Dot(Expr::Identifier(_))))
                    {
                        parts.push(part);
                    }
                    dotted(parts, scope, typed)
                }
                other => other.clone(),
            };
            for access in chain {
                value = accessed(value, access, typed)?;
            }
            *expr = value;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Returns the column that `parts` begin with, and the fields that follow.
fn dotted(mut parts: Vec<Ident>, scope: &Scope, typed: &Typed) -> Expr {
    let relation = match parts.first() {
        Some(first) if scope.is_lambda_parameter(&first.value) => 0,
        _ => scope.relation_parts(&parts),
    };
    let fields = parts.split_off(relation + 1);
    let column = match parts.len() {
        1 => Expr::Identifier(parts.remove(0)),
        _ => Expr::CompoundIdentifier(parts),
    };
    fields.iter().fold(column, |value, name| field(value, name, typed))
}

fn field(value: Expr, name: &Ident, typed: &Typed) -> Expr {
    let name_text = tree::text(typed.spelling(name), name.span);
    tree::call(internal::FIELD, vec![value, name_text], name.span)
}

fn accessed(value: Expr, access: AccessExpr, typed: &Typed) -> Result<Expr, SqlError> {
    match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Ok(field(value, &name, typed)),
        AccessExpr::Subscript(Subscript::Index { index }) => {
            let span = index.span();
            Ok(tree::call(internal::SUBSCRIPT, vec![value, index], span))
        }
        AccessExpr::Subscript(slice) => Err(SqlError::new(
            Kind::Unsupported,
            format!("array slices such as `[{slice}]` are not Trino's"),
        )
        .with_hint("write `slice(array, start, length)`")),
        AccessExpr::Dot(other) => Err(tree::error_at(
            Kind::Syntax,
            format!("`{other}` cannot follow a dot"),
            other.span(),
        )),
    }
}
