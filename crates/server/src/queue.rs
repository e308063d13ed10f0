//! Turns: so many statements run at once, and whoever waits is let in fairly, one user after the
//! other, however many statements a user has sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// The queue. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Queue {
    waiting_per_user: usize,
    line: Arc<Mutex<Line>>,
}

struct Line {
    free: usize,
    /// Users who wait, the next first, each with those who wait in their name.
    users: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

/// The right to run; given back when dropped.
pub(crate) struct Turn {
    line: Arc<Mutex<Line>>,
}

impl Queue {
    pub(crate) fn new(at_once: usize, waiting_per_user: usize) -> Queue {
        let line = Line { free: at_once.max(1), users: VecDeque::new() };
        Queue { waiting_per_user, line: Arc::new(Mutex::new(line)) }
    }

    /// Waits for a turn of `user`. Dropping the wait leaves the line.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many of that user's statements wait already.
    pub(crate) async fn turn(&self, user: &str) -> Result<Turn> {
        let called = {
            let mut line = locked(&self.line);
            if line.free > 0 {
                line.free -= 1;
                return Ok(self.granted());
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
        // The sender is dropped only with the whole line.
        called.await.map_err(|_| Error::Stopping)
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

    fn granted(&self) -> Turn {
        Turn { line: Arc::clone(&self.line) }
    }
}

impl Drop for Turn {
    /// Calls the next user's next statement, and puts that user at the end of the line.
    fn drop(&mut self) {
        let mut line = locked(&self.line);
        while let Some((user, mut calls)) = line.users.pop_front() {
            while let Some(call) = calls.pop_front() {
                // A turn that is sent and never received is dropped with the channel, and so goes on
                // to the next; one that could not be sent is this one, still.
                match call.send(Turn { line: Arc::clone(&self.line) }) {
                    Ok(()) => {
                        if !calls.is_empty() {
                            line.users.push_back((user, calls));
                        }
                        return;
                    }
                    Err(unsent) => std::mem::forget(unsent),
                }
            }
        }
        line.free += 1;
    }
}

/// What is behind the lock is whole between any two statements, also when a thread has panicked.
fn locked(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn settle() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn users_take_turns() {
        let queue = Queue::new(1, 10);
        let first = queue.turn("a").await.unwrap();
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
    async fn who_leaves_the_line_takes_nobodys_turn() {
        let queue = Queue::new(1, 1);
        let first = queue.turn("a").await.unwrap();
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
