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
    let row = physical.row(&[
        ("type", "userIdentity_type"),
        ("principalId", "userIdentity_principalId"),
        ("arn", "userIdentity_arn"),
        ("accountId", "userIdentity_accountId"),
        ("accessKeyId", "userIdentity_accessKeyId"),
        ("userName", "userIdentity_userName"),
    ])?;
    let rest = physical.row(&[
        ("invokedBy", "userIdentity_invokedBy"),
        ("identityProvider", "userIdentity_identityProvider"),
        ("credentialId", "userIdentity_credentialId"),
    ])?;
    let on_behalf_of = physical.row(&[
        ("userId", "userIdentity_onBehalfOf_userId"),
        ("identityStoreArn", "userIdentity_onBehalfOf_identityStoreArn"),
    ])?;
    let in_scope_of = physical.row(&[
        ("sourceArn", "userIdentity_inScopeOf_sourceArn"),
        ("sourceAccount", "userIdentity_inScopeOf_sourceAccount"),
        ("issuerType", "userIdentity_inScopeOf_issuerType"),
        ("credentialsIssuedTo", "userIdentity_inScopeOf_credentialsIssuedTo"),
        // AWS's schema page spells it so, with an i for the l.
        ("credentiaisIssuedTo", "userIdentity_inScopeOf_credentialsIssuedTo"),
    ])?;
    let delegate = physical.row(&[("accountId", "userIdentity_invokedByDelegate_accountId")])?;
    let row = row
        .with_row("sessionContext", session_context(physical)?)
        .with_row("onBehalfOf", on_behalf_of)
        .with_row("inScopeOf", in_scope_of)
        .with_row("invokedByDelegate", delegate);
    Ok(rest.fields.into_iter().fold(row, |row, (name, value)| {
        let present = value.clone().is_not_null();
        row.with(&name, value, present)
    }))
}

fn session_context(physical: &Physical<'_>) -> Result<Row> {
    let created = physical.column("userIdentity_creationDate")?;
    let attributes = physical.row(&[("mfaAuthenticated", "userIdentity_mfaAuthenticated")])?.with(
        "creationDate",
        record_time(created.clone()),
        created.is_not_null(),
    );
    let issuer = physical.row(&[
        ("type", "userIdentity_sessionIssuer_type"),
        ("principalId", "userIdentity_sessionIssuer_principalId"),
        ("arn", "userIdentity_sessionIssuer_arn"),
        ("accountId", "userIdentity_sessionIssuer_accountId"),
        ("userName", "userIdentity_sessionIssuer_userName"),
    ])?;
    let federation = physical.row(&[
        ("federatedProvider", "userIdentity_webIdFederationData_federatedProvider"),
        ("attributes", "userIdentity_webIdFederationData_attributes"),
    ])?;
    let row = physical.row(&[
        ("sourceIdentity", "userIdentity_sourceIdentity"),
        ("ec2RoleDelivery", "userIdentity_ec2RoleDelivery"),
        ("ec2IssuedInVpc", "userIdentity_ec2IssuedInVpc"),
        ("assumedRoot", "userIdentity_assumedRoot"),
    ])?;
    Ok(row
        .with_row("attributes", attributes)
        .with_row("sessionIssuer", issuer)
        .with_row("webIdFederationData", federation))
}

fn tls_details(physical: &Physical<'_>) -> Result<Row> {
    physical.row(&[
        ("tlsVersion", "tlsDetails_tlsVersion"),
        ("cipherSuite", "tlsDetails_cipherSuite"),
        ("clientProvidedHostHeader", "tlsDetails_clientProvidedHostHeader"),
        ("keyExchange", "tlsDetails_keyExchange"),
    ])
}
