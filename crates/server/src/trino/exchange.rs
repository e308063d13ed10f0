//! A query and its client: pages are made one ahead of what was asked for, each can be asked for
//! again until the next one is, and a client that went away is noticed.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use traillake_query::Statistics;
use uuid::Uuid;

use super::budget::{Kept, Limits, Share};
use super::exchanges::Exchanges;
use super::faults::{Fault, Shift};
use super::pages::{Document, Pages, Phase, Rows};
use crate::error::{Error, Result};
use crate::queries::{Delivery, Running};

/// For so long a request waits for something new.
const WAIT: Duration = Duration::from_secs(1);
/// For so long the last page can be asked for again.
const LAST_KEPT: Duration = Duration::from_secs(60);

/// What a request for a page is answered with.
pub(super) enum Asked {
    Page(Bytes),
    /// The page was given, and the client has asked for a later one since.
    Gone,
    /// There is no such page yet.
    Missing,
}

/// What an exchange is started with.
pub(super) struct Terms {
    /// Times have all their digits.
    pub(super) precise: bool,
    pub(super) shift: Shift,
    /// A client that asks for nothing for so long went away.
    pub(super) gone_after: Duration,
    pub(super) limits: Limits,
    /// What the exchange takes beside its pages.
    pub(super) place: Share,
    /// A stop waits for the last page to be given.
    pub(super) delivery: Delivery,
}

/// A query and its client.
pub(super) struct Exchange {
    pub(super) id: Uuid,
    pub(super) user: String,
    /// Nobody guesses the address of a page from an id.
    slug: String,
    precise: bool,
    shift: Shift,
    gone_after: Duration,
    limits: Limits,
    began: Instant,
    asked: Mutex<Instant>,
    made: Mutex<Made>,
    /// Something was made.
    more: Notify,
    /// A page was taken.
    room: Notify,
    /// The pages were given up.
    lost: CancellationToken,
    given: tokio::sync::Mutex<Given>,
    _place: Share,
}

/// What is ready to be given.
struct Made {
    phase: Phase,
    columns: Option<(String, Share)>,
    /// The share is that of the page that will have them.
    rows: Option<(Rows, Share)>,
    ended: Option<std::result::Result<(), Fault>>,
    read: Statistics,
    warnings: Vec<String>,
    /// Until the last page was given, or nobody wants it.
    delivery: Option<Delivery>,
}

/// What was given last.
struct Given {
    token: u64,
    page: Option<Kept>,
    last: bool,
}

/// Why no further page is made, for the record and for the client.
struct Broken {
    error: Box<Error>,
    fault: Fault,
}

impl Broken {
    fn of(error: Error, shift: Shift) -> Broken {
        let fault = Fault::of(&error, shift);
        Broken { error: Box::new(error), fault }
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Broken {
        Broken { error: Box::new(Error::request(fault.message.clone())), fault }
    }
}

impl Exchange {
    /// Returns the exchange of query `id`, which waits for its turn.
    pub(super) fn new(id: Uuid, user: &str, terms: Terms) -> Exchange {
        let Terms { precise, shift, gone_after, limits, place, delivery } = terms;
        Exchange {
            id,
            user: user.to_owned(),
            slug: format!("y{}", Uuid::new_v4().simple()),
            precise,
            shift,
            gone_after,
            limits,
            began: Instant::now(),
            asked: Mutex::new(Instant::now()),
            made: Mutex::new(Made {
                phase: Phase::Queued,
                columns: None,
                rows: None,
                ended: None,
                read: Statistics::default(),
                warnings: Vec::new(),
                delivery: Some(delivery),
            }),
            more: Notify::new(),
            room: Notify::new(),
            lost: CancellationToken::new(),
            given: tokio::sync::Mutex::new(Given { token: 0, page: None, last: false }),
            _place: place,
        }
    }

    /// Whether it is that user's, and called so.
    pub(super) fn is(&self, user: &str, slug: &str) -> bool {
        self.user == user && self.slug == slug
    }

    /// Makes the pages that `run` gives, and keeps what is left of them until the client went away.
    pub(super) async fn serve(
        &self,
        exchanges: &Exchanges,
        run: impl Future<Output = Result<Running>>,
    ) {
        let ended = tokio::select! {
            biased;
            () = self.gone() => Some(Err(Fault::new(
                "ABANDONED_QUERY",
                "no page was asked for any more, so the query was cancelled",
            ))),
            // Why stands there already.
            () = self.lost.cancelled() => None,
            ended = AssertUnwindSafe(self.make(exchanges, run)).catch_unwind() => {
                // Whoever waits for a page must hear of it: nobody else will make one.
                let broken = |_| Err(Fault::new("GENERIC_INTERNAL_ERROR", "the query broke off"));
                Some(ended.unwrap_or_else(broken))
            }
        };
        if let Some(ended) = ended {
            self.end(ended);
        }
        self.gone().await;
    }

    /// Runs the query to its end, which is remembered. Dropped, it cancels the query.
    async fn make(
        &self,
        exchanges: &Exchanges,
        run: impl Future<Output = Result<Running>>,
    ) -> std::result::Result<(), Fault> {
        let running = run.await.map_err(|error| Fault::of(&error, self.shift))?;
        let mut pages = Pages::of(running, self.precise);
        let made = self.make_pages(exchanges, &mut pages).await;
        let running = pages.into_running();
        // The record says so before the client can know.
        match made {
            Ok(()) => {
                running.finished(0).await;
                Ok(())
            }
            Err(Broken { error, fault }) => {
                running.failed(&error).await;
                Err(fault)
            }
        }
    }

    /// Makes pages, one ahead of what is asked for.
    async fn make_pages(
        &self,
        exchanges: &Exchanges,
        pages: &mut Pages,
    ) -> std::result::Result<(), Broken> {
        self.begin(exchanges, pages.columns().to_string())?;
        let cancelled = pages.running().cancellation();
        while !pages.ended() {
            let rows = match self.has_room(&cancelled).await {
                Ok(()) => pages.next().await,
                Err(error) => Err(error),
            };
            let rows = rows.map_err(|error| Broken::of(error, self.shift))?;
            self.tell(exchanges, pages.running(), rows)?;
            if !pages.ended() {
                self.more.notify_one();
            }
        }
        Ok(())
    }

    /// Says that the query runs, and with which columns.
    ///
    /// # Errors
    /// As [`Exchanges::share`].
    fn begin(&self, exchanges: &Exchanges, columns: String) -> std::result::Result<(), Fault> {
        let share = exchanges.share(&self.user, self.limits, columns.len())?;
        let mut made = locked(&self.made);
        made.phase = Phase::Running;
        made.columns = Some((columns, share));
        drop(made);
        self.more.notify_one();
        Ok(())
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

    /// Puts rows where the next request takes them.
    ///
    /// # Errors
    /// As [`Exchanges::share`].
    fn tell(
        &self,
        exchanges: &Exchanges,
        running: &Running,
        rows: Option<Rows>,
    ) -> std::result::Result<(), Fault> {
        let rows = match rows {
            Some(rows) => {
                let bytes = rows.text.len() + locked(&self.made).columns_len();
                Some((rows, exchanges.share(&self.user, self.limits, bytes)?))
            }
            None => None,
        };
        let (read, warnings) = (running.statistics(), running.warnings());
        let mut made = locked(&self.made);
        // Unless the pages were given up just now.
        if made.ended.is_none() {
            (made.read, made.warnings, made.rows) = (read, warnings, rows);
        }
        Ok(())
    }

    /// How it ended is said once.
    fn end(&self, ended: std::result::Result<(), Fault>) {
        let mut made = locked(&self.made);
        if made.ended.is_none() {
            made.phase = if ended.is_ok() { Phase::Finished } else { Phase::Failed };
            made.ended = Some(ended);
        }
        drop(made);
        self.more.notify_one();
    }

    /// Returns the page of `token`; it waits a moment for something new. Where there is no room
    /// even for a page without rows, that one says so and is the last.
    pub(super) async fn page(&self, exchanges: &Exchanges, token: u64, base: &str) -> Asked {
        let mut given = self.given.lock().await;
        self.touch();
        let again = token == given.token;
        match &given.page {
            Some(page) if again => return Asked::Page(page.to_bytes()),
            // One that was given up is answered with why.
            _ if again && self.lost.is_cancelled() => {}
            _ if token <= given.token => return Asked::Gone,
            _ if token != given.token + 1 || given.last => return Asked::Missing,
            _ => {}
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
        let bytes = locked(&self.made).bytes_to_take();
        let share = match exchanges.share(&self.user, self.limits, bytes) {
            Ok(share) => Some(share),
            Err(fault) => {
                self.give_up(&mut given, fault);
                None
            }
        };
        let (page, last) = self.document(token, base, share);
        let bytes = page.to_bytes();
        *given = Given { token, page: Some(page), last };
        self.touch();
        Asked::Page(bytes)
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

    /// Takes what is ready; whether it is the last page. `share` is that of a page without rows.
    fn document(&self, token: u64, base: &str, share: Option<Share>) -> (Kept, bool) {
        let mut made = locked(&self.made);
        let (rows, share) = match made.rows.take() {
            Some((rows, share)) => (Some(rows), Some(share)),
            None => (None, share),
        };
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
            columns: made.columns.as_ref().map(|(columns, _)| columns.as_str()),
            data: rows.as_ref().map(|rows| rows.text.as_str()),
            fault: match (&made.ended, last) {
                (Some(Err(fault)), true) => Some(fault),
                _ => None,
            },
            warnings: &made.warnings,
            read: made.read,
            ..self.bare(&id, base)
        };
        let text = document.to_text();
        if last {
            made.delivery = None;
        }
        (Kept::new(text, share), last)
    }

    /// Returns what comes first among those whose pages are given up: answers that were given to
    /// their end, then those that nobody has asked for the longest. None for one that has nothing
    /// to give up, or of which something is asked for or on its way.
    pub(super) fn rank(&self) -> Option<(bool, Instant)> {
        let given = self.given.try_lock().ok()?;
        let made = locked(&self.made);
        let waits = made.rows.is_some() || made.ended.is_some();
        let on_its_way = given.page.as_ref().is_some_and(Kept::is_on_its_way);
        let frees = made.share() + given.page.as_ref().map_or(0, Kept::share);
        (waits && !on_its_way && frees > 0).then(|| (!given.last, *locked(&self.asked)))
    }

    /// Gives up its pages, unless somebody asks for one just now: whoever asks later hears `fault`.
    pub(super) fn lose(&self, fault: Fault) {
        if let Ok(mut given) = self.given.try_lock() {
            self.give_up(&mut given, fault);
        }
    }

    /// Drops all pages, and has the query cancelled if it still runs.
    fn give_up(&self, given: &mut Given, fault: Fault) {
        given.page = None;
        let mut made = locked(&self.made);
        (made.phase, made.ended) = (Phase::Failed, Some(Err(fault)));
        (made.columns, made.rows, made.delivery) = (None, None, None);
        drop(made);
        self.lost.cancel();
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

    /// The client wants no further page.
    pub(super) fn left(&self) {
        locked(&self.made).delivery = None;
    }

    /// Waits until the client went away: no request came for as long as it may take, or not for a
    /// while since the last page was given, and none waits.
    async fn gone(&self) {
        loop {
            let limit = match self.given.try_lock() {
                Ok(given) if given.last => Some(self.gone_after.min(LAST_KEPT)),
                Ok(_) => Some(self.gone_after),
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

impl Made {
    fn columns_len(&self) -> usize {
        self.columns.as_ref().map_or(0, |(columns, _)| columns.len())
    }

    /// Bytes of the next page that have no share yet.
    fn bytes_to_take(&self) -> usize {
        if self.rows.is_some() { 0 } else { self.columns_len() }
    }

    /// Bytes that it has taken.
    fn share(&self) -> usize {
        let columns = self.columns.as_ref().map_or(0, |(_, share)| share.bytes());
        columns + self.rows.as_ref().map_or(0, |(_, share)| share.bytes())
    }
}

/// What is behind the lock is whole between any two statements, also when a thread has panicked.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
