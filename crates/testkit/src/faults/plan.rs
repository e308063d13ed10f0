//! What goes wrong, and at which step.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use object_store::{Error, ObjectStore, Result};

use super::store::FaultyStore;
use crate::random::Random;

/// Which calls are steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Those that change something: put, part and end of an upload, copy, rename, each delete.
    Changes,
    /// Reads and listings as well.
    All,
}

/// What became of the call during which the process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done and its caller heard so: the process died right after.
    Applied,
    /// It was not done; its caller hears an error.
    NotApplied,
    /// It was done, but its caller hears an error, as of a connection that broke.
    AppliedUnheard,
}

/// What a failing call answers, while the calls after it work again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The object exists already (`AlreadyExists`; what a lost race for a commit looks like).
    Exists,
    /// HTTP 412 (`Precondition`; what S3 says to a conditional PUT that was sent twice).
    Precondition,
    /// HTTP 503 after all retries (`Generic`).
    Busy,
    /// No space left on the device (`Generic` around an `io::Error`).
    Full,
}

/// One thing that goes wrong, at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// From this step on every call fails, as if the process had died.
    Stop(Outcome),
    /// From this step on nothing can be put, as on a disk that is full: uploads and puts answer
    /// [`Reply::Full`]; reading and deleting work.
    Fill,
    /// This call alone fails. With `applied` it was done all the same.
    Fail {
        /// What the caller hears.
        reply: Reply,
        /// Whether the call had its effect.
        applied: bool,
    },
}

/// A plan of faults, shared by every store it [wraps](Faults::wrap): one count of steps over all
/// of them.
///
/// Contract: steps are numbered from 0 in the order their calls are polled; with one task that is
/// the order of the program, so a run repeats exactly. A call that never happens costs no step.
/// Trouble planned for a step strikes once. After a stop nothing reaches the wrapped stores, not
/// even reads and clean-up, and every call answers a `Generic` error of store `faulty`.
#[derive(Debug)]
pub struct Faults {
    counted: Counted,
    planned: Vec<(u64, Trouble)>,
    random: Option<(f64, Mutex<Random>)>,
    every_kind: bool,
    struck: Mutex<Vec<String>>,
    delay: Option<(Duration, Mutex<Random>)>,
    meanwhile: Mutex<Option<Meanwhile>>,
    trace: Mutex<Vec<String>>,
    injected: AtomicU64,
    stopped: AtomicBool,
    full: AtomicBool,
}

/// What somebody else does just before a step.
struct Meanwhile {
    step: String,
    work: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "meanwhile at `{}`", self.step)
    }
}

impl Faults {
    /// Returns a plan without faults, which only counts.
    pub fn none(counted: Counted) -> Self {
        let (trace, planned, meanwhile) = (Mutex::default(), Vec::new(), Mutex::default());
        let (stopped, full) = (AtomicBool::new(false), AtomicBool::new(false));
        let injected = AtomicU64::new(0);
        let (random, delay) = (None, None);
        let (every_kind, struck) = (false, Mutex::default());
        Self {
            counted,
            planned,
            random,
            every_kind,
            struck,
            delay,
            meanwhile,
            trace,
            injected,
            stopped,
            full,
        }
    }

    /// Returns a plan that stops at `step`.
    pub fn stop_at(step: u64, counted: Counted, outcome: Outcome) -> Self {
        Self::none(counted).with(step, Trouble::Stop(outcome))
    }

    /// Adds `trouble` at `step`.
    pub fn with(mut self, step: u64, trouble: Trouble) -> Self {
        self.planned.push((step, trouble));
        self
    }

    /// Makes every step fail with probability `share`: [`Reply::Busy`], done or not done by the
    /// toss of `seed`.
    pub fn with_random_failures(mut self, seed: u64, share: f64) -> Self {
        self.random = Some((share, Mutex::new(Random::new(seed))));
        self
    }

    /// As [`Faults::with_random_failures`], with every reply that a storage may give: busy, a full
    /// disk, and to what was done all the same also that it exists or that a condition failed.
    pub fn with_random_trouble(self, seed: u64, share: f64) -> Self {
        Self { every_kind: true, ..self.with_random_failures(seed, share) }
    }

    /// Makes every step wait first, between nothing and `longest` by `seed`: other tasks get
    /// ahead, as machines far apart do.
    pub fn with_delays(mut self, seed: u64, longest: Duration) -> Self {
        self.delay = Some((longest, Mutex::new(Random::new(seed))));
        self
    }

    /// Lets somebody else work just before the first step that is spelled so (`verb path`): the call
    /// waits until `work` is over. Forces an order that chance seldom makes.
    pub fn with_before(self, step: String, work: impl FnOnce() + Send + 'static) -> Self {
        let meanwhile = Mutex::new(Some(Meanwhile { step, work: Box::new(work) }));
        Self { meanwhile, ..self }
    }

    /// Returns `inner` under this plan.
    pub fn wrap(self: &Arc<Self>, inner: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(FaultyStore::new(inner, self.clone()))
    }

    /// Returns whether the stop has come.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Returns the number of faults so far: stops, calls that failed, calls a full disk refused. What is
    /// asked after a stop is not counted.
    pub fn injected(&self) -> u64 {
        self.injected.load(Ordering::SeqCst)
    }

    /// Returns the number of steps so far.
    pub fn steps(&self) -> u64 {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Returns every step so far as `verb path`, for messages of failing tests and for finding
    /// the number of a step by its name.
    pub fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the steps at which something went wrong, as [`Faults::trace`] tells them.
    pub fn struck(&self) -> Vec<String> {
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the step, says what goes wrong with it, and counts that; `Err` when all is over already.
    async fn enter(&self, verb: &str, path: &Path, change: bool) -> Result<Option<Trouble>> {
        let trouble = self.trouble(verb, path, change).await?;
        if let Some(Trouble::Stop(_) | Trouble::Fail { .. }) = trouble {
            self.injected.fetch_add(1, Ordering::SeqCst);
            let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
            struck.push(format!("{verb} {path}"));
        }
        Ok(trouble)
    }

    async fn trouble(&self, verb: &str, path: &Path, change: bool) -> Result<Option<Trouble>> {
        if let Some((longest, random)) = &self.delay {
            let longest = longest.as_micros() as u64;
            let wait = random.lock().unwrap_or_else(PoisonError::into_inner).below(longest + 1);
            tokio::time::sleep(Duration::from_micros(wait)).await;
        }
        if self.stopped() {
            return Err(dead());
        }
        if !change && self.counted == Counted::Changes {
            return Ok(None);
        }
        self.work_before(&format!("{verb} {path}"));
        let step = {
            let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
            trace.push(format!("{verb} {path}"));
            trace.len() as u64 - 1
        };
        let trouble = self.planned.iter().find(|(at, _)| *at == step).map(|(_, trouble)| *trouble);
        match trouble {
            Some(Trouble::Stop(_)) => self.stopped.store(true, Ordering::SeqCst),
            Some(Trouble::Fill) => self.full.store(true, Ordering::SeqCst),
            Some(Trouble::Fail { .. }) | None => {}
        }
        if self.full.load(Ordering::SeqCst) {
            let puts = change && !matches!(verb, "delete" | "abort");
            return Ok(puts.then_some(Trouble::Fail { reply: Reply::Full, applied: false }));
        }
        Ok(trouble.or_else(|| self.toss()))
    }

    fn work_before(&self, step: &str) {
        let mut meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner);
        let due = meanwhile.take_if(|meanwhile| meanwhile.step == step);
        drop(meanwhile); // the work may come by here itself
        if let Some(Meanwhile { work, .. }) = due {
            work();
        }
    }

    fn toss(&self) -> Option<Trouble> {
        let (share, random) = self.random.as_ref()?;
        let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
        let (fails, applied) = (random.chance(*share), random.chance(0.5));
        let reply = match (self.every_kind, applied) {
            (false, _) => Reply::Busy,
            (true, true) => random.pick(&[Reply::Busy, Reply::Exists, Reply::Precondition]),
            (true, false) => random.pick(&[Reply::Busy, Reply::Full]),
        };
        fails.then_some(Trouble::Fail { reply, applied })
    }
}

/// The plans that stop at step 0, 1, 2, … up to and with the first that never comes to its stop.
///
/// Contract: ask for the next plan only after the run under the last one is over. The loop ends
/// because a run makes a finite number of steps; the last run is whole.
#[derive(Debug)]
pub struct Stops {
    counted: Counted,
    outcome: Outcome,
    next: u64,
    last: Option<Arc<Faults>>,
}

impl Stops {
    /// Returns the plans for steps `counted` so, each with `outcome`.
    pub fn new(counted: Counted, outcome: Outcome) -> Self {
        Self { counted, outcome, next: 0, last: None }
    }
}

impl Iterator for Stops {
    type Item = Arc<Faults>;

    fn next(&mut self) -> Option<Arc<Faults>> {
        if self.last.as_ref().is_some_and(|faults| !faults.stopped()) {
            return None;
        }
        let faults = Arc::new(Faults::stop_at(self.next, self.counted, self.outcome));
        self.next += 1;
        self.last = Some(faults.clone());
        Some(faults)
    }
}

impl Faults {
    /// Runs `call` as one step under the plan.
    pub(super) async fn step<T>(
        &self,
        verb: &str,
        path: &Path,
        change: bool,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.enter(verb, path, change).await? {
            None | Some(Trouble::Stop(Outcome::Applied) | Trouble::Fill) => call.await,
            Some(Trouble::Stop(Outcome::NotApplied)) => Err(dead()),
            Some(Trouble::Stop(Outcome::AppliedUnheard)) => {
                call.await?;
                Err(dead())
            }
            Some(Trouble::Fail { reply, applied }) => {
                if applied {
                    call.await?;
                }
                Err(reply.error(path))
            }
        }
    }
}

impl Reply {
    fn error(self, path: &Path) -> Error {
        let (path, store) = (path.to_string(), "faulty");
        match self {
            Self::Exists => Error::AlreadyExists { path, source: "injected".into() },
            Self::Precondition => Error::Precondition { path, source: "injected 412".into() },
            Self::Busy => Error::Generic { store, source: "injected 503 SlowDown".into() },
            Self::Full => {
                let source = Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
                Error::Generic { store, source }
            }
        }
    }
}

fn dead() -> Error {
    Error::Generic { store: "faulty", source: "the process has died".into() }
}
