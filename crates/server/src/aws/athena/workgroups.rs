//! Which workgroups, and which engine? A workgroup is a name that queries are listed by, and says
//! where results go that name no place of their own.
//!
//! `managed` keeps them with the server, as Athena's managed query results: its clients fetch rows
//! from Athena alone and need no S3, whatever place they name. Every other name is as good as
//! `primary`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, Fault, invalid, pages};

/// The workgroup of queries that name none.
pub(super) const PRIMARY: &str = "primary";
const MANAGED: &str = "managed";
/// Where results go that name no place. S3 has no such bucket, because of its underscore: a client
/// that was not told of this server's S3 finds nothing anywhere else either.
const OUTPUT: &str = "s3://traillake_results/";
const ENGINE: &str = "Athena engine version 3";

/// Returns where the result of a query goes that wants it put in `asked`; none when it makes no
/// file.
pub(super) fn output_of(work_group: Option<&str>, asked: Option<String>) -> Option<String> {
    (work_group != Some(MANAGED)).then(|| asked.unwrap_or_else(|| OUTPUT.to_owned()))
}

/// Checks a workgroup's name.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=128).contains(&name.len()) && name.chars().all(is_name) {
        true => Ok(()),
        false => Err(invalid(format!("`{name}` cannot be the name of a workgroup"))),
    }
}

/// Returns the engine that answers.
pub(super) fn engine_version() -> Value {
    json!({ "SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get {
    work_group: String,
}

/// `GetWorkGroup`.
pub(super) fn get(asked: Get) -> Answered {
    let name = asked.work_group;
    check_name(&name)?;
    let mut configuration = json!({
        "ResultConfiguration": {},
        "ManagedQueryResultsConfiguration": {"Enabled": name == MANAGED},
        "EnforceWorkGroupConfiguration": false,
        "PublishCloudWatchMetricsEnabled": false,
        "RequesterPaysEnabled": false,
        "EngineVersion": engine_version(),
    });
    if let Some(output) = output_of(Some(&name), None) {
        configuration["ResultConfiguration"]["OutputLocation"] = json!(output);
    }
    Ok(json!({ "WorkGroup": {
        "Name": name,
        "State": "ENABLED",
        "Configuration": configuration,
        "Description": "",
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// `ListWorkGroups`.
pub(super) fn list(asked: List) -> Answered {
    let groups = [(PRIMARY, "results as files"), (MANAGED, "results by GetQueryResults alone")];
    let groups = groups.map(|(name, about)| {
        json!({
            "Name": name,
            "State": "ENABLED",
            "Description": about,
            "EngineVersion": engine_version(),
        })
    });
    let size = pages::size(asked.max_results, 1..=50)?;
    let token = asked.next_token.as_deref();
    let (groups, next) = pages::page("workgroups", groups.into(), token, size)?;
    Ok(pages::with_token(json!({ "WorkGroups": groups }), next))
}

/// `ListEngineVersions`.
pub(super) fn list_engine_versions(asked: List) -> Answered {
    let named = json!({ "SelectedEngineVersion": ENGINE, "EffectiveEngineVersion": ENGINE });
    let size = pages::size(asked.max_results, 1..=10)?;
    let versions = vec![engine_version(), named];
    let token = asked.next_token.as_deref();
    let (versions, next) = pages::page("engines", versions, token, size)?;
    Ok(pages::with_token(json!({ "EngineVersions": versions }), next))
}
