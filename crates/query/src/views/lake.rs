//! `events`: CloudTrail Lake's table of CloudTrail events (CloudTrail User Guide, "CloudTrail Lake
//! event schemas"), with the fields that AWS's page leaves out (`eventContext`, `credentialId`,
//! `invokedByDelegate`, `assumedRoot`, `keyExchange`).

use datafusion::common::Result;
use datafusion::logical_expr::Expr;

use super::event_context::event_context;
use super::record_time::record_time;
use super::renamed_fields::renamed_fields;
use super::{Physical, Row};

/// Columns that are JSON objects of any content: `map(varchar, varchar)` in Lake.
pub(super) const MAPS: &[&str] = &[
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "addendum",
    "edgeDeviceDetails",
    "insightDetails",
    "userIdentity_webIdFederationData_attributes",
];

/// Columns of this view alone that `SELECT *` does not show.
pub(super) const HIDDEN: &[&str] = &["eventData"];

/// The view's visible columns, in the order of Lake's schema.
pub(super) fn columns(physical: &Physical<'_>) -> Result<Vec<Expr>> {
    let mut columns = physical.columns(&["eventVersion"])?;
    columns.push(user_identity(physical)?.build().alias("userIdentity"));
    columns.extend(physical.columns(&[
        "eventTime",
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
        "readOnly",
    ])?);
    columns.push(renamed_fields(physical.column("resources")?, RESOURCE).alias("resources"));
    columns.extend(physical.columns(&[
        "eventType",
        "apiVersion",
        "managementEvent",
        "recipientAccountId",
        "sharedEventID",
        "annotation",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "serviceEventDetails",
        "addendum",
        "edgeDeviceDetails",
        "insightDetails",
        "eventCategory",
    ])?);
    columns.push(tls_details(physical)?.build().alias("tlsDetails"));
    columns.extend(physical.columns(&["sessionCredentialFromConsole"])?);
    columns.push(event_context(physical.column("eventContext")?).alias("eventContext"));
    Ok(columns)
}

/// The fields of an element of `resources` as Lake spells them. The records say `ARN`, but
/// identifiers are case-insensitive, and one word has one spelling: `userIdentity.arn` has it.
const RESOURCE: &[(&str, &str)] =
    &[("accountId", "accountId"), ("type", "type"), ("ARN", "arn"), ("ARNPrefix", "arnPrefix")];

fn user_identity(physical: &Physical<'_>) -> Result<Row> {
    let identity = "userIdentity";
    let names = ["type", "principalId", "arn", "accountId", "accessKeyId", "userName"];
    let in_scope_of = "userIdentity_inScopeOf";
    let names_of_scope = ["sourceArn", "sourceAccount", "issuerType", "credentialsIssuedTo"];
    let scope = physical.row(in_scope_of, &names_of_scope)?;
    // AWS's schema page spells it so, with an i for the l.
    let (misspelt, issued_to) =
        ("credentiaisIssuedTo", "userIdentity_inScopeOf_credentialsIssuedTo");
    let scope = physical.with_field(scope, misspelt, issued_to)?;
    let delegate = physical.row("userIdentity_invokedByDelegate", &["accountId"])?;
    let mut row = physical
        .row(identity, &names)?
        .with_row("sessionContext", session_context(physical)?)
        .with_row("onBehalfOf", on_behalf_of(physical)?)
        .with_row("inScopeOf", scope)
        .with_row("invokedByDelegate", delegate);
    for name in ["invokedBy", "identityProvider", "credentialId"] {
        row = physical.with_field(row, name, &format!("{identity}_{name}"))?;
    }
    Ok(row)
}

fn session_context(physical: &Physical<'_>) -> Result<Row> {
    let created = physical.column("userIdentity_creationDate")?;
    let attributes = physical.row("userIdentity", &["mfaAuthenticated"])?.with(
        "creationDate",
        record_time(created.clone()),
        created.is_not_null(),
    );
    let names = ["sourceIdentity", "ec2RoleDelivery", "ec2IssuedInVpc", "assumedRoot"];
    Ok(physical
        .row("userIdentity", &names)?
        .with_row("attributes", attributes)
        .with_row("sessionIssuer", session_issuer(physical)?)
        .with_row("webIdFederationData", federation(physical)?))
}

/// For whom IAM Identity Center acted.
pub(super) fn on_behalf_of(physical: &Physical<'_>) -> Result<Row> {
    physical.row("userIdentity_onBehalfOf", &["userId", "identityStoreArn"])
}

/// Whose session it is.
pub(super) fn session_issuer(physical: &Physical<'_>) -> Result<Row> {
    let names = ["type", "principalId", "arn", "accountId", "userName"];
    physical.row("userIdentity_sessionIssuer", &names)
}

/// Who vouched for a session that began with a web identity.
pub(super) fn federation(physical: &Physical<'_>) -> Result<Row> {
    physical.row("userIdentity_webIdFederationData", &["federatedProvider", "attributes"])
}

fn tls_details(physical: &Physical<'_>) -> Result<Row> {
    let names = ["tlsVersion", "cipherSuite", "clientProvidedHostHeader", "keyExchange"];
    physical.row("tlsDetails", &names)
}
