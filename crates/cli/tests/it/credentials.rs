//! Where credentials for a bucket come from: each of the ways that the AWS CLI knows, asked of a
//! double on this machine.

use std::process::Command;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use traillake_testkit::s3::{ACCESS_KEY, SECRET_KEY};

use crate::buckets::World;
use crate::double;
use crate::folder::{BINARY, Ran};

/// The role that everybody may assume, and the id that it asks strangers for.
const ROLE: &str = "arn:aws:iam::111122223333:role/reader";
/// The file in which the AWS CLI keeps the session `corp`, by the SHA-1 of that name.
const SESSION: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

/// How long an instance's token holds, in seconds.
const HOLDS: &str = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600";

/// STS, single sign-on, and what containers and instances ask. Each gives the S3's key, with a
/// session token that tells who gave it.
struct Issuer {
    url: String,
    /// What was asked: the first line, the headers and the body of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    fn start() -> Issuer {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = asked.clone();
        let url = double::play(HOLDS, move |request| {
            shared.lock().unwrap().push(format!("{}{}", request.head, request.body));
            issued(&request.head, &request.body).map_or((404, String::new()), |told| (200, told))
        });
        Issuer { url, asked }
    }

    /// What was asked since the last call.
    fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).join("\n")
    }
}

fn issued(head: &str, body: &str) -> Option<String> {
    let until = Utc::now() + TimeDelta::hours(1);
    let (method, rest) = head.split_once(' ')?;
    let path = rest.split([' ', '?']).next()?;
    Some(match (method, path) {
        ("PUT", "/latest/api/token") => "imds".to_owned(),
        ("GET", "/latest/meta-data/iam/security-credentials/") => "reader".to_owned(),
        ("GET", "/latest/meta-data/iam/security-credentials/reader") => key("an-instance", until),
        ("GET", "/of-the-container") => key("a-container", until),
        ("GET", "/federation/credentials") => json!({"roleCredentials": {
            "accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY,
            "sessionToken": "of-a-sign-on", "expiration": until.timestamp_millis(),
        }})
        .to_string(),
        ("POST", "/") if body.contains("Action=AssumeRoleWithWebIdentity&") => {
            assumed("AssumeRoleWithWebIdentity", "a-web-identity", until)
        }
        ("POST", "/") if body.contains("Action=AssumeRole&") => {
            assumed("AssumeRole", "a-role", until)
        }
        _ => return None,
    })
}

/// Credentials as instances, containers and processes are told them.
fn key(who: &str, until: DateTime<Utc>) -> String {
    json!({
        "Version": 1, "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": Utc::now(),
        "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY,
        "Token": format!("of-{who}"), "SessionToken": format!("of-{who}"), "Expiration": until,
    })
    .to_string()
}

/// Credentials as STS tells them.
fn assumed(action: &str, who: &str, until: DateTime<Utc>) -> String {
    let until = until.to_rfc3339();
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><AssumedRoleId>AROA:me</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{ACCESS_KEY}</AccessKeyId>\
         <SecretAccessKey>{SECRET_KEY}</SecretAccessKey><SessionToken>of-{who}</SessionToken>\
         <Expiration>{until}</Expiration></Credentials></{action}Result></{action}Response>"
    )
}

/// Runs `ingest s3://trail` in the world, with what a test sets and no other credentials.
fn ingest(world: &World, issuer: &Issuer, args: &[&str], set: &[(&str, &str)]) -> Ran {
    let mut command: Command = world.here.command(BINARY);
    command
        .args(["ingest", "s3://trail"])
        .args(args)
        .env("AWS_ENDPOINT_URL_S3", world.s3.endpoint())
        .env("AWS_ENDPOINT_URL_STS", &issuer.url)
        .env("AWS_ENDPOINT_URL_SSO", &issuer.url)
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(set.iter().copied());
    Ran::of(&command.output().unwrap())
}

/// Keeps the session `corp` of somebody who has signed on until then.
fn sign_on(world: &World, until: DateTime<Utc>) {
    let session = json!({
        "startUrl": "https://corp.awsapps.com/start", "region": "eu-west-1",
        "accessToken": "signed-on", "expiresAt": until.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    world.here.write(&format!("home/{SESSION}"), session.to_string());
}

#[test]
fn credentials_come_from_wherever_the_aws_cli_has_them() {
    let world = World::new();
    let issuer = Issuer::start();
    let own = [("AWS_ACCESS_KEY_ID", "AKIAOTHER"), ("AWS_SECRET_ACCESS_KEY", "other")];
    let file = |name: &str| world.here.path(name).to_str().unwrap().to_owned();
    world.here.write("identity", "who-i-am");
    world.here.write("told.json", key("a-process", Utc::now() + TimeDelta::hours(1)));
    sign_on(&world, Utc::now() + TimeDelta::hours(1));
    let profiles = format!(
        "[profile told]\ncredential_process = cat {}\n\
         [profile corp]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = reader\n\
         [sso-session corp]\nsso_region = eu-west-1\n\
         sso_start_url = https://corp.awsapps.com/start\n\
         [profile keys]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n\
         [profile chained]\nrole_arn = {ROLE}\nsource_profile = keys\nexternal_id = of-profile\n\
         [profile bare]\nregion = eu-west-1\n",
        file("told.json")
    );
    world.here.write("home/.aws/config", profiles);
    let check = |args: &[&str], set: &[(&str, &str)], who: &str, asked: &[&str]| {
        let ran = ingest(&world, &issuer, args, set).done();
        assert!(ran.stdout.contains("141 "), "{who}: {}", ran.stdout);
        let tokens = world.s3.asked_with("x-amz-security-token");
        let of = |(_, token): &(_, Option<String>)| token.as_deref() == Some(who);
        assert!(!tokens.is_empty() && tokens.iter().all(of), "{who}: {tokens:?}");
        let all = issuer.asked();
        for part in asked {
            assert!(all.contains(part), "{who}: no `{part}` in {all}");
        }
    };

    let session = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SESSION_TOKEN", "of-a-session"),
    ];
    check(&[], &session, "of-a-session", &[]);
    check(&["--profile", "told"], &[], "of-a-process", &[]);
    check(&[], &[("AWS_PROFILE", "told")], "of-a-process", &[]);
    let asked = ["/federation/credentials?", "account_id=111122223333", "signed-on"];
    check(&["--profile", "corp"], &[], "of-a-sign-on", &asked);
    check(&["--profile", "chained"], &[], "of-a-role", &["ExternalId=of-profile"]);
    let role = ["--role-arn", ROLE, "--external-id", "for-you"];
    check(&role, &own, "of-a-role", &["ExternalId=for-you", "Credential=AKIAOTHER/"]);
    let both = ["--profile", "corp", "--role-arn", ROLE];
    check(&both, &[], "of-a-role", &["/federation/credentials?", "RoleSessionName=traillake-"]);
    let (identity, container) = (file("identity"), format!("{}/of-the-container", issuer.url));
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", identity.as_str()), ("AWS_ROLE_ARN", ROLE)];
    check(&[], &web, "of-a-web-identity", &["WebIdentityToken=who-i-am"]);
    check(&[], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)], "of-a-container", &[]);
    // A profile that is named beats keys in the environment, also one that has none of its own.
    check(&["--profile", "told"], &own, "of-a-process", &[]);
    check(&["--profile", "chained"], &own, "of-a-role", &["ExternalId=of-profile"]);
    let machine = [own[0], own[1], ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str())];
    check(&["--profile", "bare"], &machine, "of-a-container", &[]);
    let instance = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", issuer.url.as_str()),
    ];
    check(&[], &instance, "of-an-instance", &["x-aws-ec2-metadata-token: imds"]);
}

#[test]
fn a_sign_on_that_is_over_says_how_to_sign_on_again() {
    let world = World::new();
    let issuer = Issuer::start();
    sign_on(&world, Utc::now() - TimeDelta::hours(1));
    let profile = "[profile corp]\nsso_session = corp\nsso_account_id = 111122223333\n\
                   sso_role_name = reader\n[sso-session corp]\nsso_region = eu-west-1\n\
                   sso_start_url = https://corp.awsapps.com/start\n";
    world.here.write("home/.aws/config", profile);
    for (args, env) in [(&["--profile", "corp"][..], &[][..]), (&[], &[("AWS_PROFILE", "corp")])] {
        let said = ingest(&world, &issuer, args, env).exited(2).stderr;
        assert!(said.contains("the SSO session has expired"), "{said}");
        assert!(said.contains("`aws sso login --profile corp`"), "{said}");
    }
    assert!(!world.here.path("lake").exists());
}

#[test]
fn a_profile_that_is_nowhere_is_named_and_nobody_else_is_asked() {
    let world = World::new();
    let issuer = Issuer::start();
    let keys = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let named = ("AWS_PROFILE", "nope");
    let words = "error: there is no profile `nope` in the AWS configuration files\n";
    for config in [None, Some("[profile corp]\nregion = eu-west-1\n")] {
        if let Some(config) = config {
            world.here.write("home/.aws/config", config);
        }
        for set in [&keys[..0], &keys[..]] {
            let said = ingest(&world, &issuer, &["--profile", "nope"], set).exited(2).stderr;
            assert!(said.starts_with(words), "{said}");
        }
        let said = ingest(&world, &issuer, &[], &[named]).exited(2).stderr;
        assert!(said.starts_with(words), "{said}");
    }
    assert_eq!(issuer.asked(), "");
    assert!(!world.here.path("lake").exists());
    // Keys of the environment need no profile.
    ingest(&world, &issuer, &[], &[&keys[..], &[named]].concat()).done();
}
