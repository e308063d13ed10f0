//! Wiring into a DataFusion session.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{analyze, functions, planner};

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
    let mut planners: Vec<Arc<dyn ExprPlanner>> =
        vec![Arc::new(planner::Comparisons), Arc::new(planner::ScaledIntervals)];
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
