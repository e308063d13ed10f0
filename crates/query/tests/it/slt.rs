//! The sqllogictest files of testdata/queries/lake, on a lake of one small story. Expected values
//! are worked out by hand from the events in `story`.

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use traillake_query::{Engine, Error, Parameters};

use crate::ask::try_ask;
use crate::lake::{Event, TestLake};

struct Database(Engine);

#[derive(Debug, thiserror::Error)]
#[error("{}", .0.render())]
struct Rendered(Error);

#[async_trait]
impl AsyncDB for Database {
    type Error = Rendered;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Rendered> {
        let read = try_ask(&self.0, sql, &Parameters::default()).await.map_err(Rendered)?;
        let types = vec![DefaultColumnType::Any; read.headers.len()];
        let empty = |cell: String| if cell.is_empty() { "(empty)".to_owned() } else { cell };
        let rows = read.rows.into_iter().map(|row| row.into_iter().map(empty).collect());
        Ok(DBOutput::Rows { types, rows: rows.collect() })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "traillake"
    }
}

/// An admin assumes a role, uploads, is refused; a function reads; a root signs in. One event has a
/// value in every column that the others leave empty.
fn story() -> Vec<Event> {
    let s3 = "s3.amazonaws.com";
    vec![
        Event::new("e1", "2024-05-01T08:00:00Z", "sts.amazonaws.com", "AssumeRole")
            .with("userIdentity_type", "IAMUser")
            .with("userIdentity_arn", "arn:aws:iam::111122223333:user/ada")
            .with("userIdentity_userName", "ada")
            .with("userIdentity_principalId", "AIDAEXAMPLE")
            .with("userIdentity_accountId", "111122223333")
            .with("userIdentity_accessKeyId", "AKIAEXAMPLE")
            .with("sourceIPAddress", "203.0.113.7")
            .with("requestParameters", r#"{"roleArn":"arn:aws:iam::111122223333:role/admin","durationSeconds":3600,"tags":[{"key":"a","value":"b"}],"mfa":true,"none":null}"#)
            .with("responseElements", r#"{"credentials":{"accessKeyId":"ASIAEXAMPLE","expiration":"May 1, 2024, 9:00:00 AM"}}"#)
            .on("AWS::IAM::Role", "arn:aws:iam::111122223333:role/admin"),
        Event::new("e2", "2024-05-01T08:05:00Z", s3, "PutObject")
            .with("userIdentity_type", "AssumedRole")
            .with("userIdentity_arn", "arn:aws:sts::111122223333:assumed-role/admin/ada")
            .with("userIdentity_sessionIssuer_type", "Role")
            .with("userIdentity_sessionIssuer_arn", "arn:aws:iam::111122223333:role/admin")
            .with("userIdentity_sessionIssuer_userName", "admin")
            .with("userIdentity_sessionIssuer_principalId", "AROAEXAMPLE")
            .with("userIdentity_sessionIssuer_accountId", "111122223333")
            .with("userIdentity_creationDate", "2024-05-01T08:00:00Z")
            .with("userIdentity_mfaAuthenticated", "true")
            .with("eventCategory", "Data")
            .with("requestParameters", r#"{"bucketName":"payroll","key":"2024/05.csv","x-amz-server-side-encryption":"AES256"}"#)
            .with("additionalEventData", r#"{"bytesTransferredIn":1024.5}"#)
            .on("AWS::S3::Object", "arn:aws:s3:::payroll/2024/05.csv")
            .on("AWS::S3::Bucket", "arn:aws:s3:::payroll"),
        Event::new("e3", "2024-05-02T23:59:59Z", s3, "GetObject")
            .with("userIdentity_type", "AWSAccount")
            .with("userIdentity_accountId", "anonymous")
            .with("eventCategory", "Data")
            .with("errorCode", "AccessDenied")
            .with("errorMessage", "Access Denied")
            .with("awsRegion", "us-east-1")
            .with("requestParameters", r#"{"bucketName":"payroll","key":"2024/05.csv"}"#)
            .on("AWS::S3::Object", "arn:aws:s3:::payroll/2024/05.csv"),
        Event::new("e4", "2024-06-01T00:00:00Z", "signin.amazonaws.com", "ConsoleLogin")
            .with("userIdentity_type", "Root")
            .with("responseElements", r#"{"ConsoleLogin":"Success"}"#)
            .with("recipientAccountId", "000000000001"),
        everything(),
    ]
}

fn everything() -> Event {
    [
        ("userIdentity_invokedBy", "config.amazonaws.com"),
        ("userIdentity_identityProvider", "arn:aws:iam::1:saml-provider/idp"),
        ("userIdentity_credentialId", "cred-1"),
        ("userIdentity_webIdFederationData_federatedProvider", "accounts.google.com"),
        ("userIdentity_webIdFederationData_attributes", r#"{"sub":"42"}"#),
        ("userIdentity_sourceIdentity", "ada@example.com"),
        ("userIdentity_ec2RoleDelivery", "2.0"),
        ("userIdentity_ec2IssuedInVpc", "vpc-1"),
        ("userIdentity_assumedRoot", "true"),
        ("userIdentity_creationDate", "20131102T010628Z"),
        ("userIdentity_onBehalfOf_userId", "user-1"),
        ("userIdentity_onBehalfOf_identityStoreArn", "arn:aws:identitystore::1:identitystore/d-1"),
        ("userIdentity_inScopeOf_sourceArn", "arn:source"),
        ("userIdentity_inScopeOf_sourceAccount", "111122223333"),
        ("userIdentity_inScopeOf_issuerType", "AWS::Lambda::Function"),
        ("userIdentity_inScopeOf_credentialsIssuedTo", "arn:issued"),
        ("userIdentity_invokedByDelegate_accountId", "444455556666"),
        ("tlsDetails_tlsVersion", "TLSv1.3"),
        ("tlsDetails_cipherSuite", "TLS_AES_128_GCM_SHA256"),
        ("tlsDetails_clientProvidedHostHeader", "host.example.com"),
        ("tlsDetails_keyExchange", "X25519MLKEM768"),
        ("sessionCredentialFromConsole", "true"),
        ("annotation", "noted"),
        ("_unknown_fields", r#"{"other":1,"eventData":{"resourceType":"AWS::EC2::Volume","accountId":"444455556666","configuration":{"size":8,"a:b":{"c":null}},"tags":{"env":"prod"},"relatedEvents":["r1"]}}"#),
        ("serviceEventDetails", r#"{"state":"on"}"#),
        ("addendum", r#"{"reason":"UPDATED_DATA","originalEventID":"e0"}"#),
        ("edgeDeviceDetails", r#"{"type":"outpost"}"#),
        ("insightDetails", r#"{"state":"Start"}"#),
        ("eventContext", r#"{"requestContext":{"aws:SourceVpc":"vpc-1"},"tagContext":{"principalTags":{"team":"blue"},"resourceTags":[{"arn":"arn:r","tags":{"env":"prod","tier":"1"}}]}}"#),
        ("eventVersion", "1.11"),
        ("apiVersion", "2006-03-01"),
        ("eventType", "AwsApiCall"),
        ("requestID", "req-5"),
        ("sharedEventID", "shared-5"),
        ("vpcEndpointId", "vpce-5"),
        ("vpcEndpointAccountId", "777788889999"),
        ("userAgent", "aws-cli/2"),
        // A payload that is no object, as a few services send.
        ("requestParameters", r#""just text""#),
    ]
    .into_iter()
    .fold(
        Event::new("e5", "2024-06-02T12:30:00Z", "config.amazonaws.com", "PutEvaluations"),
        |event, (column, value)| event.with(column, value),
    )
}

#[tokio::test]
async fn every_file_of_statements_has_the_expected_answers() {
    let lake = TestLake::with(&[&story()[..3], &story()[3..]]).await;
    lake.commit("default", &[], &[br#"{"eventSource":"kms.amazonaws.com"}"#]).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/queries/lake");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "slt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .slt files in {folder}");
    let mut failures = Vec::new();
    for file in files {
        let records = sqllogictest::parse_file::<DefaultColumnType>(&file).unwrap();
        let engine = lake.engine().await;
        let mut runner = Runner::new(|| async { Ok(Database(engine.clone())) });
        for record in records {
            if let Err(error) = runner.run_async(record).await {
                failures.push(error.display(false).to_string());
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
