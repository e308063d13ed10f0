//! A query and its client: pages are made one ahead of what was asked for, each can be asked for
//! again until the next one is, and a client that went away is noticed.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use traillake_query::Statistics;
use uuid::Uuid;

use super::faults::{Fault, Shift};
use super::pages::{Document, Pages, Phase, Rows};
use crate::error::{Error, Result};
use crate::queries::Running;

/// For so long a request waits for something new.
const WAIT: Duration = Duration::from_secs(1);
/// For so long the last page can be asked for again.
const LAST_KEPT: Duration = Duration::from_secs(60);

/// All exchanges of a server.
#[derive(Default)]
pub(crate) struct Exchanges {
    open: Mutex<HashMap<Uuid, Arc<Exchange>>>,
}

/// What a request for a page is answered with.
pub(super) enum Asked {
    Page(Bytes),
    /// The page was given, and the client has asked for a later one since.
    Gone,
    /// There is no such page yet.
    Missing,
}

pub(super) struct Exchange {
    pub(super) id: Uuid,
    user: String,
    /// Nobody guesses the address of a page from an id.
    slug: String,
    precise: bool,
    shift: Shift,
    began: Instant,
    asked: Mutex<Instant>,
    made: Mutex<Made>,
    /// Something was made.
    more: Notify,
    /// A page was taken.
    room: Notify,
    given: tokio::sync::Mutex<Given>,
}

/// What is ready to be given.
struct Made {
    phase: Phase,
    columns: Option<String>,
    rows: Option<Rows>,
    ended: Option<std::result::Result<(), Fault>>,
    read: Statistics,
    warnings: Vec<String>,
}

/// What was given last.
struct Given {
    token: u64,
    page: Bytes,
    last: bool,
}

impl Exchanges {
    /// Starts the exchange of query `id`, which `run` runs. A client that asks for nothing for
    /// `gone_after` went away: its query is cancelled.
    pub(super) fn start(
        self: &Arc<Self>,
        id: Uuid,
        user: &str,
        (precise, shift): (bool, Shift),
        gone_after: Duration,
        run: impl Future<Output = Result<Running>> + Send + 'static,
    ) -> Arc<Exchange> {
        let exchange = Arc::new(Exchange {
            id,
            user: user.to_owned(),
            slug: format!("y{}", Uuid::new_v4().simple()),
            precise,
            shift,
            began: Instant::now(),
            asked: Mutex::new(Instant::now()),
            made: Mutex::new(Made {
                phase: Phase::Queued,
                columns: None,
                rows: None,
                ended: None,
                read: Statistics::default(),
                warnings: Vec::new(),
            }),
            more: Notify::new(),
            room: Notify::new(),
            given: tokio::sync::Mutex::new(Given { token: 0, page: Bytes::new(), last: false }),
        });
        locked(&self.open).insert(id, Arc::clone(&exchange));
        let (exchanges, served) = (Arc::clone(self), Arc::clone(&exchange));
        tokio::spawn(async move {
            let ended = tokio::select! {
                biased;
                () = served.gone(gone_after) => Err(Fault::new(
                    "ABANDONED_QUERY",
                    "no page was asked for any more, so the query was cancelled",
                )),
                ended = AssertUnwindSafe(served.make(run)).catch_unwind() => {
                    // Whoever waits for a page must hear of it: nobody else will make one.
                    let broken = |_| Err(Fault::new("GENERIC_INTERNAL_ERROR", "the query broke off"));
                    ended.unwrap_or_else(broken)
                }
            };
            served.end(ended);
            served.gone(gone_after).await;
            locked(&exchanges.open).remove(&id);
        });
        exchange
    }

    /// Returns the exchange with that id and slug, if it is that user's.
    pub(super) fn find(&self, user: &str, id: &str, slug: &str) -> Option<Arc<Exchange>> {
        let id = Uuid::parse_str(id).ok()?;
        let found = locked(&self.open).get(&id).cloned()?;
        (found.user == user && found.slug == slug).then_some(found)
    }
}

impl Exchange {
    /// Makes pages, one ahead of what is asked for. Dropped, it cancels the query.
    async fn make(
        &self,
        run: impl Future<Output = Result<Running>>,
    ) -> std::result::Result<(), Fault> {
        let fault = |error: &Error| Fault::of(error, self.shift);
        let mut pages = Pages::of(run.await.map_err(|error| fault(&error))?, self.precise);
        {
            let mut made = locked(&self.made);
            made.phase = Phase::Running;
            made.columns = Some(pages.columns().to_string());
        }
        self.more.notify_one();
        let cancelled = pages.running().cancellation();
        loop {
            let next = match self.has_room(&cancelled).await {
                Ok(()) => pages.next().await,
                Err(error) => Err(error),
            };
            match next {
                Ok(rows) => {
                    self.tell(pages.running(), rows);
                    if pages.ended() {
                        // The record says so before the client can know.
                        pages.into_running().finished(0).await;
                        return Ok(());
                    }
                }
                Err(error) => {
                    let fault = fault(&error);
                    pages.into_running().failed(&error).await;
                    return Err(fault);
                }
            }
            self.more.notify_one();
        }
    }

    /// Waits until the page made last was taken: the client's pace is the query's.
    async fn has_room(&self, cancelled: &CancellationToken) -> Result<()> {
        while locked(&self.made).rows.is_some() {
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return Err(Error::Cancelled),
                () = self.room.notified() => {}
            }
        }
        Ok(())
    }

    fn tell(&self, running: &Running, rows: Option<Rows>) {
        let (read, warnings) = (running.statistics(), running.warnings());
        let mut made = locked(&self.made);
        (made.read, made.warnings) = (read, warnings);
        made.rows = rows;
    }

    fn end(&self, ended: std::result::Result<(), Fault>) {
        let mut made = locked(&self.made);
        made.phase = if ended.is_ok() { Phase::Finished } else { Phase::Failed };
        made.ended = Some(ended);
        drop(made);
        self.more.notify_one();
    }

    /// Returns the page of `token`; it waits a moment for something new.
    pub(super) async fn page(&self, token: u64, base: &str) -> Asked {
        let mut given = self.given.lock().await;
        self.touch();
        if token == given.token && !given.page.is_empty() {
            return Asked::Page(given.page.clone());
        }
        if token <= given.token {
            return Asked::Gone;
        }
        if token != given.token + 1 || given.last {
            return Asked::Missing;
        }
        let deadline = tokio::time::sleep(WAIT);
        tokio::pin!(deadline);
        while !self.has_news() {
            tokio::select! {
                () = self.more.notified() => {}
                () = &mut deadline => break,
            }
        }
        // From here on nothing waits: a request that breaks off takes no page with it.
        let (page, last) = self.document(token, base);
        *given = Given { token, page: page.clone(), last };
        self.touch();
        Asked::Page(page)
    }

    /// The answer to the statement itself, before anything is known.
    pub(super) fn first(&self, base: &str) -> String {
        let id = self.id.to_string();
        let document = Document {
            next: Some(self.path("queued", 1)),
            phase: Phase::Queued,
            ..self.bare(&id, base)
        };
        document.to_text()
    }

    fn has_news(&self) -> bool {
        let made = locked(&self.made);
        made.rows.is_some() || made.ended.is_some()
    }

    /// Takes what is ready; whether it is the last page.
    fn document(&self, token: u64, base: &str) -> (Bytes, bool) {
        let mut made = locked(&self.made);
        let rows = made.rows.take();
        if rows.is_some() {
            self.room.notify_one();
        }
        let last = made.ended.is_some() && rows.as_ref().is_none_or(Rows::may_be_last);
        // An error is told on a page of its own, behind all rows that came before it.
        let last = last && (rows.is_none() || matches!(made.ended, Some(Ok(()))));
        let id = self.id.to_string();
        let phase = match (last, made.phase) {
            (false, Phase::Finished | Phase::Failed) => Phase::Running,
            (_, phase) => phase,
        };
        let step = if phase == Phase::Queued { "queued" } else { "executing" };
        let document = Document {
            next: (!last).then(|| self.path(step, token + 1)),
            phase,
            columns: made.columns.as_deref(),
            data: rows.as_ref().map(|rows| rows.text.as_str()),
            fault: match (&made.ended, last) {
                (Some(Err(fault)), true) => Some(fault),
                _ => None,
            },
            warnings: &made.warnings,
            read: made.read,
            ..self.bare(&id, base)
        };
        (Bytes::from(document.to_text()), last)
    }

    fn bare<'a>(&self, id: &'a str, base: &'a str) -> Document<'a> {
        Document {
            elapsed_millis: self.began.elapsed().as_millis() as u64,
            ..Document::of(id, base)
        }
    }

    fn path(&self, step: &str, token: u64) -> String {
        format!("/v1/statement/{step}/{}/{}/{token}", self.id, self.slug)
    }

    /// The client is there.
    pub(super) fn touch(&self) {
        *locked(&self.asked) = Instant::now();
    }

    /// Waits until the client went away: no request came for `gone_after`, or not for a while since
    /// the last page was given, and none waits.
    async fn gone(&self, gone_after: Duration) {
        loop {
            let limit = match self.given.try_lock() {
                Ok(given) if given.last => Some(gone_after.min(LAST_KEPT)),
                Ok(_) => Some(gone_after),
                Err(_) => None,
            };
            let idle = locked(&self.asked).elapsed();
            match limit.map(|limit| limit.saturating_sub(idle)) {
                Some(Duration::ZERO) => return,
                rest => tokio::time::sleep(rest.unwrap_or(WAIT).min(LAST_KEPT)).await,
            }
        }
    }
}

/// What is behind the lock is whole between any two statements, also when a thread has panicked.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
