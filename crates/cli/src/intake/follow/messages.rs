//! What a queue tells of a source.

use std::time::Duration;

use traillake_ingest::FaultKind;

use super::Following;
use super::follower::Follower;
use crate::buckets;
use crate::intake::Taken;
use crate::queues::{Message, Queue};

/// How long to wait for a message at a time: SQS takes whole seconds, and no more than these.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(20);

impl Follower {
    /// Takes messages as they come, until it is asked to stop.
    pub(super) async fn messages(&self, following: &Following) {
        let Some(queue) = &self.queue else { return };
        while !self.stop.is_asked() {
            if let Err(error) = self.take_messages(queue, following).await {
                let pause = self.look_failed(following, &error).await;
                self.stop.unless(tokio::time::sleep(pause)).await;
            }
        }
    }

    /// Brings in what messages name, and removes those whose objects are committed.
    async fn take_messages(&self, queue: &Queue, following: &Following) -> anyhow::Result<()> {
        let wait = following.every.clamp(WAIT_MIN, WAIT_MAX);
        let Some(received) = self.stop.unless(queue.receive(wait)).await else { return Ok(()) };
        let mut messages = received?;
        if messages.is_empty() {
            return Ok(());
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
            false => match self.bring_in(following, look).await? {
                Some(taken) if !taken.report.cancelled => match left_of(&taken) {
                    Some(left) => left,
                    None => return Ok(()), // all come again
                },
                _ => return Ok(()),
            },
        };
        let is_done = |message: &&Message| {
            message.says.as_ref().is_ok_and(|named| {
                let uris = named.iter().map(|of| format!("s3://{}/{}", of.bucket, of.key));
                uris.into_iter().all(|uri| !left.contains(&uri))
            })
        };
        let done: Vec<&Message> = messages.iter().filter(is_done).collect();
        queue.delete(&done).await?;
        let backlog = queue.backlog().await.ok();
        self.fares().note.backlog = backlog;
        self.show(following);
        self.keep_note(following).await;
        Ok(())
    }

    /// Makes messages that cannot be read, or name what is not configured, say why.
    fn refuse(&self, messages: &mut [Message], following: &Following) {
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
            let Some(refused) = self.fares().refuse(&message.id) else { continue };
            if refused == 1 {
                following.session.talk.warn(&format!(
                    "a message is refused and stays in the queue: {reason}; further ones are only \
                     counted"
                ));
            }
            tracing::warn!(reason, refused, "a message is refused");
        }
    }
}

/// Returns the objects that messages named and that were not taken in, by their URL; none when more
/// went wrong than the report tells. What has vanished will not come back, and what was rejected is
/// in the ledger.
fn left_of(taken: &Taken) -> Option<Vec<String>> {
    if taken.report.faults_total > taken.report.faults.len() as u64 {
        return None;
    }
    let kept = [FaultKind::Unreadable, FaultKind::Changed, FaultKind::Archived];
    let faults = taken.report.faults.iter().filter(|fault| kept.contains(&fault.kind));
    Some(faults.map(|fault| fault.object.clone()).collect())
}
