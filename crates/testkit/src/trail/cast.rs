//! Who acts: accounts, their people and machines, and how CloudTrail describes each.

use std::fmt::Write;

use super::calls::Caller;
use super::event::{Event, push_time};
use super::template::{PEOPLE, Scene, fill, push_hex, push_letters, push_uuid};
use crate::random::Random;

const CONSOLE: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

const PERSONAL_AGENTS: [&str; 5] = [
    "aws-cli/2.17.18 md/awscrt#0.20.11 ua/2.0 os/macos#23.5.0 md/arch#arm64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#s3.ls",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.2 (+https://www.terraform.io) terraform-provider-aws/5.58.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.1 os/macos lang/go#1.22.5 md/GOOS#darwin md/GOARCH#arm64",
    "Boto3/1.34.140 md/Botocore#1.34.140 ua/2.0 os/linux#6.5.0 md/arch#x86_64 lang/python#3.12.4 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.140",
    "aws-cli/1.22.34 Python/3.10.12 Linux/6.2.0-1017-aws botocore/1.23.34",
    "console.amazonaws.com",
];

const MACHINE_AGENTS: [&str; 7] = [
    "aws-sdk-java/2.26.14 Linux/5.10.218-208.862.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/21.0.3+9-LTS Java/21.0.3 vendor/Amazon.com_Inc. md/internal io/sync http/Apache cfg/retry-mode/standard",
    "aws-sdk-go/1.54.15 (go1.22.5; linux; amd64) amazon-ssm-agent/3.3.1611.0",
    "Boto3/1.34.140 md/Botocore#1.34.140 ua/2.0 os/linux#5.10.219-229.866.amzn2.x86_64 md/arch#x86_64 lang/python#3.12.4 md/pyimpl#CPython exec-env/AWS_Lambda_python3.12 cfg/retry-mode#standard Botocore/1.34.140",
    "aws-sdk-go-v2/1.30.1 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#arm64 api/eks#1.46.0 m/F",
    "aws-sdk-js/3.614.0 ua/2.1 os/linux#5.10.219 lang/js md/nodejs#20.14.0 md/crt-avail api/dynamodb#3.614.0 exec-env/AWS_ECS_FARGATE",
    "awslambda-worker/1.0 rusoto/0.48.0 rust/1.78.0 linux",
    "[aws-internal/3 aws-sdk-java/1.12.750 Linux/5.10.219-208.866.amzn2int.x86_64 OpenJDK_64-Bit_Server_VM/25.412-b09 java/1.8.0_412 vendor/Oracle_Corporation cfg/retry-mode/standard]",
];

/// Returns the 12 digits of account `number` of the trail `seed`; every tenth starts with a zero.
pub(crate) fn account(seed: u64, number: u64) -> String {
    let digits = Random::new(seed ^ 0xACC0).part(number).below(90_000_000_000);
    let first = if number % 10 == 3 { 0 } else { 1 + number % 9 };
    format!("{first}{digits:011}")
}

/// Fills in who made the call: identity, address, user agent, session marks.
pub(crate) fn play(caller: Caller, event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    match caller {
        Caller::Anyone => match random.below(100) {
            0..62 => machine(event, scene, random),
            62..84 => user(event, scene, random),
            84..92 => console_role(event, scene, random),
            92..94 => root(event, scene, random),
            94..96 => identity_center(event, scene, random),
            96..98 => federated(event, scene, random),
            98 => directory(event, scene, random),
            _ => unknown(event, scene, random),
        },
        Caller::Machine => machine(event, scene, random),
        Caller::Console => match random.below(4) {
            0 => root(event, scene, random),
            _ => console_user(event, scene, random),
        },
        Caller::Service(name) => service(event, name, random),
        Caller::Stranger => stranger(event, scene, random),
        Caller::Anonymous => anonymous(event, random),
        Caller::WebIdentity => web_identity(event, scene, random),
        Caller::Saml => saml(event, scene, random),
        Caller::Nobody => nobody(event, scene, random),
    }
}

fn identity(event: &mut Event, scene: &Scene<'_>, random: &mut Random, template: &str) {
    event.identity.clear();
    fill(&mut event.identity, template, scene, random);
}

/// A role's session on an instance, in a function, in a container: some sixty at a time in an
/// account and region, each for six hours, so that the same one comes again and again.
fn machine(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    const HOURS: i64 = 6 * 3600;
    let mut session = scene.place(scene.thing(30, 60));
    let role = scene.role_name(&mut session);
    let (role_id, instance) = (letters(&mut session), session.next());
    let begun = scene.time - scene.time.rem_euclid(HOURS);
    let mut of_run = session.part(begun as u64);
    let key = letters(&mut of_run);
    let (delivered, web) = (session.chance(0.4), session.chance(0.2));
    event.address = inside(&mut session);
    event.agent.push_str(session.pick(&MACHINE_AGENTS));
    if session.chance(0.15) {
        event.endpoint.push_str("vpce-0");
        push_hex(&mut event.endpoint, session.next(), 16);
    }
    let (out, account) = (&mut event.identity, scene.account);
    let _ = write!(
        out,
        r#"{{"type":"AssumedRole","principalId":"AROA{role_id}:i-0{instance:016x}","arn":"arn:aws:sts::{account}:assumed-role/{role}/i-0{instance:016x}","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{role_id}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}}"#
    );
    if web {
        out.push_str(r#","webIdFederationData":{}"#);
    }
    out.push_str(r#","attributes":{"creationDate":""#);
    // Some sessions were renewed within the hour: the date then differs from run to run.
    push_time(out, begun - if random.chance(0.02) { of_run.below(3600) as i64 } else { 0 });
    out.push_str(r#"","mfaAuthenticated":"false"}"#);
    if delivered {
        out.push_str(r#","ec2RoleDelivery":"2.0""#);
    }
    out.push_str("}}");
}

/// An IAM user with a long-lived key.
fn user(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    let (name, mut of_user) = person(scene);
    let (id, key) = (letters(&mut of_user), letters(&mut of_user));
    let account = scene.account;
    event.identity = format!(
        r#"{{"type":"IAMUser","principalId":"AIDA{id}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"AKIA{key}","userName":"{name}"}}"#
    );
    event.address = outside(&mut of_user, random);
    event.agent = random.pick(&PERSONAL_AGENTS).to_string();
}

/// An IAM user signed in to the console.
fn console_user(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    let (name, mut of_user) = person(scene);
    let (id, account) = (letters(&mut of_user), scene.account);
    event.identity = format!(
        r#"{{"type":"IAMUser","principalId":"AIDA{id}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"","userName":"{name}"}}"#
    );
    event.address = outside(&mut of_user, random);
    event.agent = CONSOLE.to_owned();
}

/// A person under a role, through the console.
fn console_role(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    let (name, mut of_user) = person(scene);
    let (key, account) = (letters(random), scene.account);
    let mut begun = String::new();
    push_time(&mut begun, scene.time - random.below(14_400) as i64);
    event.identity = format!(
        r#"{{"type":"AssumedRole","principalId":"AROAADMINISTRATORS00:{name}@example.com","arn":"arn:aws:sts::{account}:assumed-role/AWSReservedSSO_Administrator_0123456789abcdef/{name}@example.com","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAADMINISTRATORS00","arn":"arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Administrator_0123456789abcdef","accountId":"{account}","userName":"AWSReservedSSO_Administrator_0123456789abcdef"}},"attributes":{{"creationDate":"{begun}","mfaAuthenticated":"true"}},"sourceIdentity":"{name}"}}}}"#
    );
    event.address = outside(&mut of_user, random);
    event.agent = CONSOLE.to_owned();
    event.from_console = true;
}

fn root(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    let account = scene.account;
    let mut begun = String::new();
    push_time(&mut begun, scene.time - 600);
    event.identity = format!(
        r#"{{"type":"Root","principalId":"{account}","arn":"arn:aws:iam::{account}:root","accountId":"{account}","accessKeyId":"","sessionContext":{{"sessionIssuer":{{}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{begun}","mfaAuthenticated":"true"}}}}}}"#
    );
    event.address = outside(&mut scene.things.part(21), random);
    event.agent = CONSOLE.to_owned();
}

fn identity_center(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    identity(
        event,
        scene,
        random,
        r#"{"type":"IdentityCenterUser","accountId":"<account>","onBehalfOf":{"userId":"<uuid>","identityStoreArn":"arn:aws:identitystore::<account>:identitystore/d-9067<number>1234"},"credentialId":"<uuid>"}"#,
    );
    event.address = outside(&mut scene.things.part(22), random);
    event.agent = random.pick(&PERSONAL_AGENTS).to_string();
}

fn federated(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    identity(
        event,
        scene,
        random,
        r#"{"type":"FederatedUser","principalId":"<account>:<user>","arn":"arn:aws:sts::<account>:federated-user/<user>","accountId":"<account>","accessKeyId":"ASIA<letters>","sessionContext":{"sessionIssuer":{"type":"IAMUser","principalId":"AIDABROKER0000000000","arn":"arn:aws:iam::<account>:user/broker","accountId":"<account>","userName":"broker"},"attributes":{"creationDate":"<time>","mfaAuthenticated":"false"}}}"#,
    );
    event.address = outside(&mut scene.things.part(23), random);
    event.agent = random.pick(&PERSONAL_AGENTS).to_string();
}

fn directory(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    identity(
        event,
        scene,
        random,
        r#"{"type":"Directory","principalId":"d-9067<number>/<user>","arn":"arn:aws:ds:<region>:<account>:directory/d-9067<number>","accountId":"<account>","userName":"<user>"}"#,
    );
    event.address = outside(&mut scene.things.part(24), random);
    event.agent = random.pick(&PERSONAL_AGENTS).to_string();
}

fn unknown(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    identity(
        event,
        scene,
        random,
        r#"{"type":"Unknown","principalId":"<letters>","accountId":"<account>","userName":"<user>"}"#,
    );
    event.address = "AWS Internal".to_owned();
    event.agent = "AWS Internal".to_owned();
}

fn service(event: &mut Event, name: &str, random: &mut Random) {
    event.identity = format!(r#"{{"type":"AWSService","invokedBy":"{name}.amazonaws.com"}}"#);
    event.address = format!("{name}.amazonaws.com");
    event.agent.clone_from(&event.address);
    push_uuid(&mut event.shared_id, random);
}

fn stranger(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    let id = letters(&mut scene.things.part(25));
    let partner = scene.partner;
    event.identity =
        format!(r#"{{"type":"AWSAccount","principalId":"AROA{id}:sync","accountId":"{partner}"}}"#);
    event.address = outside(&mut scene.things.part(25), random);
    event.agent = random.pick(&MACHINE_AGENTS).to_string();
    push_uuid(&mut event.shared_id, random);
}

fn anonymous(event: &mut Event, random: &mut Random) {
    event.identity = r#"{"type":"AWSAccount","principalId":"","accountId":"anonymous"}"#.to_owned();
    event.address = outside(&mut random.clone(), random);
    event.agent = "[Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0]".into();
}

fn web_identity(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    identity(
        event,
        scene,
        random,
        r#"{"type":"WebIdentityUser","principalId":"arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:repo:example/<function>:ref:refs/heads/main","userName":"repo:example/<function>:ref:refs/heads/main","identityProvider":"arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com"}"#,
    );
    event.address = outside(&mut random.clone(), random);
    event.agent = random.pick(&MACHINE_AGENTS).to_string();
}

fn saml(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    identity(
        event,
        scene,
        random,
        r#"{"type":"SAMLUser","principalId":"Okta:<user>@example.com","userName":"<user>@example.com","identityProvider":"Okta"}"#,
    );
    event.address = outside(&mut scene.things.part(4), random);
    event.agent = CONSOLE.to_owned();
}

/// A service event: no type, only whose account it is, or an `invokedBy` alone.
fn nobody(event: &mut Event, scene: &Scene<'_>, random: &mut Random) {
    let service = event.source;
    event.identity = match random.below(3) {
        0 => String::new(),
        1 => format!(r#"{{"invokedBy":"{service}.amazonaws.com"}}"#),
        _ => {
            format!(r#"{{"accountId":"{}","invokedBy":"{service}.amazonaws.com"}}"#, scene.account)
        }
    };
    event.address = format!("{service}.amazonaws.com");
    event.agent.clone_from(&event.address);
}

/// Returns the person the scene is about and what is always the same about them.
fn person(scene: &Scene<'_>) -> (&'static str, Random) {
    let mut draw = scene.things.part(4);
    let limit = 1 + draw.below(PEOPLE.len() as u64);
    let number = draw.below(limit);
    let account: u64 = scene.account.bytes().fold(7, |sum, b| sum * 10 + u64::from(b - b'0'));
    (PEOPLE[number as usize], Random::new(account).part(number))
}

fn letters(random: &mut Random) -> String {
    let mut letters = String::with_capacity(16);
    push_letters(&mut letters, 16, random);
    letters
}

/// An address inside a network: many of them.
fn inside(random: &mut Random) -> String {
    let host = random.below(1 << 14);
    format!("10.{}.{}.{}", host >> 12, host >> 6 & 63, 4 + (host & 63))
}

/// An address of somebody outside, from the ranges kept for documents (RFC 5737, RFC 3849), mostly
/// the same for the same person.
fn outside(of_person: &mut Random, random: &mut Random) -> String {
    let mut from = if random.chance(0.9) { of_person.clone() } else { random.clone() };
    if from.chance(0.1) {
        return format!("2001:db8:{:x}:{:x}::{:x}", from.below(256), from.below(8), from.below(99));
    }
    let net = from.pick(&["192.0.2", "198.51.100", "203.0.113"]);
    format!("{net}.{}", 1 + from.below(254))
}
