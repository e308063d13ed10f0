//! Who acts in the story.

use super::{INTRUDER, LEAKED_KEY, OUTSIDE, PRODUCTION};
use crate::trail::Event;

/// A caller as CloudTrail describes it.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    identity: String,
    address: &'static str,
    agent: &'static str,
    arn: String,
    console: bool,
}

const CI: &str = "aws-cli/2.17.18 md/awscrt#0.20.11 ua/2.0 os/linux#6.5.0 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off";
const KALI: &str = "aws-cli/1.22.34 Python/3.11.8 Linux/6.6.9-kali1-amd64 botocore/1.23.34";
const BATCH: &str = "Boto3/1.34.140 md/Botocore#1.34.140 ua/2.0 os/linux#5.10.219 md/arch#x86_64 lang/python#3.12.4 exec-env/AWS_ECS_FARGATE cfg/retry-mode#standard Botocore/1.34.140";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0";

impl Actor {
    fn user(name: &str, id: &str, key: &str, address: &'static str, agent: &'static str) -> Self {
        let arn = format!("arn:aws:iam::{PRODUCTION}:user/{name}");
        let identity = format!(
            r#"{{"type":"IAMUser","principalId":"{id}","arn":"{arn}","accountId":"{PRODUCTION}","accessKeyId":"{key}","userName":"{name}"}}"#
        );
        Self { identity, address, agent, arn, console: false }
    }

    fn session(role: &str, session: &str, address: &'static str, agent: &'static str) -> Self {
        let arn = format!("arn:aws:sts::{PRODUCTION}:assumed-role/{role}/{session}");
        let (id, key) =
            ("AROADEMO".to_owned() + &token(role), "ASIADEMO".to_owned() + &token(session));
        let console = agent == BROWSER;
        let identity = format!(
            r#"{{"type":"AssumedRole","principalId":"{id}:{session}","arn":"{arn}","accountId":"{PRODUCTION}","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{id}","arn":"arn:aws:iam::{PRODUCTION}:role/{role}","accountId":"{PRODUCTION}","userName":"{role}"}},"attributes":{{"creationDate":"2026-03-11T00:00:00Z","mfaAuthenticated":"{console}"}}}}}}"#
        );
        Self { identity, address, agent, arn, console }
    }

    /// The user of the build server, at the build server.
    pub(super) fn deploy_bot() -> Self {
        Self::user("deploy-bot", "AIDADEMODEPLOYBOT001", LEAKED_KEY, "198.51.100.24", CI)
    }

    /// The same key in other hands.
    pub(super) fn intruder() -> Self {
        Self { address: INTRUDER, agent: KALI, ..Self::deploy_bot() }
    }

    /// The user the intruder makes.
    pub(super) fn new_admin() -> Self {
        let (id, key) = ("AIDADEMOBACKUPADM001", "AKIADEMOBACKUPADM001");
        Self::user("svc-backup-admin", id, key, INTRUDER, KALI)
    }

    /// A user whose key never moves.
    pub(super) fn metrics_exporter() -> Self {
        let (id, key) = ("AIDADEMOMETRICSEX001", "AKIADEMOMETRICSEX001");
        Self::user("metrics-exporter", id, key, "198.51.100.61", BATCH)
    }

    /// The role that makes the payroll files every evening.
    pub(super) fn payroll_batch() -> Self {
        Self::session("payroll-batch", "nightly", "10.20.4.17", BATCH)
    }

    /// The role the intruder takes on.
    pub(super) fn data_export() -> Self {
        Self::session("DataExport", "sync", INTRUDER, KALI)
    }

    /// The person who finds out.
    pub(super) fn security() -> Self {
        let role = "AWSReservedSSO_SecurityAdmin_0123456789abcdef";
        Self::session(role, "alice@example.com", "192.0.2.10", BROWSER)
    }

    /// Somebody else's account.
    pub(super) fn outside_account() -> Self {
        let identity = format!(
            r#"{{"type":"AWSAccount","principalId":"AIDAOUTSIDECOPY00001","accountId":"{OUTSIDE}"}}"#
        );
        let agent = "[aws-cli/2.17.18 md/command#s3.sync]";
        Self { identity, address: "203.0.113.142", agent, arn: String::new(), console: false }
    }

    /// Whoever has the address of an object.
    pub(super) fn anonymous(address: &'static str) -> Self {
        let identity =
            r#"{"type":"AWSAccount","principalId":"","accountId":"anonymous"}"#.to_owned();
        Self { identity, address, agent: "[curl/8.5.0]", arn: String::new(), console: false }
    }

    /// Returns a successful call by this actor, without identifiers yet.
    pub(super) fn calls(&self, time: i64, source: &'static str, name: &'static str) -> Event {
        Event {
            identity: self.identity.clone(),
            address: self.address.to_owned(),
            agent: self.agent.to_owned(),
            account: PRODUCTION.to_owned(),
            from_console: self.console,
            read_only: ["Get", "List", "Describe", "Assume"].iter().any(|v| name.starts_with(v)),
            time,
            source,
            name,
            ..Event::default()
        }
    }

    /// Returns a call that is refused.
    pub(super) fn refused(&self, time: i64, source: &'static str, name: &'static str) -> Event {
        let mut event = self.calls(time, source, name);
        let code = match source {
            "ec2" => "Client.UnauthorizedOperation",
            "iam" | "s3" | "rds" => "AccessDenied",
            _ => "AccessDeniedException",
        };
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let message = format!(
            "User: {} is not authorized to perform: {source}:{name} because no identity-based policy allows the {source}:{name} action",
            self.arn
        );
        event.error = Some((code.to_owned(), message));
        event
    }
}

/// Twelve characters that look like the end of an identifier.
fn token(name: &str) -> String {
    let letters = name.bytes().filter(u8::is_ascii_alphabetic).map(|b| b.to_ascii_uppercase());
    letters.rev().chain(std::iter::repeat(b'0')).take(12).map(char::from).collect()
}
