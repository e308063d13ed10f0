//! `cloudtrail_logs`: the table that Athena's users define over a trail's log files (Amazon Athena
//! User Guide, "Query AWS CloudTrail logs"): text where Lake has timestamps, booleans and maps.
//!
//! The partition columns that people choose for such tables are all there, for `WHERE`. They mean
//! the event's own day, account and region; the day of the key it came under is `_delivered`.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, lit};

use super::flag_text::flag_text;
use super::lake::{federation, on_behalf_of, session_issuer};
use super::renamed_fields::renamed_fields;
use super::time_text::{TimeForm, time_text};
use super::{Physical, Row, TIME};

/// Columns of the scan that are maps in Athena's table too; every other object is JSON text.
pub(super) const MAPS: &[&str] = &["userIdentity_webIdFederationData_attributes"];

/// Columns that `SELECT *` does not show: a table has some of the partition columns, never all.
pub(super) const HIDDEN: &[&str] = &[
    "region",
    "account",
    "year",
    "month",
    "day",
    "timestamp",
    "date",
    "dt",
    "account_id",
    "date_partition",
    "region_partition",
    "account_partition",
    "managementEvent",
];

/// The view's visible columns, in the order of AWS's table definition.
pub(super) fn columns(physical: &Physical<'_>) -> Result<Vec<Expr>> {
    let mut columns = physical.columns(&["eventVersion"])?;
    columns.push(user_identity(physical)?.build().alias("userIdentity"));
    columns.push(time_text(physical.column(TIME)?, TimeForm::Whole).alias(TIME));
    columns.extend(physical.columns(&[
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
        "errorMessage",
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "requestID",
        "eventID",
    ])?);
    columns.push(renamed_fields(physical.column("resources")?, RESOURCE).alias("resources"));
    columns.extend(physical.columns(&["eventType", "apiVersion"])?);
    columns.push(flag_text(physical.column("readOnly")?).alias("readOnly"));
    columns.extend(physical.columns(&[
        "recipientAccountId",
        "serviceEventDetails",
        "sharedEventID",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "eventCategory",
    ])?);
    columns.push(addendum(physical)?.build().alias("addendum"));
    columns.extend(physical.columns(&["sessionCredentialFromConsole", "edgeDeviceDetails"])?);
    columns.push(tls_details(physical)?.build().alias("tlsDetails"));
    Ok(columns)
}

/// Returns the hidden column `name`; none when the view has no such column of its own.
pub(super) fn hidden_column(name: &str, physical: &Physical<'_>) -> Result<Option<Expr>> {
    let written = |form| Ok::<_, _>(time_text(physical.column(TIME)?, form));
    let column = match name {
        "year" => written(TimeForm::Year),
        "month" => written(TimeForm::Month),
        "day" => written(TimeForm::Day),
        "timestamp" | "date" | "dt" | "date_partition" => written(TimeForm::Date),
        "region" | "region_partition" => physical.column("awsRegion"),
        "account" | "account_id" | "account_partition" => physical.column("recipientAccountId"),
        "managementEvent" => Ok(flag_text(physical.column("managementEvent")?)),
        _ => return Ok(None),
    };
    Ok(Some(column?.alias(name)))
}

/// The fields of an element of `resources`, in the order of AWS's table definition. Their spelling
/// is Lake's: one word has one spelling, and `UNNEST` makes columns of them.
const RESOURCE: &[(&str, &str)] = &[("ARN", "arn"), ("accountId", "accountId"), ("type", "type")];

fn user_identity(physical: &Physical<'_>) -> Result<Row> {
    let names = ["type", "principalId", "arn", "accountId", "invokedBy", "accessKeyId", "userName"];
    Ok(physical
        .row("userIdentity", &names)?
        .with_row("onbehalfof", on_behalf_of(physical)?)
        .with_row("sessioncontext", session_context(physical)?))
}

fn session_context(physical: &Physical<'_>) -> Result<Row> {
    let attributes = physical.row("userIdentity", &["mfaAuthenticated", "creationDate"])?;
    let row = Row::empty()
        .with_row("attributes", attributes)
        .with_row("sessionissuer", session_issuer(physical)?);
    let row = physical.with_field(row, "ec2RoleDelivery", "userIdentity_ec2RoleDelivery")?;
    Ok(row.with_row("webidfederationdata", federation(physical)?))
}

/// Why an event was sent later or again (CloudTrail User Guide, "CloudTrail record contents").
fn addendum(physical: &Physical<'_>) -> Result<Row> {
    let Some(member) = traillake_trino::functions::named("json_extract_scalar") else {
        return plan_err!("`json_extract_scalar` is not known");
    };
    let text = physical.column("addendum")?;
    let mut row = Row { present: text.clone().is_not_null(), fields: Vec::new() };
    for (name, path) in [
        ("reason", "$.reason"),
        ("updatedfields", "$.updatedFields"),
        ("originalrequestid", "$.originalRequestID"),
        ("originaleventid", "$.originalEventID"),
    ] {
        row.fields.push((name.to_string(), member.call(vec![text.clone(), lit(path)])));
    }
    Ok(row)
}

fn tls_details(physical: &Physical<'_>) -> Result<Row> {
    physical.row("tlsDetails", &["tlsVersion", "cipherSuite", "clientProvidedHostHeader"])
}
