//! Turns: so many statements run at once, and whoever waits is let in fairly, one user after the
//! other, however many statements a user has sent.
//!
//! A statement can hold its turn for long: a client may take its time with the answer. So one more
//! turn is kept for a user of whom none runs: nobody alone keeps all others waiting. Where several
//! together hold all of them and none begins or ends for a while, users of whom none runs get turns
//! beyond them, one each, and as many as run at once in ordinary times.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// The queue. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Queue {
    waiting_per_user: usize,
    stuck_after: Duration,
    line: Arc<Mutex<Line>>,
}

struct Line {
    /// Turns that nobody has, the one that is kept included.
    free: usize,
    /// Turns beyond these that nobody has.
    beyond: usize,
    /// When the last of the first kind was taken or given back.
    moved_at: Instant,
    /// After so long without that, those beyond are given too.
    stuck_after: Duration,
    /// How many turns users have, those who have none left out.
    running: HashMap<String, usize>,
    /// Users who wait, the next first, each with those who wait in their name.
    users: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

/// Which turns a turn is one of.
#[derive(Clone, Copy)]
enum Kind {
    Usual,
    Beyond,
}

/// The right to run; given back when dropped.
pub(crate) struct Turn {
    user: String,
    kind: Kind,
    /// None: it is not given back.
    line: Option<Arc<Mutex<Line>>>,
}

impl Queue {
    /// Returns a queue that gives so many turns at once. When none was taken or given back for
    /// `stuck_after`, users who have none get turns beyond these.
    pub(crate) fn new(at_once: usize, waiting_per_user: usize, stuck_after: Duration) -> Queue {
        let line = Line {
            free: at_once.max(1).saturating_add(1),
            beyond: at_once.max(1),
            moved_at: Instant::now(),
            stuck_after,
            running: HashMap::new(),
            users: VecDeque::new(),
        };
        Queue { waiting_per_user, stuck_after, line: Arc::new(Mutex::new(line)) }
    }

    /// Waits for a turn of `user`. Dropping the wait leaves the line.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many of that user's statements wait already.
    pub(crate) async fn turn(&self, user: &str) -> Result<Turn> {
        let mut called = {
            let mut line = locked(&self.line);
            if let Some(kind) = line.turn_for(user) {
                line.take(user, kind);
                let (user, line) = (user.to_owned(), Some(Arc::clone(&self.line)));
                return Ok(Turn { user, kind, line });
            }
            let (call, called) = oneshot::channel();
            let limit = self.waiting_per_user;
            match line.users.iter_mut().find(|(name, _)| name == user) {
                Some((_, calls)) => {
                    calls.retain(|call| !call.is_closed());
                    if calls.len() >= limit {
                        return Err(Error::Busy { waiting: calls.len(), limit });
                    }
                    calls.push_back(call);
                }
                None => line.users.push_back((user.to_owned(), VecDeque::from([call]))),
            }
            called
        };
        loop {
            match tokio::time::timeout(self.stuck_after, &mut called).await {
                // The sender is dropped only with the whole line.
                Ok(turn) => return turn.map_err(|_| Error::Stopping),
                Err(_) => call(&self.line, &mut locked(&self.line)),
            }
        }
    }

    /// Whether no further statement of `user` may wait.
    pub(crate) fn is_full(&self, user: &str) -> bool {
        let line = locked(&self.line);
        let calls = line.users.iter().find(|(name, _)| name == user).map(|(_, calls)| calls);
        let waits = calls.map_or(0, |calls| calls.iter().filter(|call| !call.is_closed()).count());
        waits >= self.waiting_per_user
    }

    /// Statements that wait, of all users.
    pub(crate) fn waiting(&self) -> usize {
        let line = locked(&self.line);
        let waits = |calls: &VecDeque<oneshot::Sender<Turn>>| {
            calls.iter().filter(|call| !call.is_closed()).count()
        };
        line.users.iter().map(|(_, calls)| waits(calls)).sum()
    }
}

impl Line {
    /// Returns the turn that `user` may have now: the last one, and those beyond, are for who has
    /// none.
    fn turn_for(&self, user: &str) -> Option<Kind> {
        let has_none = !self.running.contains_key(user);
        if self.free > 1 || self.free == 1 && has_none {
            return Some(Kind::Usual);
        }
        let is_stuck = self.moved_at.elapsed() >= self.stuck_after;
        (has_none && is_stuck && self.beyond > 0).then_some(Kind::Beyond)
    }

    fn take(&mut self, user: &str, kind: Kind) {
        match kind {
            Kind::Usual => (self.free, self.moved_at) = (self.free - 1, Instant::now()),
            Kind::Beyond => self.beyond -= 1,
        }
        *self.running.entry(user.to_owned()).or_default() += 1;
    }

    fn give_back(&mut self, user: &str, kind: Kind) {
        match kind {
            Kind::Usual => (self.free, self.moved_at) = (self.free + 1, Instant::now()),
            Kind::Beyond => self.beyond += 1,
        }
        if let Some(count) = self.running.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(user);
            }
        }
    }

    /// Takes the next call that may be answered out of the line, and puts its user at the end.
    fn next_call(&mut self) -> Option<(String, Kind, oneshot::Sender<Turn>)> {
        self.users.retain_mut(|(_, calls)| {
            calls.retain(|call| !call.is_closed());
            !calls.is_empty()
        });
        let mut waiting = self.users.iter().enumerate();
        let next = waiting.find_map(|(place, (user, _))| Some((place, self.turn_for(user)?)));
        let (place, kind) = next?;
        let (user, mut calls) = self.users.remove(place)?;
        let call = calls.pop_front()?;
        if !calls.is_empty() {
            self.users.push_back((user.clone(), calls));
        }
        Some((user, kind, call))
    }
}

impl Drop for Turn {
    /// Calls the next user's next statement.
    fn drop(&mut self) {
        let Some(turns) = self.line.take() else { return };
        let mut line = locked(&turns);
        line.give_back(&self.user, self.kind);
        call(&turns, &mut line);
    }
}

/// Gives turns to who may have one, the next user's next statement first.
fn call(turns: &Arc<Mutex<Line>>, line: &mut Line) {
    while let Some((user, kind, call)) = line.next_call() {
        let turn = Turn { user: user.clone(), kind, line: Some(Arc::clone(turns)) };
        // A turn that is sent and never received is dropped with the channel, and so goes on to the
        // next; one that could not be sent was never taken.
        match call.send(turn) {
            Ok(()) => line.take(&user, kind),
            Err(mut unsent) => unsent.line = None,
        }
    }
}

/// What is behind the lock is whole between any two statements, also when a thread has panicked.
fn locked(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test that is not about it takes.
    const LONG: Duration = Duration::from_secs(600);

    async fn settle() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn users_take_turns() {
        let queue = Queue::new(1, 10, LONG);
        let first = queue.turn("a").await.unwrap();
        // The turn that is kept for others is taken too.
        let _other = queue.turn("z").await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["a1", "a2", "a3", "b1", "c1", "b2"] {
            let (queue, order) = (queue.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let turn = queue.turn(&name[..1]).await.unwrap();
                order.lock().unwrap().push(name);
                drop(turn);
            });
            settle().await;
        }
        assert_eq!(queue.waiting(), 6);
        drop(first);
        settle().await;
        assert_eq!(*order.lock().unwrap(), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert_eq!(queue.waiting(), 0);
    }

    #[tokio::test]
    async fn one_turn_is_kept_for_who_has_none() {
        let queue = Queue::new(2, 10, LONG);
        let mut of_a = vec![queue.turn("a").await.unwrap(), queue.turn("a").await.unwrap()];
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.turn("a").await.unwrap() }
        });
        settle().await;
        // It goes from one to the next, past who has turns already.
        for user in ["b", "c", "b"] {
            drop(queue.turn(user).await.unwrap());
            assert_eq!((queue.waiting(), waiting.is_finished()), (1, false), "{user}");
        }
        of_a.pop();
        of_a.push(waiting.await.unwrap());
        assert_eq!(queue.waiting(), 0);
        drop(of_a);
        let line = locked(&queue.line);
        assert_eq!((line.free, line.running.len()), (3, 0));
    }

    #[tokio::test]
    async fn who_holds_all_turns_for_long_keeps_others_waiting_for_a_while_only() {
        let queue = Queue::new(2, 10, Duration::from_millis(500));
        let wait = |user: &'static str| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.turn(user).await.unwrap() })
        };
        let mut held = Vec::new();
        for user in ["a", "a", "b"] {
            held.push(queue.turn(user).await.unwrap());
        }
        let (again, of_c) = (wait("b"), wait("c"));
        settle().await;
        assert!(!of_c.is_finished(), "an ordinary wait gets no turn beyond");
        let of_c = of_c.await.unwrap();
        // It is a turn for who has none, and there are no more of them than of the others.
        let of_d = wait("d").await.unwrap();
        let (more_of_c, of_e) = (wait("c"), wait("e"));
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let finished = [&again, &more_of_c, &of_e].map(tokio::task::JoinHandle::is_finished);
        assert_eq!((finished, queue.waiting()), ([false; 3], 3));
        // One that is given back goes on to the next who has none.
        drop(of_d);
        let of_e = of_e.await.unwrap();
        drop(of_c);
        let of_c = more_of_c.await.unwrap();
        held.clear();
        drop((again.await.unwrap(), of_c, of_e));
        let line = locked(&queue.line);
        assert_eq!((line.free, line.beyond, line.running.len()), (3, 2, 0));
    }

    #[tokio::test]
    async fn who_leaves_the_line_takes_nobodys_turn() {
        let queue = Queue::new(1, 1, LONG);
        let first = queue.turn("a").await.unwrap();
        let _other = queue.turn("z").await.unwrap();
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.turn("a").await.map(drop) }
        });
        settle().await;
        assert!(matches!(queue.turn("a").await, Err(Error::Busy { waiting: 1, limit: 1 })));
        waiting.abort();
        settle().await;
        assert_eq!(queue.waiting(), 0);
        drop(first);
        queue.turn("b").await.unwrap();
        queue.turn("a").await.unwrap();
    }
}
