//! `traillake find`

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use clap::Args;
use futures::StreamExt as _;
use traillake_query::{Engine, NoteKind};
use traillake_trino::{Parameters, Value};

use crate::answers::{self, Writing};
use crate::engines::{self, Limits};
use crate::failure::{Outcome, Problem};
use crate::iocs::{self, Terms};
use crate::lakes;
use crate::output::Format;
use crate::quantities::count_of;
use crate::session::Session;
use crate::times::window;

/// What can be typed after `traillake find`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake find AKIADEMODEPLOYBOT001
  traillake find 203.0.113.77 svc-backup-admin --since 2026-03-01 --format csv
  echo '203[.]0[.]113[.]77 # exit node' | traillake find -f - --count")]
pub struct FindArgs {
    /// ARNs, access keys, account ids, addresses, ids, names, host names: whole, as they are
    /// spelled; case counts
    #[arg(value_name = "TERM", required_unless_present = "file")]
    terms: Vec<String>,
    /// Look for the indicators of a list: one a line, `#` begins a comment, `hxxp` and `[.]` are
    /// understood; `-` is standard input
    #[arg(short, long, value_name = "IOCS")]
    file: Option<PathBuf>,
    /// Only events at or after this time: `2026-03-11`, `2026-03-11T02:00` (UTC),
    /// `2026-03-11T02:00:00-07:00`, or `30d` for so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time, spelled alike
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A line a term instead: how many events mention it, the first and the last
    #[arg(long)]
    count: bool,
    /// table, vertical, markdown, json, ndjson, csv, tsv, arrow or parquet [default: table on a
    /// terminal, ndjson in a pipe]
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
    /// Write it to a file; its name tells the format
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file of `-o` when it exists
    #[arg(long, requires = "output")]
    force: bool,
}

/// Terms that a sentence names before it counts the rest.
const NAMED_MAX: usize = 5;

/// The name of the column that says which terms an event mentions.
const TERMS: &str = "terms";
/// The name of the column that counts events.
const EVENTS: &str = "events";

/// Shows the events that mention any of the terms, newest first. That no event does is an answer,
/// not a failure: the exit code is 0, and notes say why it may be.
pub async fn run(session: &Session, args: FindArgs) -> anyhow::Result<Outcome> {
    let list = args.file.as_deref().map(read).transpose()?.unwrap_or_default();
    let given = args.terms.iter().map(String::as_str);
    let terms = Terms::of(given.chain(iocs::lines(&list)));
    if terms.terms.is_empty() {
        return Err(Problem::new("there is nothing to look for")
            .hint("give terms, or a list of them with `-f`: one a line")
            .into());
    }
    say_how_read(session, &terms);
    let (since, until) = window(args.since.as_deref(), args.until.as_deref(), session.now)?;
    let limits = Limits { since, until, ..Limits::default() };
    lakes::refuse_inside(session, args.output.as_deref()).await?;
    let lake = lakes::open(session).await?;
    let engine = engines::engine(session, &lake, session.settings.text("store"), limits).await?;
    // A line an event, however wide: a table must not turn by itself.
    let one_line = session.terminal.stdout && args.output.is_none();
    let format = args.format.or(one_line.then_some(Format::Table));
    let writing = Writing {
        format,
        file: args.output,
        force: args.force,
        silent_of_empty: true,
        ..Writing::default()
    };
    let sql = if args.count { counts() } else { events(terms.terms.len() > 1) };
    let parameters = Parameters::from_names([(TERMS, Value::Texts(terms.terms.clone()))]);
    let mut seen = Seen::default();
    let watch = |batch: &RecordBatch| seen.add(batch);
    let outcome = answers::ask_and(session, &engine, &sql, &parameters, &writing, watch).await?;
    if outcome != Outcome::Done {
        return Ok(outcome);
    }
    match args.count {
        false => seen.say_what_is_missing(session, &terms.terms),
        // The answer has lines, so it does not say by itself why they count nothing.
        true if seen.events == 0 => say_why_nothing(session, &engine, &parameters).await?,
        true => {}
    }
    say_what_holds_them_too(session, &engine, &terms.terms).await?;
    Ok(Outcome::Done)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let read = || match file.to_str() {
        Some("-") => {
            let mut list = String::new();
            std::io::stdin().read_to_string(&mut list).map(|_| list)
        }
        _ => std::fs::read_to_string(file),
    };
    read().map_err(|error| {
        Problem::new(format!("could not read `{}`", file.display())).because(error)
    })
}

/// Says where what is looked for is not what was typed, or cannot be found.
fn say_how_read(session: &Session, terms: &Terms) {
    for (given, term) in terms.refanged.iter().take(NAMED_MAX) {
        session.talk.note(&format!("`{given}` is read as `{term}`"));
    }
    if let Some(more) = terms.refanged.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        session.talk.note(&format!("{more} more are read without `[.]`, `hxxp` and the like"));
    }
    if let Some(network) = terms.networks.first() {
        session.talk.warn(&format!(
            "{} not addresses: events are searched for `{network}` as it is written; for addresses \
             in it ask `SELECT * FROM events WHERE \
             contains('{network}', TRY_CAST(sourceIPAddress AS ipaddress))`",
            match terms.networks.len() {
                1 => format!("`{network}` is a network,"),
                many => format!("`{network}` and {} more are networks,", many - 1),
            }
        ));
    }
}

async fn say_why_nothing(
    session: &Session,
    engine: &Engine,
    parameters: &Parameters,
) -> anyhow::Result<()> {
    let mut answer = engine.query(&events(false), parameters).await?;
    while answer.batches.next().await.transpose()?.is_some() {}
    let notes = answer.notes();
    let why = notes.iter().filter(|note| note.kind == NoteKind::Absence);
    why.for_each(|note| session.talk.note(&note.text));
    Ok(())
}

/// What became no event is not found among events: says when its text holds a term.
async fn say_what_holds_them_too(
    session: &Session,
    engine: &Engine,
    terms: &[String],
) -> anyhow::Result<()> {
    let quoted = terms.iter().map(|term| format!("\\Q{}\\E", term.replace("\\E", "\\E\\\\E\\Q")));
    let pattern = Value::Text(quoted.collect::<Vec<_>>().join("|"));
    let pattern = Parameters::from_names([("pattern", pattern)]);
    for (table, what) in
        [("rejects", "records that could not become events"), ("variants", "differing copies")]
    {
        let sql = format!("SELECT count(*) FROM {table} WHERE regexp_like(record, :pattern)");
        let counted = answers::rows(engine, &sql, &pattern).await?;
        let count = counted.into_iter().flatten().next().flatten();
        if let Some(count) = count.filter(|count| count != "0") {
            session.talk.note(&format!("{what} hold such text too: {count} in `{table}`"));
        }
    }
    Ok(())
}

/// The statement whose rows are events. With several terms a column says which of them.
fn events(several: bool) -> String {
    let terms = if several { ", mentioned(:terms) AS terms" } else { "" };
    let found = |table: &str, columns: &str| {
        format!(
            "SELECT eventTime, recipientAccountId AS account, awsRegion AS region, {columns}, \
                    eventID{terms} \
             FROM {table} WHERE mentions_any(:terms)"
        )
    };
    let call = "eventSource, eventName, coalesce(userIdentity.arn, userIdentity.userName, \
                userIdentity.invokedBy, userIdentity.principalId, userIdentity.type) AS principal, \
                sourceIPAddress, errorCode";
    let unusual = "insightEventSource, insightEventName, CAST(NULL AS varchar), \
                   CAST(NULL AS varchar), insightErrorCode";
    let window = "eventSource, CAST(NULL AS varchar), CAST(NULL AS varchar), \
                  CAST(NULL AS varchar), CAST(NULL AS varchar)";
    format!(
        "SELECT * FROM ({} UNION ALL {} UNION ALL {}) ORDER BY eventTime DESC, eventID DESC",
        found("events", call),
        found("insights", unusual),
        found("aggregated", window),
    )
}

/// The statement whose rows are terms.
fn counts() -> String {
    let found = |table: &str| {
        format!(
            "SELECT eventTime, mentioned(:terms) AS terms FROM {table} WHERE mentions_any(:terms)"
        )
    };
    format!(
        "WITH found AS (\
           SELECT term, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last \
           FROM ({} UNION ALL {} UNION ALL {}) AS seen \
           CROSS JOIN UNNEST(seen.terms) AS t(term) GROUP BY term) \
         SELECT wanted.term, coalesce(found.events, 0) AS events, found.first, found.last \
         FROM UNNEST(:terms) WITH ORDINALITY AS wanted(term, place) \
         LEFT JOIN found ON found.term = wanted.term ORDER BY place",
        found("events"),
        found("insights"),
        found("aggregated"),
    )
}

/// What the rows of an answer told.
#[derive(Default)]
struct Seen {
    events: u64,
    terms: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, batch: &RecordBatch) {
        match batch.column_by_name(EVENTS) {
            Some(counts) => {
                let counts = counts.as_primitive_opt::<Int64Type>();
                self.events += counts.into_iter().flatten().flatten().sum::<i64>().unsigned_abs();
            }
            None => self.events += batch.num_rows() as u64,
        }
        let lists = batch.column_by_name(TERMS).and_then(|lists| lists.as_list_opt::<i32>());
        for terms in lists.into_iter().flat_map(|lists| lists.iter()).flatten() {
            let terms = terms.as_string_opt::<i32>();
            self.terms.extend(terms.into_iter().flatten().flatten().map(str::to_owned));
        }
    }

    /// Of several terms, names those that no event mentions.
    fn say_what_is_missing(&self, session: &Session, terms: &[String]) {
        let missing: Vec<&String> =
            terms.iter().filter(|term| !self.terms.contains(*term)).collect();
        if terms.len() == 1 || missing.is_empty() {
            return;
        }
        let named: Vec<String> =
            missing.iter().take(NAMED_MAX).map(|term| format!("`{term}`")).collect();
        let more = match missing.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        session.talk.note(&format!(
            "of {} no event mentions {} of them: {}{more}",
            count_of(terms.len() as u64, "term"),
            missing.len(),
            named.join(", "),
        ));
    }
}
