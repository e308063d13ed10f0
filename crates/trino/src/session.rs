//! Wiring into a DataFusion session.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::common::{Result, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Kind, Names, SqlError, analyze, functions, planner};

/// Returns the settings Trino's semantics need: exact identifiers (they are canonical already),
/// NULLs last, UTC, spans in errors.
pub fn session_config() -> SessionConfig {
    let mut config = SessionConfig::new();
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.default_null_ordering = "nulls_last".to_owned();
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".to_owned());
    config
}

/// Registers functions, planners and analyzer rules.
///
/// # Errors
/// DataFusion's, when a registration is refused.
pub fn register(context: &SessionContext) -> Result<()> {
    let state_ref = context.state_ref();
    let existing = context.state();
    let analyzer = analyzer(&existing.analyzer().function_rewrites, existing.analyzer());
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(planner::Comparisons)];
    planners.extend(existing.expr_planners().iter().cloned());
    let mut builder = SessionStateBuilder::new_from_existing(existing)
        .with_expr_planners(planners)
        .with_relation_planners(vec![Arc::new(planner::UnnestPlanner)]);
    *builder.analyzer() = Some(analyzer);
    let mut state = builder.build();
    for name in replaced(&state) {
        state.deregister_udf(&name)?;
    }
    for function in functions::all() {
        state.register_udf(Arc::new(function.udf.clone()))?;
    }
    for udf in functions::internal() {
        state.register_udf(Arc::new(udf))?;
    }
    for udf in functions::higher_order() {
        state.register_higher_order_function(udf)?;
    }
    for udf in functions::aggregates() {
        state.register_udaf(udf)?;
    }
    *state_ref.write() = state;
    Ok(())
}

/// Returns DataFusion's functions that go by a name of ours. They must leave, not only be shadowed:
/// whoever builds a new state from this one registers all functions again in any order, and
/// `map_extract` would take its alias `element_at` back.
fn replaced(state: &SessionState) -> BTreeSet<String> {
    let ours: HashSet<String> = functions::names().collect();
    let functions = state.scalar_functions().values();
    let replaced = functions.filter(|function| {
        ours.contains(function.name())
            || function.aliases().iter().any(|alias| ours.contains(alias))
    });
    replaced.map(|function| function.name().to_owned()).collect()
}

/// Our rules run first, while the plan still says what the user wrote.
fn analyzer(rewrites: &[Arc<dyn FunctionRewrite + Send + Sync>], existing: &Analyzer) -> Analyzer {
    let mut rules = analyze::rules();
    rules.extend(existing.rules.iter().cloned());
    let mut analyzer = Analyzer::with_rules(rules);
    rewrites.iter().for_each(|rewrite| analyzer.add_function_rewrite(Arc::clone(rewrite)));
    analyzer
}

/// Returns what a planning or run-time error of DataFusion means in our words, with the place in
/// the statement and a did-you-mean where they are known.
pub fn explain_error(error: &DataFusionError, names: &Names) -> SqlError {
    let root = error.find_root();
    let explained = match root {
        DataFusionError::SchemaError(schema, _) => unknown_column(schema, names),
        other => in_our_words(other, names),
    };
    match place(error) {
        Some((line, column, length)) if explained.line == 0 => explained.at(line, column, length),
        _ => explained,
    }
}

fn place(error: &DataFusionError) -> Option<(usize, usize, usize)> {
    let span = error.diagnostic()?.span?;
    let (start, end) = (span.start, span.end);
    let length = if end.line == start.line { end.column.saturating_sub(start.column) } else { 1 };
    let known = start.line > 0;
    known.then_some((start.line as usize, start.column as usize, length as usize))
}

fn unknown_column(error: &SchemaError, names: &Names) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let unknown =
                SqlError::new(Kind::UnknownName, format!("column `{}` does not exist", field.name));
            let valid = valid_fields.iter().map(|column| column.name.as_str());
            let near =
                crate::names::nearest(&field.name, valid).or_else(|| names.nearest(&field.name));
            match near {
                Some(near) => unknown.with_hint(format!("did you mean `{near}`?")),
                None if field.name.contains('-') => {
                    unknown.with_hint(format!("text stands in single quotes: '{}'", field.name))
                }
                None => unknown,
            }
        }
        SchemaError::AmbiguousReference { field } => SqlError::new(
            Kind::Semantic,
            format!("column `{}` is ambiguous: several tables have it", field.name),
        )
        .with_hint(format!("write the table's name before it: `t.{}`", field.name)),
        other => SqlError::new(Kind::Semantic, other.to_string()),
    }
}

fn in_our_words(error: &DataFusionError, names: &Names) -> SqlError {
    let message = match error {
        DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::Internal(message)
        | DataFusionError::Configuration(message) => message.clone(),
        other => other.strip_backtrace(),
    };
    let message = message.lines().next().unwrap_or_default().trim().to_owned();
    if let Some(name) = between(&message, "Invalid function '", "'") {
        let unknown = SqlError::new(Kind::UnknownName, format!("function `{name}` does not exist"));
        return match names.nearest_function(name) {
            Some(near) => unknown.with_hint(format!("did you mean `{near}`?")),
            None => unknown,
        };
    }
    if let Some(name) = between(&message, "table '", "' not found") {
        let table = name.rsplit('.').next().unwrap_or(name);
        let unknown = SqlError::new(Kind::UnknownName, format!("table `{table}` does not exist"));
        return match names.nearest_table(table) {
            Some(near) => unknown.with_hint(format!("did you mean `{near}`?")),
            None => unknown,
        };
    }
    if message.contains("must be in GROUP BY or an aggregate function")
        && let Some(column) = between(&message, "column \"", "\" must appear")
    {
        let column = column.rsplit('.').next().unwrap_or(column);
        let message = format!("`{column}` must be in GROUP BY or inside an aggregate function");
        return SqlError::new(Kind::Semantic, message)
            .with_hint(format!("`arbitrary({column})` takes any of its values"));
    }
    let kind = match error {
        DataFusionError::NotImplemented(_) => Kind::Unsupported,
        _ => Kind::Semantic,
    };
    SqlError::new(kind, crate::parse::lower_first(&message))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let start = text.find(before)? + before.len();
    let end = text[start..].find(after)?;
    Some(&text[start..start + end])
}
