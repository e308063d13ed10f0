//! What a queue tells of a source.

use std::time::Duration;

use tokio::runtime::Handle;
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
        while !self.stop.is_asked() {
            let taken = match self.queue().await {
                Ok(Some(queue)) => self.take_messages(queue, following).await,
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
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
        let (left, not_gone) = match look.arrivals.is_empty() {
            true => (Vec::new(), None),
            false => match self.bring_in(following, look).await? {
                Some(taken) if !taken.report.cancelled => {
                    let Some(mut left) = left_of(&taken) else { return Ok(()) }; // all come again
                    let vanished = vanished(&taken);
                    let checked = self.stop.unless(self.check_vanished(&vanished, following));
                    let Some(checked) = checked.await else { return Ok(()) };
                    let not_gone = checked.err();
                    if not_gone.is_some() {
                        left.extend(vanished);
                    }
                    (left, not_gone)
                }
                _ => return Ok(()),
            },
        };
        let is_done = |message: &&Message| {
            message.says.as_ref().is_ok_and(|named| {
                let mut uris = named.iter().map(|of| format!("s3://{}/{}", of.bucket, of.key));
                uris.all(|uri| !left.iter().any(|left| is_of(left, &uri)))
            })
        };
        let done: Vec<&Message> = messages.iter().filter(is_done).collect();
        queue.delete(&done).await?;
        if let Some(error) = not_gone {
            return Err(error);
        }
        let backlog = queue.backlog().await;
        if let Err(error) = &backlog {
            tracing::warn!(%error, "how many messages wait is not known");
        }
        self.fares().note.backlog = backlog.ok();
        self.show(following);
        self.keep_note(following).await;
        Ok(())
    }

    /// Makes sure that what has vanished did. S3 says no word to HEAD: an object that is gone, a
    /// bucket that is gone and a server that is no S3 are answered alike. Who may hear that an
    /// object is gone may list its bucket, and only a bucket that is there is listed.
    ///
    /// # Errors
    /// When it is not: then their messages come again.
    async fn check_vanished(
        &self,
        vanished: &[String],
        following: &Following,
    ) -> anyhow::Result<()> {
        let mut intake = self.intake.clone();
        intake.sources.retain(|source| {
            let mut places = vanished.iter().filter_map(|uri| uri.strip_prefix("s3://"));
            places.any(|place| {
                let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
                buckets::holds(source, bucket, key)
            })
        });
        if intake.sources.is_empty() {
            return Ok(());
        }
        let (session, lake) = (following.session.clone(), following.lake.clone());
        let runtime = Handle::current();
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(intake.check(&session, lake.location()))
        });
        thread.await?
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

/// Returns the objects that were not there when they were to be read, by their URL.
fn vanished(taken: &Taken) -> Vec<String> {
    let faults = taken.report.faults.iter().filter(|fault| fault.kind == FaultKind::Vanished);
    faults.map(|fault| fault.object.clone()).collect()
}

/// Returns whether what was not taken in is an object, or a member of it where it is an archive.
fn is_of(left: &str, uri: &str) -> bool {
    left.strip_prefix(uri).is_some_and(|rest| rest.is_empty() || rest.starts_with("!/"))
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn an_archive_stays_with_its_members_and_with_no_other_object() {
        let archive = "s3://trail/logs.zip";
        for (left, stays) in [("", true), ("!/a.json", true), (".gz", false), ("/a.json", false)] {
            assert_eq!(is_of(&format!("{archive}{left}"), archive), stays, "{left}");
        }
    }
}
