//! Following: what is new is brought in, again and again, until somebody asks to stop.
//!
//! Each source has a follower, in which three things go on beside one another: *looks* at the last
//! days every so often, *messages* where it has a queue, and *sweeps* of everything, at the start
//! and once a day, unless set otherwise. The ledger alone decides what is new: whatever goes on at once, and whatever
//! messages come twice, late or in any order, everything comes in once.

mod elsewhere;
mod fares;
mod follower;
mod messages;
mod starting;
mod stop;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use traillake_server::{Followed, FollowedSource};
use traillake_store::{Lake, UpkeepOptions};

use super::Intake;
use super::stored::{self, Note, StoredSource};
use crate::failure::{Problem, Rendered};
use crate::interrupt::Interrupt;
use crate::lakes;
use crate::output::ReportFormat;
use crate::quantities::show_duration;
use crate::session::Session;
use crate::threads;
use crate::upkeep::{self, How};

pub use elsewhere::watch_stored;
use fares::Fares;
use follower::Follower;
use starting::Starting;

/// Looks that go on at once. Each may take all the memory that an ingest may take; but a bucket
/// that does not answer must not hold up the others.
const LOOKS_AT_ONCE: usize = 2;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How long a bucket may take to say that it is there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// What all followers share.
pub struct Following {
    session: Session,
    lake: Lake,
    every: Duration,
    /// How many days back a look goes: CloudTrail delivers within minutes, but may be days late.
    days_back: u64,
    /// How often everything is looked at, for what comes later still.
    sweep_every: Duration,
    listener: Hearing,
    /// Turns to look, by a queue's messages too.
    looking: Semaphore,
    /// The turn to sweep. There is one: a sweep may take all the memory that an ingest may take
    /// (512 MB unless set), for days, beside the looks.
    sweeping: Mutex<()>,
    /// Changes when somebody asks for a look at everything.
    asks: watch::Sender<()>,
    /// How the first looks of a command's sources go.
    starting: Starting,
}

/// Who hears how it goes.
pub enum Hearing {
    /// Whoever typed the command: what came is printed, and what is wrong with the first look at each
    /// of its sources, or at places that were typed, is wrong with the command.
    Command(ReportFormat),
    /// Who asks a server: it says what came, and goes on whatever fails.
    Server(Followed),
}

/// Brings in what is new, each intake into its store, until it is interrupted; then returns when
/// what is under way has stopped. A look that fails is told and tried again, but for the first at
/// places that were typed, and the first at the last source where it failed at all others too.
///
/// # Errors
/// That look's.
pub async fn follow(
    following: Following,
    intakes: Vec<(String, Intake)>,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let following = Arc::new(Following { starting: Starting::of(intakes.len()), ..following });
    let mut followers = Followers::default();
    for (store, intake) in intakes {
        let follower = Follower::new(&following.lake, store, intake, None).await?;
        followers.begin(follower, &following);
    }
    let until_one_fails = async {
        while let Some(ended) = followers.tasks.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    let outcome = following.beside_upkeep(interrupt.unless(until_one_fails)).await;
    followers.stop().await;
    outcome.unwrap_or(Ok(()))
}

/// As [`follow`], of all sources that the lake keeps, as they come and go. Returns when it is
/// interrupted, and for nothing else.
pub async fn follow_stored(following: Following, followed: &Followed, interrupt: &Interrupt) {
    let following = Arc::new(following);
    let mut followers = Followers::default();
    let keeps_up = async {
        loop {
            followers.renew(&following, followed).await;
            tokio::select! {
                asked = tokio::time::timeout(following.every, followed.asked()) => {
                    if asked.is_ok() {
                        following.asks.send_replace(());
                    }
                }
                // One that was to leave has left, and its successor begins.
                Some(ended) = followers.tasks.join_next() => {
                    if let Err(error) = ended {
                        following.session.talk.warn(&format!("following broke off: {error}"));
                        tokio::time::sleep(following.every).await;
                    }
                }
            }
        }
    };
    let _: Option<()> = following.beside_upkeep(interrupt.unless(keeps_up)).await;
    followers.stop().await;
}

/// Followers at work.
#[derive(Default)]
struct Followers {
    all: Vec<(Arc<Follower>, AbortHandle)>,
    /// How sources fare that could not be taken up, by name.
    failing: BTreeMap<String, Fares>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Followers {
    fn begin(&mut self, follower: Follower, following: &Arc<Following>) {
        let follower = Arc::new(follower);
        let task = self.tasks.spawn(follower.clone().go(following.clone()));
        self.all.push((follower, task));
    }

    /// Takes up the sources that the lake keeps now, and leaves those that it does not keep any
    /// more. One that it keeps otherwise than before is taken up when it has been left. One that
    /// cannot be taken up is told of as one whose look failed, until it can.
    async fn renew(&mut self, following: &Arc<Following>, followed: &Followed) {
        self.all.retain(|(_, task)| !task.is_finished());
        let kept = match stored::each_stored(&following.lake).await {
            Ok(kept) => kept,
            Err(error) => return following.session.talk.warn(&words_of(&error)),
        };
        for (follower, _) in &self.all {
            // One that cannot be read may be what it was.
            let is_kept = kept.iter().any(|(name, source)| match source {
                Ok(source) => follower.is_of(name, source),
                Err(_) => follower.name() == Some(name),
            });
            if !is_kept {
                follower.stop();
            }
        }
        self.failing.retain(|name, _| kept.iter().any(|(of, _)| of == name));
        for (name, source) in kept {
            if self.all.iter().any(|(follower, _)| follower.name() == Some(&name)) {
                continue;
            }
            // Who may see all stores hears of one that cannot be read.
            let store = source.as_ref().map(|source| source.store.clone()).unwrap_or_default();
            let follower = match source {
                Ok(source) => following.follower(&name, source).await,
                Err(error) => Err(error),
            };
            match follower {
                Ok(follower) => {
                    self.failing.remove(&name);
                    if let Some(follower) = follower {
                        self.begin(follower, following);
                    }
                }
                Err(error) => followed.tell(self.fail(&name, &store, &error, following).await),
            }
        }
        followed.keep(|name| {
            let is_followed = self.all.iter().any(|(of, _)| of.name().is_some_and(|n| n == name));
            is_followed || self.failing.contains_key(name)
        });
    }

    /// Takes in that a source could not be taken up, and returns how it fares.
    async fn fail(
        &mut self,
        name: &str,
        store: &str,
        error: &anyhow::Error,
        following: &Following,
    ) -> FollowedSource {
        let words = words_of(error);
        following.session.talk.warn(&format!("source {name}: {words}"));
        let note = stored::note_of(&following.lake, name).await;
        let fares = self.failing.entry(name.to_owned()).or_default();
        let is_read = note.map(|note| fares.go_on(note)).is_ok();
        fares.look_failed(words);
        // One that could not be read may say when a look ended well: it stays.
        if is_read {
            following.keep_note(Some(name), &fares.note).await;
        }
        fares.told(name, store)
    }

    /// Asks all to stop, and returns when they have.
    async fn stop(mut self) {
        self.all.iter().for_each(|(follower, _)| follower.stop());
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Following {
    /// Returns what followers share that bring logs into `lake`, and look every `every`.
    pub fn new(session: &Session, lake: &Lake, every: Duration, listener: Hearing) -> Following {
        let settings = &session.settings;
        Following {
            session: session.clone(),
            lake: lake.clone(),
            every,
            days_back: settings.count("follow.days-back").unwrap_or(3),
            sweep_every: settings.duration("follow.sweep-every").unwrap_or(DAY),
            listener,
            looking: Semaphore::new(LOOKS_AT_ONCE),
            sweeping: Mutex::new(()),
            asks: watch::Sender::new(()),
            starting: Starting::default(),
        }
    }

    /// A follower of a source that the lake keeps; none where nothing of it is selected. A bucket
    /// that does not answer must not hold up those of the others.
    async fn follower(&self, name: &str, source: StoredSource) -> anyhow::Result<Option<Follower>> {
        let Some(mut intake) = source.intake(name, &Intake::default()) else { return Ok(None) };
        let checked = intake.check(&self.session, self.lake.location());
        match tokio::time::timeout(ANSWERS_WITHIN, checked).await {
            Ok(checked) => checked?,
            Err(_) => {
                let within = show_duration(ANSWERS_WITHIN);
                return Err(Problem::new(format!("nothing answered within {within}")).into());
            }
        }
        intake.is_checked = true;
        let store = source.store.clone();
        let follower = Follower::new(&self.lake, store, intake, Some(source)).await?;
        follower.queue().await?;
        Ok(Some(follower))
    }

    /// Keeps in the lake how a look at a source went. That it cannot be kept is told.
    async fn keep_note(&self, name: Option<&str>, note: &Note) {
        if let Some(error) = stored::keep_note(&self.lake, name, note).await {
            let words = words_of(&error);
            self.session.talk.warn(&format!("how a look went could not be noted: {words}"));
        }
    }

    /// What `work` returns; the lake is tended meanwhile. Wherever that is stopped, the lake is
    /// consistent.
    async fn beside_upkeep<T>(&self, work: impl Future<Output = Option<T>>) -> Option<T> {
        // A round a minute leaves sixty small files in an hour.
        let Some(every) = self.session.settings.duration("maintain.every") else {
            return work.await;
        };
        let tends = async {
            loop {
                tokio::time::sleep(every).await;
                if let Err(error) = threads::giving_way(tend(self.session.clone())).await {
                    self.session.talk.warn(&format!("upkeep: {error}"));
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = tends => None,
        }
    }
}

/// Does the upkeep that is due, in all stores. What fails is told, and tried again next time. The lake
/// is opened anew: what gives way has connections of its own.
async fn tend(session: Session) {
    let talk = &session.talk;
    let tell = |error: anyhow::Error| talk.warn(&format!("upkeep: {}", words_of(&error)));
    let options = UpkeepOptions::default();
    let lake = match lakes::open(&session).await {
        Ok(lake) => lake,
        Err(error) => return tell(error),
    };
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

fn words_of(error: &anyhow::Error) -> String {
    let Rendered { message, causes, .. } = Rendered::of(error);
    [vec![message], causes].concat().join(": ")
}
