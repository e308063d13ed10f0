//! `docs/sql-functions.md` is what the functions say of themselves.

use datafusion::execution::session_state::SessionStateBuilder;

use crate::support::Session;

#[test]
fn the_reference_of_functions_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql-functions.md");
    let expected = traillake_trino::functions::reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == expected, "docs/sql-functions.md is old: run the test with UPDATE_DOCS=1");
}

#[tokio::test]
async fn every_function_listed_as_shared_is_registered() {
    let session = Session::new().await;
    let state = session.context.state();
    let page = traillake_trino::functions::reference();
    let shared = page.split("## DataFusion's own, with Trino's meaning").nth(1).unwrap();
    let shared = shared.split("## Different").next().unwrap();
    let known = |name: &str| {
        state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
    };
    let missing: Vec<&str> = shared
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| !known(name) && *name != "grouping")
        .collect();
    assert!(missing.is_empty(), "not registered: {missing:?}");
}

#[tokio::test]
async fn a_state_built_from_ours_keeps_our_functions() {
    let session = Session::new().await;
    // The builder registers functions in the order of a hash map: another one every time.
    for _ in 0..16 {
        let state = SessionStateBuilder::new_from_existing(session.context.state()).build();
        for name in
            ["element_at", "substr", "contains", "repeat", "concat", "date_format", "strpos"]
        {
            let found = &state.scalar_functions()[name];
            assert_eq!(found.name(), name);
            assert!(format!("{found:?}").contains("Scalar {"), "{name} is DataFusion's: {found:?}");
        }
    }
}
