//! Sources that another process follows: a server that only reads tells of them by its notes.

use std::time::Duration;

use traillake_server::Followed;
use traillake_store::Lake;

use super::{fares, words_of};
use crate::intake::stored::{self, Note};

/// How often the notes are read. A look of a follower takes a minute to come unless set.
const READ_EVERY: Duration = Duration::from_secs(30);

/// Reads how the sources of `lake` fare, again and again, and tells `watched`. Never returns.
pub async fn watch_stored(lake: &Lake, watched: &Followed) {
    let mut failed = String::new();
    loop {
        let words = read(lake, watched).await.err().map(|error| words_of(&error));
        let words = words.unwrap_or_default();
        // What was told stays, and the lag grows. Said once.
        if !words.is_empty() && words != failed {
            tracing::warn!("how the sources fare could not be read: {words}");
        }
        failed = words;
        tokio::time::sleep(READ_EVERY).await;
    }
}

async fn read(lake: &Lake, watched: &Followed) -> anyhow::Result<()> {
    let kept = stored::each_stored(lake).await?;
    let mut outcome = Ok(());
    for (name, source) in &kept {
        match source {
            Ok(source) => match stored::note_of(lake, name).await {
                Ok(note) => watched.tell(fares::told(name, &source.store, note, None)),
                Err(error) => outcome = Err(error),
            },
            // Whose rows it brings cannot be told either: for those who may see every store.
            Err(error) => {
                let note = Note { failure: Some(words_of(error)), ..Note::default() };
                watched.tell(fares::told(name, "", note, None));
            }
        }
    }
    watched.keep(|name| kept.iter().any(|(kept, _)| kept == name));
    outcome
}
