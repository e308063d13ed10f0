//! Lake's tables have every column AWS documents, with its type, and those AWS forgot.

use std::collections::BTreeSet;

use crate::ask::ask;
use crate::athena::flattened;
use crate::lake::{Event, TestLake};

/// CloudTrail User Guide, "CloudTrail Lake event schemas": CloudTrail events.
const EVENTS: &str = "
    eventversion string
    useridentity.type string
    useridentity.principalid string
    useridentity.arn string
    useridentity.accountid string
    useridentity.accesskeyid string
    useridentity.username string
    useridentity.sessioncontext.attributes.creationdate timestamp
    useridentity.sessioncontext.attributes.mfaauthenticated string
    useridentity.sessioncontext.sessionissuer.type string
    useridentity.sessioncontext.sessionissuer.principalid string
    useridentity.sessioncontext.sessionissuer.arn string
    useridentity.sessioncontext.sessionissuer.accountid string
    useridentity.sessioncontext.sessionissuer.username string
    useridentity.sessioncontext.webidfederationdata.federatedprovider string
    useridentity.sessioncontext.webidfederationdata.attributes map<string,string>
    useridentity.sessioncontext.sourceidentity string
    useridentity.sessioncontext.ec2roledelivery string
    useridentity.sessioncontext.ec2issuedinvpc string
    useridentity.onbehalfof.userid string
    useridentity.onbehalfof.identitystorearn string
    useridentity.inscopeof.sourcearn string
    useridentity.inscopeof.sourceaccount string
    useridentity.inscopeof.issuertype string
    useridentity.inscopeof.credentiaisissuedto string
    useridentity.invokedby string
    useridentity.identityprovider string
    eventtime timestamp
    eventsource string
    eventname string
    awsregion string
    sourceipaddress string
    useragent string
    errorcode string
    errormessage string
    requestparameters map<string,string>
    responseelements map<string,string>
    additionaleventdata map<string,string>
    requestid string
    eventid string
    readonly boolean
    resources[].accountid string
    resources[].type string
    resources[].arn string
    resources[].arnprefix string
    eventtype string
    apiversion string
    managementevent boolean
    recipientaccountid string
    sharedeventid string
    annotation string
    vpcendpointid string
    vpcendpointaccountid string
    serviceeventdetails map<string,string>
    addendum map<string,string>
    edgedevicedetails map<string,string>
    insightdetails map<string,string>
    eventcategory string
    tlsdetails.tlsversion string
    tlsdetails.ciphersuite string
    tlsdetails.clientprovidedhostheader string
    sessioncredentialfromconsole string";

/// What AWS's page leaves out: `credentialsIssuedTo` as records spell it, fields of newer records,
/// and `eventContext`, whose type follows from AWS's examples.
const FORGOTTEN: &str = "
    useridentity.inscopeof.credentialsissuedto string
    useridentity.credentialid string
    useridentity.invokedbydelegate.accountid string
    useridentity.sessioncontext.assumedroot string
    tlsdetails.keyexchange string
    eventcontext.requestcontext map<string,string>
    eventcontext.tagcontext.principaltags map<string,string>
    eventcontext.tagcontext.resourcetags[].arn string
    eventcontext.tagcontext.resourcetags[].tags map<string,string>";

/// Columns that `SELECT *` does not show.
const HIDDEN: &str = "
    eventjson string
    eventjsonchecksum string
    calendarday bigint";

/// The same page: Insights events. `attributions`, `insight` and `baseline`, which the page prints as
/// structs, are lists in records.
const INSIGHTS: &str = "
    eventversion string
    eventcategory string
    eventtype string
    eventid string
    eventtime timestamp
    awsregion string
    recipientaccountid string
    sharedeventid string
    addendum map<string,string>
    insightsource string
    insightstate string
    insighteventsource string
    insighteventname string
    insighterrorcode string
    insighttype string
    insightcontext.baselineaverage double
    insightcontext.insightaverage double
    insightcontext.baselineduration integer
    insightcontext.insightduration integer
    insightcontext.attributions[].attribute string
    insightcontext.attributions[].insightvalue string
    insightcontext.attributions[].insightaverage double
    insightcontext.attributions[].baselinevalue string
    insightcontext.attributions[].baselineaverage double
    insightcontext.attributions[].insight[].value string
    insightcontext.attributions[].insight[].average double
    insightcontext.attributions[].baseline[].value string
    insightcontext.attributions[].baseline[].average double";

#[tokio::test]
async fn every_column_has_the_name_and_type_that_aws_documents() {
    let event = Event::new("a1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "GetObject");
    let lake = TestLake::with(&[&[event]]).await;
    let engine = lake.engine().await;
    for (sql, documented) in [
        ("SELECT * FROM events", [EVENTS, FORGOTTEN].concat()),
        ("SELECT eventJson, eventJsonChecksum, calendarday FROM events", HIDDEN.to_string()),
        ("SELECT * FROM insights", INSIGHTS.to_string()),
    ] {
        let answer = ask(&engine, sql).await.answer;
        let mut columns = Vec::new();
        for field in answer.schema.fields() {
            flattened(field.name(), field.data_type(), &mut columns);
        }
        let columns: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        let documented: BTreeSet<&str> =
            documented.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let missing: Vec<&&str> = documented.difference(&columns).collect();
        let extra: Vec<&&str> = columns.difference(&documented).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{sql}\nmissing {missing:#?}\nextra {extra:#?}"
        );
    }
}
