//! `traillake token` and `traillake key`

use std::path::PathBuf;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use traillake_server::auth::Role;
use traillake_server::{Credential, CredentialKind, NewCredential};

use crate::failure::{Outcome, Problem};
use crate::output::{Report, ReportArgs};
use crate::quantities::parse_duration;
use crate::session::Session;
use crate::state::{KEY_FILE, StateArgs, TOKEN_FILE};
use crate::times::show_second;

/// What can be typed after `traillake token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake token add alice --expires 90d
  traillake token add alice && traillake token list
  traillake token add grafana --only default --format json")]
pub struct TokenArgs {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token; it is shown once
    #[command(after_help = "\
Examples:
  traillake token add alice
  traillake token add notebook --expires 7d --only default
  traillake token add ops --role admin --format json")]
    Add(AddArgs),
    /// List the tokens, without their secrets
    #[command(after_help = "\
Examples:
  traillake token add alice && traillake token list
  traillake token add alice && traillake token list --format json
  traillake token add alice --state ./state && traillake token list --state ./state")]
    List(ListArgs),
    /// Take a token away: it is refused from now on
    #[command(after_help = "\
Examples:
  traillake token remove $(traillake token add eve | sed -n 's/^id *//p')
  traillake token remove $(traillake token add bob --expires 1h | sed -n 's/^id *//p')
  traillake token remove --state s $(traillake token add tmp --state s | sed -n 's/^id *//p')")]
    Remove(RemoveArgs),
}

/// What can be typed after `traillake key`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake key add alice
  traillake key add alice && traillake key list
  traillake key add grafana --expires 365d --format json")]
pub struct KeyArgs {
    #[command(subcommand)]
    action: KeyAction,
}

#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Make an AWS-style access key, for AWS's own clients
    #[command(after_help = "\
Examples:
  traillake key add alice
  traillake key add notebook --expires 7d --only default
  traillake key add ops --role admin --format json")]
    Add(AddArgs),
    /// List the access keys, without their secrets
    #[command(after_help = "\
Examples:
  traillake key add alice && traillake key list
  traillake key add alice && traillake key list --format json
  traillake key add alice --state ./state && traillake key list --state ./state")]
    List(ListArgs),
    /// Take an access key away: it is refused from now on
    #[command(after_help = "\
Examples:
  traillake key remove $(traillake key add eve | sed -n 's/.*key_id = //p')
  traillake key remove $(traillake key add bob --expires 1h | sed -n 's/.*key_id = //p')
  traillake key remove --state s $(traillake key add tmp --state s | sed -n 's/.*key_id = //p')")]
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Whom it stands for: queries and their answers belong to this name
    user: String,
    /// What they may do: read, ingest or admin
    #[arg(long, value_enum, default_value_t, value_name = "ROLE", hide_possible_values = true)]
    role: RoleArg,
    /// Only this store; may be repeated [default: all stores]
    #[arg(long, value_name = "STORE")]
    only: Vec<String>,
    /// When it ends, from now
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// Its id
    id: String,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum RoleArg {
    #[default]
    Read,
    Ingest,
    Admin,
}

/// Makes, lists or takes away tokens.
pub fn tokens(session: &Session, args: TokenArgs) -> anyhow::Result<Outcome> {
    match args.action {
        TokenAction::Add(args) => add(session, CredentialKind::Token, &args),
        TokenAction::List(args) => list(session, CredentialKind::Token, &args),
        TokenAction::Remove(args) => remove(session, CredentialKind::Token, &args),
    }
}

/// Makes, lists or takes away access keys.
pub fn keys(session: &Session, args: KeyArgs) -> anyhow::Result<Outcome> {
    match args.action {
        KeyAction::Add(args) => add(session, CredentialKind::AccessKey, &args),
        KeyAction::List(args) => list(session, CredentialKind::AccessKey, &args),
        KeyAction::Remove(args) => remove(session, CredentialKind::AccessKey, &args),
    }
}

fn add(session: &Session, kind: CredentialKind, args: &AddArgs) -> anyhow::Result<Outcome> {
    if args.user.trim().is_empty() {
        return Err(Problem::new("a user needs a name").into());
    }
    let expires_at = args.expires.map(|after| {
        let after = TimeDelta::from_std(after).ok();
        after.and_then(|after| session.now.checked_add_signed(after))
    });
    let expires_at = match expires_at {
        Some(None) => return Err(Problem::new("`--expires` lies too far ahead").into()),
        Some(at) => at,
        None => None,
    };
    let new = NewCredential {
        kind,
        user: args.user.clone(),
        role: match args.role {
            RoleArg::Read => Role::Read,
            RoleArg::Ingest => Role::Ingest,
            RoleArg::Admin => Role::Admin,
        },
        stores: (!args.only.is_empty()).then(|| args.only.clone()),
        expires_at,
    };
    let state = args.list.state.open()?;
    let report = match kind {
        CredentialKind::Token => {
            let issued = state.issue_token(&new, session.now)?;
            Report {
                text: format!("id     {}\ntoken  {}\n", issued.id, issued.token),
                json: json!({"id": issued.id, "user": new.user, "token": issued.token}),
            }
        }
        CredentialKind::AccessKey => {
            let issued = state.issue_key(&new, session.now)?;
            Report {
                text: format!(
                    "aws_access_key_id = {}\naws_secret_access_key = {}\n",
                    issued.id, issued.secret
                ),
                json: json!({"id": issued.id, "user": new.user, "secret": issued.secret}),
            }
        }
    };
    report.print(args.list.report.format, session.terminal.stdout)?;
    session.talk.note("it is not shown again");
    Ok(Outcome::Done)
}

fn list(session: &Session, kind: CredentialKind, args: &ListArgs) -> anyhow::Result<Outcome> {
    let state = args.state.open_existing()?;
    let found = state.credentials(kind)?;
    let file = match kind {
        CredentialKind::Token => TOKEN_FILE,
        CredentialKind::AccessKey => KEY_FILE,
    };
    let file = state.read_private(file)?;
    // The first is in a file, which says its id with its secret.
    let kept_in = |credential: &Credential| -> Option<&PathBuf> {
        let (path, text) = file.as_ref()?;
        text.contains(&credential.id).then_some(path)
    };
    let text = match (found.is_empty(), kind) {
        (false, _) => found.iter().map(|found| line(found, kept_in(found))).collect(),
        (true, CredentialKind::Token) => "no tokens\n".to_owned(),
        (true, CredentialKind::AccessKey) => "no access keys\n".to_owned(),
    };
    let json = found.iter().map(|found| as_json(found, kept_in(found))).collect();
    Report { text, json: Value::Array(json) }.print(args.report.format, session.terminal.stdout)?;
    Ok(Outcome::Done)
}

fn line(credential: &Credential, kept_in: Option<&PathBuf>) -> String {
    let ends = match credential.expires_at {
        Some(at) if at <= Utc::now() => format!("ended {}", show_second(at)),
        Some(at) => format!("until {}", show_second(at)),
        None => "without end".to_owned(),
    };
    let used = match credential.used_at {
        Some(at) => format!("last used {}", show_second(at)),
        None => "never used".to_owned(),
    };
    let stores = match &credential.stores {
        Some(stores) => stores.join(", "),
        None => "all stores".to_owned(),
    };
    let kept = kept_in.map_or_else(String::new, |path| format!("  in {}", path.display()));
    format!(
        "{}  {}  {}  {stores}  {ends}  {used}{kept}\n",
        credential.id,
        credential.user,
        credential.role.word()
    )
}

fn as_json(credential: &Credential, kept_in: Option<&PathBuf>) -> Value {
    json!({
        "id": credential.id,
        "user": credential.user,
        "role": credential.role.word(),
        "stores": credential.stores,
        "created_at": show_second(credential.created_at),
        "expires_at": credential.expires_at.map(show_second),
        "used_at": credential.used_at.map(show_second),
        "kept_in": kept_in.map(|path| path.display().to_string()),
    })
}

fn remove(session: &Session, kind: CredentialKind, args: &RemoveArgs) -> anyhow::Result<Outcome> {
    if !args.state.open_existing()?.remove_credential(kind, &args.id)? {
        return Err(Problem::new(format!("there is none with the id `{}`", args.id))
            .hint("`traillake token list` and `traillake key list` show them")
            .into());
    }
    session.talk.say(&format!("`{}` is refused from now on", args.id));
    Ok(Outcome::Done)
}
