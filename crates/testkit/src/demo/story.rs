//! What happened on 11 March 2026, and the ordinary work of the days around it.

use super::cast::Actor;
use super::{BUCKET, OUTSIDE, PRODUCTION, at, identify};
use crate::random::Random;
use crate::trail::Event;

/// When the trail of the account was switched off, and on again.
pub(super) const LOGGING_STOPPED: i64 = at(11, 3, 9, 41);
pub(super) const LOGGING_STARTED: i64 = at(11, 7, 42, 5);

const HOME: &str = "eu-west-1";
const TRAIL: &str = "prod-trail";
const NEW_ADMIN: &str = "svc-backup-admin";
const REGIONS: [&str; 6] =
    ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1"];

/// Returns the events of the story.
pub(super) fn events(random: &mut Random) -> Vec<Event> {
    let mut events = Vec::new();
    for day in 9..=12 {
        work(&mut events, day);
    }
    reconnaissance(&mut events);
    new_admin(&mut events);
    theft(&mut events);
    destruction(&mut events);
    discovery(&mut events);
    for event in &mut events {
        identify(event, random);
    }
    events
}

/// What deploy-bot, the payroll job and the metrics exporter do every day.
fn work(events: &mut Vec<Event>, day: i64) {
    let (bot, batch, exporter) =
        (Actor::deploy_bot(), Actor::payroll_batch(), Actor::metrics_exporter());
    if day < 11 {
        for hour in [9, 16] {
            let begun = at(day, hour, 5, 12);
            events.push(bot.calls(begun, "sts", "GetCallerIdentity"));
            for file in ["index.html", "app.js", "app.css"] {
                let time = begun + 3 + file.len() as i64;
                let put = bot.calls(time, "s3", "PutObject");
                events.push(object_call(put, "example-web-assets", file));
            }
            let mut update = bot.calls(begun + 30, "lambda", "UpdateFunctionCode20150331v2");
            HOME.clone_into(&mut update.region);
            update.request =
                r#"{"functionName":"checkout-api","publish":true,"dryRun":false}"#.to_owned();
            events.push(update);
        }
    }
    for hour in [0, 12] {
        let mut list = exporter.calls(at(day, hour, 30, 2), "monitoring", "ListMetrics");
        HOME.clone_into(&mut list.region);
        list.request = r#"{"namespace":"AWS/ApplicationELB"}"#.to_owned();
        events.push(list);
    }
    if day < 11 {
        let put = batch.calls(at(day, 20, 0, 4), "s3", "PutObject");
        events.push(object_call(put, BUCKET, &daily_key(day)));
        let get = batch.calls(at(day, 20, 0, 9), "s3", "GetObject");
        events.push(object_call(get, BUCKET, "2026/02/payroll-2026-02.csv"));
    }
}

/// The key is tried from a new address: who am I, what is there, what am I allowed.
fn reconnaissance(events: &mut Vec<Event>) {
    let intruder = Actor::intruder();
    let mut time = at(11, 2, 13, 20);
    events.push(intruder.calls(time, "sts", "GetCallerIdentity"));
    for name in ["ListUsers", "ListRoles", "GetAccountAuthorizationDetails", "ListGroups"] {
        time += 3;
        events.push(intruder.refused(time, "iam", name));
    }
    let mut policies = intruder.calls(time + 4, "iam", "ListAttachedUserPolicies");
    policies.request = r#"{"userName":"deploy-bot"}"#.to_owned();
    events.push(policies);
    let mut buckets = intruder.calls(time + 16, "s3", "ListBuckets");
    buckets.request = r#"{"Host":"s3.amazonaws.com"}"#.to_owned();
    events.push(buckets);
    time += 30;
    for region in REGIONS {
        for (source, name) in [
            ("ec2", "DescribeInstances"),
            ("lambda", "ListFunctions20150331"),
            ("secretsmanager", "ListSecrets"),
        ] {
            time += 2;
            let mut event = intruder.refused(time, source, name);
            region.clone_into(&mut event.region);
            events.push(event);
        }
    }
    for bucket in ["example-org-trail", "example-backups", "example-web-assets", BUCKET] {
        time += 4;
        let open = bucket == BUCKET;
        let name = "GetBucketAcl";
        let mut event = if open {
            intruder.calls(time, "s3", name)
        } else {
            intruder.refused(time, "s3", name)
        };
        HOME.clone_into(&mut event.region);
        event.request = format!(
            r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.{HOME}.amazonaws.com","acl":""}}"#
        );
        event.resources = bucket_resource(bucket);
        events.push(event);
    }
    events.push(intruder.refused(time + 9, "organizations", "DescribeOrganization"));
    let mut trails = intruder.calls(time + 15, "cloudtrail", "DescribeTrails");
    HOME.clone_into(&mut trails.region);
    events.push(trails);
}

/// A user of the intruder's own, with every right.
fn new_admin(events: &mut Vec<Event>) {
    let intruder = Actor::intruder();
    let policy = |user: &str| {
        format!(
            r#"{{"userName":"{user}","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}}"#
        )
    };
    let mut own = intruder.refused(at(11, 2, 31, 2), "iam", "AttachUserPolicy");
    own.request = policy("deploy-bot");

    let mut user = intruder.calls(at(11, 2, 32, 40), "iam", "CreateUser");
    user.request = format!(r#"{{"userName":"{NEW_ADMIN}"}}"#);
    user.response = format!(
        r#"{{"user":{{"path":"/","userName":"{NEW_ADMIN}","userId":"AIDADEMOBACKUPADM001","arn":"arn:aws:iam::{PRODUCTION}:user/{NEW_ADMIN}","createDate":"Mar 11, 2026 2:32:40 AM"}}}}"#
    );

    let mut attach = intruder.calls(at(11, 2, 32, 58), "iam", "AttachUserPolicy");
    attach.request = policy(NEW_ADMIN);

    let mut key = intruder.calls(at(11, 2, 33, 15), "iam", "CreateAccessKey");
    key.request = format!(r#"{{"userName":"{NEW_ADMIN}"}}"#);
    key.response = format!(
        r#"{{"accessKey":{{"userName":"{NEW_ADMIN}","accessKeyId":"AKIADEMOBACKUPADM001","status":"Active","createDate":"Mar 11, 2026 2:33:15 AM"}}}}"#
    );
    for mut event in [own, user, attach, key] {
        event.api_version = "2010-05-08";
        event.host = "iam.amazonaws.com".to_owned();
        events.push(event);
    }
    events.push(Actor::new_admin().calls(at(11, 2, 36, 30), "sts", "GetCallerIdentity"));
}

/// Everything in the bucket is read: by the new user, under a role, by another account, and by
/// whoever comes by once it is public.
fn theft(events: &mut Vec<Event>) {
    let admin = Actor::new_admin();
    let mut list = admin.calls(at(11, 2, 46, 10), "s3", "ListObjects");
    list.request = format!(
        r#"{{"list-type":"2","bucketName":"{BUCKET}","encoding-type":"url","prefix":"","Host":"{BUCKET}.s3.{HOME}.amazonaws.com"}}"#
    );
    list.management = false;
    list.resources = bucket_resource(BUCKET);
    HOME.clone_into(&mut list.region);
    events.push(list);
    read_all(events, &admin, at(11, 2, 47, 0), 2);

    let mut role = admin.calls(at(11, 2, 54, 48), "sts", "AssumeRole");
    role.request = format!(
        r#"{{"roleArn":"arn:aws:iam::{PRODUCTION}:role/DataExport","roleSessionName":"sync","durationSeconds":3600}}"#
    );
    role.response = format!(
        r#"{{"credentials":{{"accessKeyId":"ASIADEMOCNYS00000000","expiration":"Mar 11, 2026, 3:54:48 AM"}},"assumedRoleUser":{{"assumedRoleId":"AROADEMOTROPXEATAD00:sync","arn":"arn:aws:sts::{PRODUCTION}:assumed-role/DataExport/sync"}}}}"#
    );
    role.resources = format!(
        r#"[{{"accountId":"{PRODUCTION}","type":"AWS::IAM::Role","ARN":"arn:aws:iam::{PRODUCTION}:role/DataExport"}}]"#
    );
    events.push(role);
    for (number, key) in keys().into_iter().take(6).enumerate() {
        let get = Actor::data_export().calls(at(11, 2, 55, 20 + number as i64), "s3", "GetObject");
        events.push(object_call(get, BUCKET, &key));
    }

    let mut block = admin.calls(at(11, 2, 57, 31), "s3", "DeleteBucketPublicAccessBlock");
    block.request = format!(
        r#"{{"publicAccessBlock":"","bucketName":"{BUCKET}","Host":"{BUCKET}.s3.{HOME}.amazonaws.com"}}"#
    );
    let mut policy = admin.calls(at(11, 2, 58, 3), "s3", "PutBucketPolicy");
    policy.request = format!(
        r#"{{"bucketPolicy":{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/*"}},{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{OUTSIDE}:root"}},"Action":"s3:*","Resource":["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"]}}]}},"bucketName":"{BUCKET}","Host":"{BUCKET}.s3.{HOME}.amazonaws.com","policy":""}}"#
    );
    for mut event in [block, policy] {
        event.resources = bucket_resource(BUCKET);
        HOME.clone_into(&mut event.region);
        events.push(event);
    }
    read_all(events, &Actor::outside_account(), at(11, 3, 0, 7), 1);
    let passers_by = [("192.0.2.199", 1), ("198.51.100.140", 22), ("203.0.113.9", 64)];
    for (address, after) in passers_by {
        let get = Actor::anonymous(address).calls(at(11, 3, 1, after), "s3", "GetObject");
        events.push(object_call(get, BUCKET, &keys()[after as usize % keys().len()]));
    }
}

/// The bucket is emptied and the trail switched off.
fn destruction(events: &mut Vec<Event>) {
    let admin = Actor::new_admin();
    for (number, key) in keys().iter().enumerate() {
        let delete = admin.calls(at(11, 3, 5, 2 * number as i64), "s3", "DeleteObject");
        events.push(object_call(delete, BUCKET, key));
    }
    events.push(trail_call(&admin, LOGGING_STOPPED, "StopLogging"));
}

/// The morning after: the trail is back, the keys are gone.
fn discovery(events: &mut Vec<Event>) {
    let security = Actor::security();
    events.push(trail_call(&security, LOGGING_STARTED, "StartLogging"));
    let mut time = at(11, 7, 44, 20);
    for (name, request) in [
        (
            "UpdateAccessKey",
            r#"{"userName":"deploy-bot","accessKeyId":"AKIADEMODEPLOYBOT001","status":"Inactive"}"#,
        ),
        (
            "DeleteAccessKey",
            r#"{"userName":"svc-backup-admin","accessKeyId":"AKIADEMOBACKUPADM001"}"#,
        ),
        (
            "DetachUserPolicy",
            r#"{"userName":"svc-backup-admin","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#,
        ),
        ("DeleteUser", r#"{"userName":"svc-backup-admin"}"#),
    ] {
        let mut event = security.calls(time, "iam", name);
        request.clone_into(&mut event.request);
        event.api_version = "2010-05-08";
        events.push(event);
        time += 24;
    }
}

fn read_all(events: &mut Vec<Event>, actor: &Actor, begun: i64, pause: i64) {
    for (number, key) in keys().iter().enumerate() {
        let get = actor.calls(begun + pause * number as i64, "s3", "GetObject");
        events.push(object_call(get, BUCKET, key));
    }
}

/// The objects of the bucket: a list and a summary of each month since January 2025, and what the
/// payroll job wrote this week.
fn keys() -> Vec<String> {
    let months = (0..14).map(|month| (2025 + month / 12, 1 + month % 12));
    let kinds = months.flat_map(|month| [(month, "payroll"), (month, "summary")]);
    let old = kinds
        .map(|((year, month), kind)| format!("{year}/{month:02}/{kind}-{year}-{month:02}.csv"));
    old.chain([daily_key(9), daily_key(10)]).collect()
}

/// The object the payroll job writes in the evening of a day.
fn daily_key(day: i64) -> String {
    format!("2026/03/payroll-2026-03-{day:02}.csv")
}

/// Makes a data event on an object of it.
fn object_call(mut event: Event, bucket: &str, key: &str) -> Event {
    event.management = false;
    HOME.clone_into(&mut event.region);
    event.request = format!(
        r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.{HOME}.amazonaws.com","key":"{key}"}}"#
    );
    event.additional = format!(
        r#"{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":{}}}"#,
        if event.read_only { 10_240 + 97 * key.len() } else { 0 }
    );
    event.resources = format!(
        r#"[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{key}"}},{{"accountId":"{PRODUCTION}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}]"#
    );
    event.host = format!("{bucket}.s3.{HOME}.amazonaws.com");
    event
}

fn bucket_resource(bucket: &str) -> String {
    format!(
        r#"[{{"accountId":"{PRODUCTION}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}]"#
    )
}

fn trail_call(actor: &Actor, time: i64, name: &'static str) -> Event {
    let mut event = actor.calls(time, "cloudtrail", name);
    HOME.clone_into(&mut event.region);
    event.request = format!(r#"{{"name":"arn:aws:cloudtrail:{HOME}:{PRODUCTION}:trail/{TRAIL}"}}"#);
    event
}
