//! `traillake serve`

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use traillake_server::auth::FirstCredentials;
use traillake_server::{
    Address, Bucket, Followed, Sample, SampleParameter, Samples, Server, ServerOptions, State, Tls,
    bind,
};
use traillake_store::Lake;

use crate::buckets::{self, BucketArgs};
use crate::config::parse_place;
use crate::engines::{self, Limits};
use crate::failure::{Outcome, Problem};
use crate::intake::{self, Following, Hearing, Intake, stored};
use crate::interrupt::Interrupt;
use crate::lakes;
use crate::machine;
use crate::parameters;
use crate::quantities::{parse_duration, parse_size};
use crate::samples;
use crate::session::Session;
use crate::state::{KEY_FILE, StateArgs, TOKEN_FILE};

/// How long queries under way may go on after somebody asked the server to stop.
const GRACE: Duration = Duration::from_secs(30);

/// What can be typed after `traillake serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake serve
  traillake serve --listen 127.0.0.1:8586 --host lake.example.com --timeout 10m
  traillake serve --listen unix:lake.sock --no-auth")]
pub struct ServeArgs {
    /// Where to listen: an address and a port, or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8585")]
    listen: String,
    /// A name under which clients reach the server; without a port
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// The certificate, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
    /// Let everybody on this machine read, without credentials
    #[arg(long)]
    no_auth: bool,
    /// Speak plain HTTP to other machines: only behind a proxy that speaks TLS
    #[arg(long)]
    insecure: bool,
    /// Bring in what is new at the sources that the lake keeps, again and again
    #[arg(long)]
    follow: bool,
    /// How often to look at them [default: 60s]
    #[arg(long, value_name = "DURATION", requires = "follow", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Statements that run at once [default: two a core]
    #[arg(long, value_name = "N")]
    queries: Option<usize>,
    /// The longest a statement may take
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Memory of all statements together [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// The most rows an answer may have
    #[arg(long, value_name = "N")]
    rows_max: Option<u64>,
    /// A place in S3 that CloudTrail Lake's clients may have answers delivered to
    #[arg(long, value_name = "URL", value_parser = parse_place)]
    deliver_to: Vec<String>,
}

/// Serves until somebody asks it to stop.
pub async fn run(session: &Session, args: ServeArgs) -> anyhow::Result<Outcome> {
    let address = address(&args.listen)?;
    refuse_what_is_open(&address, &args)?;
    let lake = lakes::open(session).await?;
    let store = session.settings.text("store");
    let limits = Limits { memory_bytes: args.memory, ..Limits::default() };
    let engine = engines::engine(session, &lake, store, limits).await?;
    let followed = match args.follow {
        true => Some(check_sources(session, &lake).await?),
        false => None,
    };
    let outbox = places_to_deliver_to(session, &args.deliver_to).await?;
    let state = args.state.open()?;
    let mut options = ServerOptions::new(store, machine::cores(), Arc::new(chrono::Utc::now));
    options.hosts = args.host;
    options.no_auth = args.no_auth;
    options.queries_at_once = args.queries.unwrap_or(options.queries_at_once);
    options.timeout = args.timeout.or_else(|| session.settings.duration("query.timeout"));
    options.rows_max = args.rows_max.or_else(|| session.settings.count("query.rows-max"));
    options.outbox = outbox;
    let watched = Followed::default();
    options.followed = followed.clone();
    options.watched = Some(watched.clone());
    options.samples = Samples {
        all: samples::all().into_iter().map(sample).collect(),
        read_values: Arc::new(parameters::in_order),
    };
    let tls = args.tls_cert.zip(args.tls_key);
    let tls = tls.map(|(certificate, key)| Tls { certificate, key });
    let server = Server::new(engine, state.clone(), options).await?;
    // From here on somebody may ask to stop; before, nothing is under way.
    let interrupt = Interrupt::listen({
        let talk = session.talk.clone();
        move || talk.say("stopping when what is under way is done; again to end now")
    });
    let bound = bind(server, &address, tls.as_ref()).await?;
    let url = match &bound.address {
        Address::Tcp(address) => {
            format!("{}://{address}", if tls.is_some() { "https" } else { "http" })
        }
        Address::Unix(path) => format!("unix:{}", path.display()),
    };
    if !args.no_auth {
        tell_first_credentials(session, &state, &url)?;
    }
    session.talk.say(&format!("listening on {url}"));
    let stop = async {
        interrupt.unless(std::future::pending::<()>()).await;
    };
    let follows = async {
        let Some(followed) = &followed else {
            let _: Option<()> = interrupt.unless(intake::watch_stored(&lake, &watched)).await;
            return;
        };
        let every = args.every.unwrap_or(intake::LOOK_EVERY);
        let listener = Hearing::Server(followed.clone());
        let following = Following::new(session, &lake, every, listener);
        intake::follow_stored(following, followed, &interrupt).await;
    };
    tokio::join!(bound.serve(stop, GRACE), follows);
    Ok(Outcome::Done)
}

/// Refuses what cannot be followed before anybody is served.
async fn check_sources(session: &Session, lake: &Lake) -> anyhow::Result<Followed> {
    let kept = stored::stored(lake).await?;
    if kept.is_empty() {
        return Err(Problem::new("there is nothing to follow: the lake keeps no source")
            .hint("`traillake source add NAME URL`")
            .into());
    }
    for (name, source) in kept {
        if let Some(intake) = source.intake(&name, &Intake::default()) {
            intake.check(session, lake.location()).await?;
        }
    }
    Ok(Followed::default())
}

/// Opens the places that answers may be delivered to. One that holds the lake, or lies in it, is
/// refused: a lake has nothing in it but what is its own.
async fn places_to_deliver_to(session: &Session, given: &[String]) -> anyhow::Result<Vec<Bucket>> {
    let urls = match given {
        [] => session.settings.texts("serve.deliver-to"),
        given => given.to_vec(),
    };
    let lake = session.settings.lake();
    let mut places = Vec::new();
    for url in urls {
        if buckets::overlap(&url, &lake) {
            return Err(Problem::new(format!("`{url}` and the lake at `{lake}` overlap"))
                .hint("deliver answers to a place of their own")
                .into());
        }
        let (objects, _) = buckets::object(&url, &BucketArgs::default()).await?;
        places.push(Bucket::new(&url, objects)?);
    }
    Ok(places)
}

fn address(text: &str) -> anyhow::Result<Address> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Address::Unix(PathBuf::from(path)));
    }
    let found: Option<SocketAddr> =
        text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let problem = || {
        Problem::new(format!("`{text}` is not an address to listen on"))
            .hint("write an address and a port, such as `127.0.0.1:8585`, or `unix:PATH`")
    };
    Ok(Address::Tcp(found.ok_or_else(problem)?))
}

/// Nothing may be asked from another machine without credentials, and no credentials may travel in
/// the clear, unless somebody says that a proxy sees to it.
fn refuse_what_is_open(address: &Address, args: &ServeArgs) -> anyhow::Result<()> {
    if address.is_local() {
        return Ok(());
    }
    let listen = &args.listen;
    if args.no_auth {
        return Err(Problem::new(format!(
            "`--no-auth` would open the lake to all who reach `{listen}`"
        ))
        .hint("listen on 127.0.0.1 or unix:PATH, or leave `--no-auth` out")
        .into());
    }
    if args.tls_cert.is_none() && !args.insecure {
        return Err(Problem::new(format!("`{listen}` can be reached from other machines"))
            .hint(
                "add `--tls-cert FILE --tls-key FILE`, or `--insecure` behind a proxy that speaks TLS",
            )
            .into());
    }
    Ok(())
}

/// Makes the first token and access key, and keeps them where the command line finds them. The token
/// is said once, to who sits at a terminal; everybody else is told its file.
fn tell_first_credentials(session: &Session, state: &State, url: &str) -> anyhow::Result<()> {
    let Some(FirstCredentials { token, key }) = state.first_credentials(session.now)? else {
        return Ok(());
    };
    let token_file = state.write_private(TOKEN_FILE, &format!("{}\n", token.token))?;
    let profile = format!(
        "[traillake]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.id, key.secret
    );
    let key_file = state.write_private(KEY_FILE, &profile)?;
    // Whatever takes what is said where nobody reads it, as systemd's journal, keeps it for others.
    let shown = match session.terminal.stderr {
        true => token.token,
        false => format!("$(cat {})", token_file.display()),
    };
    session.talk.say(&format!(
        "made a token and an AWS-style key for you, kept in\n  {}\n  {}\n\
         try: curl -H \"Authorization: Bearer {shown}\" '{url}/v1/query?sql=SELECT+1'",
        token_file.display(),
        key_file.display(),
    ));
    Ok(())
}

fn sample(sample: samples::Sample) -> Sample {
    let parameter = |parameter: &samples::Parameter| SampleParameter {
        name: parameter.name.to_owned(),
        kind: parameter.kind.word().to_owned(),
        default: parameter.default.map(str::to_owned),
        about: parameter.about.to_owned(),
    };
    Sample {
        name: sample.name.to_owned(),
        title: sample.title.to_owned(),
        question: sample.question.to_owned(),
        sql: sample.sql.to_owned(),
        parameters: sample.parameters.iter().map(parameter).collect(),
    }
}
