use traillake_store::Lake;

use super::*;
use crate::progress::Silent;
use crate::report::FaultKind;
use crate::source::Found;
use crate::tables::store_spec;

/// A source of two objects that hands over one.
struct Lossy {
    panics: bool,
}

impl LogSource for Lossy {
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        for key in ["/logs/a.json", "/logs/b.json"] {
            let _ = found(Found::Object(SourceObject::listed(key, 2, None)));
        }
    }

    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    ) {
        for object in objects.into_iter().take(1) {
            let _ = take(object, Contents::Failed(FaultKind::Unreadable, String::new()));
        }
        assert!(!self.panics, "it stumbles");
    }
}

async fn bring_in(panics: bool) -> Result<Report> {
    let folder = tempfile::tempdir().unwrap();
    let now = || DateTime::<Utc>::UNIX_EPOCH;
    let lake = Lake::open_or_create(folder.path().join("lake").to_str().unwrap()).await.unwrap();
    let writer = Arc::new(lake.writer("default", &store_spec(), now()).await.unwrap());
    let options = IngestOptions::new(None, folder.path().to_path_buf());
    let (taking, cancel) = (Taking::default(), CancelFlag::default());
    let run = Run {
        writer,
        options: &options,
        taking: &taking,
        before: None,
        progress: &Silent,
        cancel: &cancel,
        now,
    };
    let source = Arc::new(Lossy { panics }) as Arc<dyn LogSource>;
    run.bring_in(vec![source], Report::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_lost_on_their_way_end_a_run() {
    let lost = bring_in(false).await;
    assert!(matches!(lost, Err(Error::Unaccounted { found: 2, accounted: 1 })), "{lost:?}");
    let stumbled = bring_in(true).await;
    assert!(matches!(stumbled, Err(Error::Worker(_))), "{stumbled:?}");
}
