//! One source that is followed: looks, messages and sweeps, beside one another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, watch};
use traillake_store::Lake;

use super::fares::{Fares, report_of};
use super::stop::Stop;
use super::{Following, Hearing, words_of};
use crate::intake::stored::{self, Note, StoredSource};
use crate::intake::{Intake, Taken, run};
use crate::quantities::show_duration;
use crate::queues::Queue;

/// The longest pause after a sweep that failed.
const SWEEP_AGAIN_MAX: Duration = Duration::from_secs(3_600);
/// How often a source with a queue is looked at: a message may be lost.
const LOOK_EVERY_BESIDE_QUEUE: Duration = Duration::from_secs(3_600);

/// One source that is followed.
pub(super) struct Follower {
    store: String,
    pub(super) intake: Intake,
    /// As the lake keeps it, where the lake was asked.
    kept: Option<StoredSource>,
    /// The queue that it has, once it was found.
    queue: OnceCell<Queue>,
    /// Whether its source has been seen to be there, and the lake not to lie in it.
    is_checked: AtomicBool,
    fares: Mutex<Fares>,
    /// One note after the other, so that the newest is the last that is kept.
    keeping: tokio::sync::Mutex<()>,
    pub(super) stop: Stop,
    /// Why what came could not be printed. Nobody hears any more, and it has been asked to stop.
    unprinted: Mutex<Option<anyhow::Error>>,
}

impl Follower {
    pub(super) async fn new(
        lake: &Lake,
        store: String,
        intake: Intake,
        kept: Option<StoredSource>,
    ) -> anyhow::Result<Follower> {
        let note = match &intake.name {
            Some(name) => stored::note_of(lake, name).await?,
            None => Note::default(),
        };
        let fares = Mutex::new(Fares::of_note(note));
        let (keeping, stop) = (tokio::sync::Mutex::default(), Stop::default());
        let unprinted = Mutex::default();
        let (queue, is_checked) = (OnceCell::new(), AtomicBool::new(intake.is_checked));
        Ok(Follower { store, intake, kept, queue, is_checked, fares, keeping, stop, unprinted })
    }

    /// Returns the queue that tells of its objects; none where it has none.
    ///
    /// # Errors
    /// As [`Queue::open`].
    pub(super) async fn queue(&self) -> anyhow::Result<Option<&Queue>> {
        let Some(url) = &self.intake.sqs else { return Ok(None) };
        let open = || Queue::open(url, &self.intake.buckets);
        self.queue.get_or_try_init(open).await.map(Some)
    }

    /// Returns its name, where the lake keeps it.
    pub(super) fn name(&self) -> Option<&String> {
        self.intake.name.as_ref()
    }

    /// Returns whether it follows this source, as the lake keeps it now.
    pub(super) fn is_of(&self, name: &str, source: &StoredSource) -> bool {
        self.name().is_some_and(|own| own == name) && self.kept.as_ref() == Some(source)
    }

    /// Asks it to stop.
    pub(super) fn stop(&self) {
        self.stop.ask();
    }

    /// Follows until it is asked to stop, and returns when nothing is under way any more.
    ///
    /// # Errors
    /// The first look's, where that is the command's; why what came could not be printed.
    pub(super) async fn go(self: Arc<Self>, following: Arc<Following>) -> anyhow::Result<()> {
        let (following, asks) = (&*following, following.asks.subscribe());
        self.show(following);
        // Before anything else: it is short, and says what is wrong with a source.
        let pause = match self.first_look(following).await {
            Ok(()) => self.pause(following),
            Err(error) if self.is_command_wrong(following) => return Err(error),
            Err(error) => self.look_failed(following, &error).await,
        };
        let looks = self.looks(following, pause, asks);
        tokio::join!(looks, self.messages(following), self.sweeps(following));
        self.unprinted.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Looks every so often, and when somebody asks.
    async fn looks(
        &self,
        following: &Following,
        mut pause: Duration,
        mut asks: watch::Receiver<()>,
    ) {
        loop {
            let asked = tokio::time::timeout(pause, asks.changed());
            if self.stop.unless(asked).await.is_none() {
                return;
            }
            pause = match self.look(following).await {
                Ok(()) => self.pause(following),
                Err(error) => self.look_failed(following, &error).await,
            };
        }
    }

    fn pause(&self, following: &Following) -> Duration {
        match &self.intake.sqs {
            Some(_) => following.every.max(LOOK_EVERY_BESIDE_QUEUE),
            None => following.every,
        }
    }

    async fn first_look(&self, following: &Following) -> anyhow::Result<()> {
        self.queue().await?;
        self.look(following).await
    }

    /// Returns whether the command is wrong whose first look at this source failed: places that were
    /// typed were meant, and of all sources one must do.
    fn is_command_wrong(&self, following: &Following) -> bool {
        let is_commands = matches!(following.listener, Hearing::Command(_));
        is_commands && (self.name().is_none() || following.starting.first_failed())
    }

    /// Looks at the last days.
    async fn look(&self, following: &Following) -> anyhow::Result<()> {
        self.bring_in(following, of_late(&self.intake, following.days_back)).await?;
        following.starting.went_well();
        Ok(())
    }

    /// Looks at everything at the start and once a day (unless set), each time when no other source does. After
    /// one that failed the pause grows, for it may have listed a large bucket.
    async fn sweeps(&self, following: &Following) {
        let mut again = following.every;
        while let Some(turn) = self.stop.unless(following.sweeping.lock()).await {
            let pause = match self.sweep(following).await {
                Ok(()) => {
                    again = following.every;
                    following.sweep_every
                }
                Err(error) => {
                    let pause = again;
                    again = (2 * again).min(SWEEP_AGAIN_MAX).max(following.every);
                    self.sweep_failed(following, &error, pause).await;
                    pause
                }
            };
            drop(turn);
            self.stop.unless(tokio::time::sleep(pause)).await;
        }
    }

    async fn sweep(&self, following: &Following) -> anyhow::Result<()> {
        let began = Utc::now();
        let everything = Intake { is_sweep: true, ..self.intake.clone() };
        let taken = self.run(following, everything).await?;
        self.fares().swept(&taken, began);
        self.tell(following, &taken).await;
        Ok(())
    }

    /// Brings in what a look, or messages, are about, when it is their turn; nothing when it was
    /// asked to stop before.
    pub(super) async fn bring_in(
        &self,
        following: &Following,
        look: Intake,
    ) -> anyhow::Result<Option<Taken>> {
        let Some(_turn) = self.stop.unless(following.looking.acquire()).await else {
            return Ok(None);
        };
        let taken = self.run(following, look).await?;
        self.fares().looked(&taken);
        self.tell(following, &taken).await;
        Ok(Some(taken))
    }

    /// One run, on a thread of its own: to plan a whole bucket is to compute for long, and who
    /// looks, or serves, must not wait for it. Before the first its source is checked.
    async fn run(&self, following: &Following, intake: Intake) -> anyhow::Result<Taken> {
        let (session, lake) = (following.session.clone(), following.lake.clone());
        let (store, cancel) = (self.store.clone(), self.stop.flag().clone());
        let is_checked = self.is_checked.load(Ordering::Relaxed);
        let unchecked = (!is_checked).then(|| self.intake.clone());
        let runtime = Handle::current();
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                if let Some(unchecked) = unchecked {
                    unchecked.check(&session, lake.location()).await?;
                }
                run(&session, &lake, &store, &intake, None, &cancel).await
            })
        });
        let taken = thread.await??;
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(taken)
    }

    /// Tells how it fares, and what a run brought when it brought something. Where that cannot be
    /// printed the run was none the worse, but there shall be no other.
    async fn tell(&self, following: &Following, taken: &Taken) {
        self.show(following);
        self.keep_note(following).await;
        let Some(report) = report_of(self.intake.name.as_deref(), taken) else { return };
        match following.listener {
            Hearing::Command(format) => {
                if let Err(error) = report.print(format, following.session.terminal.stdout) {
                    let mut unprinted =
                        self.unprinted.lock().unwrap_or_else(PoisonError::into_inner);
                    *unprinted = Some(error);
                    self.stop.ask();
                }
            }
            Hearing::Server(_) => following.session.talk.say(report.text.trim_end()),
        }
    }

    /// Says that a look, or what messages asked for, failed; returns the pause until the next.
    pub(super) async fn look_failed(
        &self,
        following: &Following,
        error: &anyhow::Error,
    ) -> Duration {
        let (words, every) = (words_of(error), show_duration(following.every));
        following.session.talk.warn(&format!("{words}; next look in {every}"));
        self.fares().look_failed(words);
        self.show(following);
        self.keep_note(following).await;
        following.every
    }

    async fn sweep_failed(&self, following: &Following, error: &anyhow::Error, pause: Duration) {
        let (words, pause) = (words_of(error), show_duration(pause));
        following.session.talk.warn(&format!("sweep: {words}; tried again in {pause}"));
        self.fares().sweep_failed(words);
        self.show(following);
        self.keep_note(following).await;
    }

    /// Shows those who ask a server how it fares.
    pub(super) fn show(&self, following: &Following) {
        if let (Hearing::Server(followed), Some(name)) = (&following.listener, self.name()) {
            followed.tell(self.fares().told(name, &self.store));
        }
    }

    /// Keeps in the lake how it fares.
    pub(super) async fn keep_note(&self, following: &Following) {
        let _one_at_a_time = self.keeping.lock().await;
        let note = self.fares().note.clone();
        following.keep_note(self.intake.name.as_deref(), &note).await;
    }

    pub(super) fn fares(&self) -> MutexGuard<'_, Fares> {
        self.fares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the same intake for the last days only.
fn of_late(intake: &Intake, days: u64) -> Intake {
    let mut look = intake.clone();
    let since = Utc::now() - Duration::from_secs(days * 24 * 3_600);
    look.selection.since = Some(look.selection.since.map_or(since, |own| own.max(since)));
    look
}
