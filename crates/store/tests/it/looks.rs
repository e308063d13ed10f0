//! What was looked at: several write it down at once, and nothing of it is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use traillake_store::{Lake, Look, StoreWriter};

use crate::world::{STORE, at, spec};

/// The words that the files say, taken together.
fn words(looks: &[Look]) -> BTreeSet<String> {
    let texts = looks.iter().map(|look| String::from_utf8(look.text.clone()).unwrap());
    texts.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
}

async fn add(writer: &StoreWriter, word: &str) {
    let looks = writer.looks().await.unwrap();
    let mut all = words(&looks);
    all.insert(word.to_owned());
    let text = all.into_iter().collect::<Vec<_>>().join(" ");
    tokio::task::yield_now().await;
    writer.add_look(text, &looks).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_add_at_once_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("lake").display().to_string();
    let lake = Lake::open_or_create(&location).await.unwrap();
    let writer = Arc::new(lake.writer(STORE, &spec(), at(0)).await.unwrap());
    assert!(writer.looks().await.unwrap().is_empty());
    let tasks = (0..8).map(|of| {
        let writer = Arc::clone(&writer);
        tokio::spawn(async move {
            for n in 0..20 {
                add(&writer, &format!("{of}-{n}")).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let store = lake.store(STORE).await.unwrap();
    let looks = store.looks().await.unwrap();
    assert_eq!(words(&looks).len(), 160);
    // Alone, one takes in all the others.
    add(&writer, "last").await;
    let looks = store.looks().await.unwrap();
    assert_eq!((looks.len(), words(&looks).len()), (1, 161));
    // Another store does not see them; nor does an audit mind.
    let other = lake.writer("other", &spec(), at(0)).await.unwrap();
    assert!(other.looks().await.unwrap().is_empty());
}
