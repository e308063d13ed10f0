//! Following: what is new is brought in, again and again, until somebody asks to stop.
//!
//! A source is looked at every so often; one with a queue is told what is new, and looked at all the
//! same, rarely: a message may be lost. The ledger alone decides what is new, so that messages may
//! come twice, late or in any order.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use tokio::task::JoinHandle;
use traillake_ingest::{CancelFlag, FaultKind};
use traillake_server::{Followed, FollowedSource};
use traillake_store::{Lake, UpkeepOptions};

use super::stored::{self, Note, StoredSource};
use super::{Intake, Taken, run, spelled};
use crate::buckets;
use crate::failure::Rendered;
use crate::interrupt::Interrupt;
use crate::output::{Report, ReportFormat};
use crate::quantities::{count_of, show_count, show_duration};
use crate::queues::{Message, Queue};
use crate::session::Session;
use crate::talk::Talk;
use crate::upkeep::{self, How};

/// How many days back a look goes: CloudTrail delivers within minutes, but may be days late.
const DAYS_BACK: i64 = 3;
/// How often everything is looked at, for what comes later still.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How often the lake is tended: a round a minute leaves sixty small files by then.
const UPKEEP_EVERY: Duration = Duration::from_secs(3_600);
/// How often a source with a queue is looked at.
const LOOK_EVERY_BESIDE_QUEUE: Duration = Duration::from_secs(3_600);
/// Refused messages that are remembered, to count each once.
const REFUSED_MAX: usize = 10_000;
/// The longest that SQS lets us wait for a message.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What all followers share.
pub struct Following<'a> {
    /// The session.
    pub session: &'a Session,
    /// Where to.
    pub lake: &'a Lake,
    /// The time between two looks.
    pub every: Duration,
    /// Who hears how it goes.
    pub listener: Hearing<'a>,
    /// Is raised when somebody asks to stop.
    pub cancel: &'a CancelFlag,
    /// Who asks to stop.
    pub interrupt: &'a Interrupt,
}

/// Who hears how it goes.
pub enum Hearing<'a> {
    /// Whoever typed the command: what came is printed, and what is wrong with the first look is
    /// wrong with the command.
    Command(ReportFormat),
    /// Who asks a server: it says what came, and goes on whatever fails.
    Server(&'a Followed),
}

/// One source that is followed.
struct Follower {
    store: String,
    intake: Intake,
    queue: Option<Queue>,
    looked: Option<Instant>,
    swept: Option<Instant>,
    note: Note,
    /// Ids of the messages that were refused; they come again and again.
    refused: HashSet<String>,
    counts: Counts,
    /// As the lake keeps it, where the lake was asked.
    kept: Option<StoredSource>,
}

/// What a follower did since it began.
#[derive(Clone, Copy, Default)]
struct Counts {
    looks: u64,
    looks_failed: u64,
    objects: u64,
    records_stored: u64,
}

/// The upkeep of the lake, beside the looks.
struct Tending {
    began: Instant,
    task: Option<JoinHandle<()>>,
}

/// Brings in what is new every [`Following::every`], each intake into its store, until it is
/// interrupted. A look that fails is told and tried again, but for the first.
///
/// # Errors
/// The first look's.
pub async fn follow(
    following: &Following<'_>,
    intakes: Vec<(String, Intake)>,
) -> anyhow::Result<()> {
    let mut followers = Vec::new();
    for (store, intake) in intakes {
        followers.push(Follower::new(following.lake, store, intake).await?);
    }
    let mut tending = Tending::new();
    while following.turn(&mut followers, &mut tending).await?.is_some() {}
    Ok(())
}

/// As [`follow`], of all sources that the lake keeps, as they come and go. Returns when it is
/// interrupted, and for nothing else.
pub async fn follow_stored(following: &Following<'_>, followed: &Followed) {
    let (mut followers, mut tending) = (Vec::new(), Tending::new());
    loop {
        following.renew(&mut followers).await;
        followed.set(followers.iter().map(Follower::told).collect());
        match following.turn(&mut followers, &mut tending).await {
            Ok(None) => return,
            Ok(Some(())) => {}
            Err(error) => {
                following.session.talk.warn(&words_of(&error));
                let pause = tokio::time::sleep(following.every);
                if following.interrupt.unless(pause).await.is_none() {
                    return;
                }
            }
        }
    }
}

impl Following<'_> {
    /// One look at everything, and the pause after it; none when it was interrupted.
    async fn turn(
        &self,
        followers: &mut [Follower],
        tending: &mut Tending,
    ) -> anyhow::Result<Option<()>> {
        for at in 0..followers.len() {
            if followers[at].go(self).await?.is_none() {
                return Ok(None);
            }
            if let Hearing::Server(followed) = self.listener {
                followed.set(followers.iter().map(Follower::told).collect());
            }
        }
        tending.tend_when_due(self);
        // Who waits for messages need not wait besides.
        let waits = followers.iter().any(|follower| follower.queue.is_some());
        let pause = if waits { Duration::ZERO } else { self.every };
        let pause = async {
            match self.listener {
                Hearing::Command(_) => tokio::time::sleep(pause).await,
                Hearing::Server(followed) => {
                    let _ = tokio::time::timeout(pause, followed.asked()).await;
                }
            }
        };
        Ok(self.interrupt.unless(pause).await)
    }

    /// Takes up the sources that the lake keeps now, and leaves those that it does not keep any more.
    async fn renew(&self, followers: &mut Vec<Follower>) {
        let kept = match stored::stored(self.lake).await {
            Ok(kept) => kept,
            Err(error) => return self.session.talk.warn(&words_of(&error)),
        };
        followers.retain(|follower| {
            let same = |(name, source): &(String, StoredSource)| {
                follower.intake.name.as_ref() == Some(name)
                    && follower.kept.as_ref() == Some(source)
            };
            kept.iter().any(same)
        });
        for (name, source) in kept {
            if followers.iter().any(|follower| follower.intake.name.as_ref() == Some(&name)) {
                continue;
            }
            let Some(intake) = source.intake(&name, &Intake::default()) else { continue };
            let checked = intake.check(self.session, self.lake.location()).await;
            let made = match checked {
                Ok(()) => Follower::new(self.lake, source.store.clone(), intake).await,
                Err(error) => Err(error),
            };
            match made {
                Ok(follower) => followers.push(Follower { kept: Some(source), ..follower }),
                Err(error) => {
                    self.session.talk.warn(&format!("source {name}: {}", words_of(&error)));
                }
            }
        }
    }

    /// Tells what a look brought, when it brought something.
    fn tell(&self, source: Option<&str>, taken: &Taken) -> anyhow::Result<()> {
        let Some(report) = report_of(source, taken) else { return Ok(()) };
        match self.listener {
            Hearing::Command(format) => report.print(format, self.session.terminal.stdout),
            Hearing::Server(_) => {
                self.session.talk.say(report.text.trim_end());
                Ok(())
            }
        }
    }
}

impl Tending {
    fn new() -> Tending {
        Tending { began: Instant::now(), task: None }
    }

    /// Beside the looks, which go on meanwhile; wherever it is stopped, the lake is consistent.
    fn tend_when_due(&mut self, following: &Following<'_>) {
        let idle = self.task.as_ref().is_none_or(JoinHandle::is_finished);
        if self.began.elapsed() >= UPKEEP_EVERY && idle {
            let (talk, lake) = (following.session.talk.clone(), following.lake.clone());
            *self = Tending { began: Instant::now(), task: Some(tokio::spawn(tend(talk, lake))) };
        }
    }
}

fn words_of(error: &anyhow::Error) -> String {
    let Rendered { message, causes, .. } = Rendered::of(error);
    [vec![message], causes].concat().join(": ")
}

impl Follower {
    async fn new(lake: &Lake, store: String, intake: Intake) -> anyhow::Result<Follower> {
        let queue = match &intake.sqs {
            Some(url) => Some(Queue::open(url, &intake.buckets).await?),
            None => None,
        };
        let note = match &intake.name {
            Some(name) => Note { refused: 0, ..stored::note_of(lake, name).await? },
            None => Note::default(),
        };
        let (refused, counts) = (HashSet::new(), Counts::default());
        let (looked, swept, kept) = (None, None, None);
        Ok(Follower { store, intake, queue, looked, swept, note, refused, counts, kept })
    }

    /// How it goes, for those who ask a server.
    fn told(&self) -> FollowedSource {
        let Note { looked_at, succeeded_at, failure, objects_failed, backlog, refused, .. } =
            self.note.clone();
        let Counts { looks, looks_failed, objects, records_stored } = self.counts;
        FollowedSource {
            name: self.intake.name.clone().unwrap_or_default(),
            store: self.store.clone(),
            looked_at,
            succeeded_at,
            failure,
            objects_failed,
            backlog,
            refused,
            looks,
            looks_failed,
            objects,
            records_stored,
        }
    }

    /// Looks, if it is time, and takes what the queue tells; none when it was interrupted.
    async fn go(&mut self, following: &Following<'_>) -> anyhow::Result<Option<()>> {
        let every = match &self.queue {
            Some(_) => following.every.max(LOOK_EVERY_BESIDE_QUEUE),
            None => Duration::ZERO,
        };
        if self.looked.is_none_or(|at| at.elapsed() >= every)
            && self.look(following).await?.is_none()
        {
            return Ok(None);
        }
        let Some(queue) = self.queue.clone() else { return Ok(Some(())) };
        match self.take_messages(&queue, following).await {
            Ok(taken) => Ok(taken),
            Err(error) => self.told_failure(following, &error).await,
        }
    }

    async fn look(&mut self, following: &Following<'_>) -> anyhow::Result<Option<()>> {
        let sweeps = self.swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY);
        let look = if sweeps { self.intake.clone() } else { of_late(&self.intake) };
        self.looked = Some(Instant::now());
        match self.bring_in(following, &look).await {
            Ok(taken) if taken.report.cancelled => Ok(None),
            Ok(_) => {
                if sweeps {
                    self.swept = Some(Instant::now());
                }
                Ok(Some(()))
            }
            Err(error) => {
                let is_command = matches!(following.listener, Hearing::Command(_));
                if self.swept.is_none() && is_command {
                    return Err(error);
                }
                self.told_failure(following, &error).await
            }
        }
    }

    async fn bring_in(
        &mut self,
        following: &Following<'_>,
        look: &Intake,
    ) -> anyhow::Result<Taken> {
        let Following { session, lake, cancel, .. } = following;
        let taken = run(session, lake, &self.store, look, None, cancel).await?;
        following.tell(self.intake.name.as_deref(), &taken)?;
        let records = taken.report.records;
        self.counts.looks += 1;
        self.counts.objects += new_objects(&taken);
        self.counts.records_stored += records.stored;
        self.note.of_taken(&taken, Utc::now());
        self.keep_note(following).await;
        Ok(taken)
    }

    async fn keep_note(&self, following: &Following<'_>) {
        stored::keep_note(following.lake, self.intake.name.as_deref(), &self.note).await;
    }

    /// Says that a look failed, and waits for the next; none when it was interrupted.
    async fn told_failure(
        &mut self,
        following: &Following<'_>,
        error: &anyhow::Error,
    ) -> anyhow::Result<Option<()>> {
        let words = words_of(error);
        self.counts.looks += 1;
        self.counts.looks_failed += 1;
        let every = following.every;
        following.session.talk.warn(&format!("{words}; next look in {}", show_duration(every)));
        self.note.of_failure(words, Utc::now());
        self.keep_note(following).await;
        let pause = if self.queue.is_some() { every } else { Duration::ZERO };
        Ok(following.interrupt.unless(tokio::time::sleep(pause)).await)
    }

    /// Brings in what messages name, and removes those whose objects are committed.
    async fn take_messages(
        &mut self,
        queue: &Queue,
        following: &Following<'_>,
    ) -> anyhow::Result<Option<()>> {
        let wait = following.every.min(WAIT_MAX);
        let received = following.interrupt.unless(queue.receive(wait)).await;
        let Some(received) = received else { return Ok(None) };
        let mut messages = received?;
        if messages.is_empty() {
            return Ok(Some(()));
        }
        let _held = queue.hold(&messages);
        self.refuse(&mut messages, following);
        let mut look = self.intake.clone();
        let named = messages.iter().flat_map(|message| message.says.iter().flatten());
        look.arrivals = named.cloned().collect();
        look.arrivals.sort();
        look.arrivals.dedup();
        let left = match look.arrivals.is_empty() {
            true => Vec::new(),
            false => {
                let taken = self.bring_in(following, &look).await?;
                if taken.report.cancelled {
                    return Ok(None);
                }
                if taken.report.faults_total > taken.report.faults.len() as u64 {
                    return Ok(Some(())); // which objects are left is not known: all come again
                }
                left_of(&taken)
            }
        };
        let is_done = |message: &&Message| {
            message.says.as_ref().is_ok_and(|named| {
                let uris = named.iter().map(|of| format!("s3://{}/{}", of.bucket, of.key));
                uris.into_iter().all(|uri| !left.contains(&uri))
            })
        };
        let done: Vec<&Message> = messages.iter().filter(is_done).collect();
        queue.delete(&done).await?;
        self.note.backlog = queue.backlog().await.ok();
        self.keep_note(following).await;
        Ok(Some(()))
    }

    /// Makes messages that cannot be read, or name what is not configured, say why.
    fn refuse(&mut self, messages: &mut [Message], following: &Following<'_>) {
        let sources = &self.intake.sources;
        for message in messages {
            let stranger = message.says.iter().flatten().find(|of| {
                !sources.iter().any(|source| buckets::holds(source, &of.bucket, &of.key))
            });
            if let Some(of) = stranger {
                let (bucket, key) = (&of.bucket, &of.key);
                message.says = Err(format!("it names `s3://{bucket}/{key}`, which is no source"));
            }
            let Err(reason) = &message.says else { continue };
            if self.refused.len() >= REFUSED_MAX || !self.refused.insert(message.id.clone()) {
                continue;
            }
            self.note.refused += 1;
            if self.note.refused == 1 {
                following.session.talk.warn(&format!(
                    "a message is refused and stays in the queue: {reason}; further ones are only \
                     counted"
                ));
            }
            tracing::warn!(reason, refused = self.note.refused, "a message is refused");
        }
    }
}

/// Returns the objects that a look was to take in and did not, by their URL. What has vanished will
/// not come back, and what was rejected is in the ledger.
fn left_of(taken: &Taken) -> Vec<String> {
    let kept = [FaultKind::Unreadable, FaultKind::Changed, FaultKind::Archived];
    let faults = taken.report.faults.iter().filter(|fault| kept.contains(&fault.kind));
    faults.map(|fault| fault.object.clone()).collect()
}

/// Does the upkeep that is due, in all stores. What fails is told, and tried again next time.
async fn tend(talk: Talk, lake: Lake) {
    let tell = |error: anyhow::Error| talk.warn(&format!("upkeep: {}", words_of(&error)));
    let options = UpkeepOptions::default();
    let stores = match lake.stores().await {
        Ok(stores) => stores,
        Err(error) => return tell(error.into()),
    };
    for store in stores {
        match upkeep::tend(&lake, &store, &options, How::Alone).await {
            Ok(tended) => {
                tended.problems().for_each(|problem| talk.warn(&format!("upkeep: {problem}")));
            }
            Err(error) => tell(error),
        }
    }
    if let Err(error) = lake.sweep(Utc::now() - options.grace).await {
        tell(error.into());
    }
}

/// Returns the same intake for the last days only.
fn of_late(intake: &Intake) -> Intake {
    let mut look = intake.clone();
    let since = Utc::now() - TimeDelta::days(DAYS_BACK);
    look.selection.since = Some(look.selection.since.map_or(since, |own| own.max(since)));
    look
}

fn new_objects(taken: &Taken) -> u64 {
    let objects = taken.report.objects;
    objects.logs() - objects.known - objects.unreached
}

/// What a look brought; none when it brought nothing.
fn report_of(source: Option<&str>, taken: &Taken) -> Option<Report> {
    let (new, records) = (new_objects(taken), taken.report.records);
    if new == 0 {
        return None;
    }
    let at = spelled(Utc::now());
    let name = source.map_or(String::new(), |name| format!("{name}: "));
    let text = format!(
        "{at}  {name}{}, {} = {} stored + {} others\n",
        count_of(new, "object"),
        count_of(records.records, "record"),
        show_count(records.stored),
        show_count(records.records - records.stored),
    );
    let json = match source {
        Some(source) => json!({"at": at, "source": source, "report": taken.report}),
        None => json!({"at": at, "report": taken.report}),
    };
    Some(Report { text, json })
}
