//! Pages of kept answers: the same whatever the layout of their files, and never too many at once.

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::FileWriter;

use super::batches::ROWS;
use super::*;

fn results(folder: &Path) -> Results {
    let options = ServerOptions::new("default", 2, Arc::new(|| DateTime::UNIX_EPOCH));
    Results::new(&options, &State::open(folder).unwrap())
}

/// Keeps the numbers from 0 on, each a text of `width` bytes, in batches of so many rows. A file
/// that does not tell them is one of an earlier version.
fn keep(results: &Results, layout: &[usize], told: bool, width: usize) -> Uuid {
    let id = Uuid::new_v4();
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Utf8View, false)]));
    let file = std::fs::File::create(results.file(id, "arrow")).unwrap();
    let mut writer = FileWriter::try_new(file, &schema).unwrap();
    let mut first = 0_usize;
    for &rows in layout {
        // Not by a width of the format: a width ends at 65,535.
        let texts =
            (first..first + rows).map(|n| " ".repeat(width.saturating_sub(9)) + &format!("{n:>9}"));
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap()).unwrap();
        first += rows;
    }
    if told {
        let rows: Vec<String> = layout.iter().map(ToString::to_string).collect();
        writer.write_metadata(ROWS, rows.join(","));
    }
    writer.finish().unwrap();
    id
}

fn numbers(page: &Page) -> Vec<usize> {
    let columns = page.batches.iter().map(|batch| batch.column(0).as_string_view());
    columns.flat_map(|texts| texts.iter().map(|n| n.unwrap().trim().parse().unwrap())).collect()
}

#[tokio::test]
async fn pages_are_the_same_in_every_layout() {
    let folder = tempfile::tempdir().unwrap();
    let results = results(folder.path());
    for (layout, told) in [
        (vec![1_000, 1_000, 345], false),
        (vec![1_000, 1_000, 345], true),
        (vec![3, 1, 996, 1_000, 1, 344], true),
    ] {
        let id = keep(&results, &layout, told, 1);
        for limit in [7, 344, 999, 1_000] {
            let mut seen = Vec::new();
            while seen.len() < 2_345 {
                let page = results.page(id, seen.len() as u64, limit).await.unwrap();
                let expected = limit.min(2_345 - seen.len());
                assert_eq!(numbers(&page).len(), expected, "{layout:?}: {limit}, {}", seen.len());
                seen.extend(numbers(&page));
            }
            assert!(seen.into_iter().eq(0..2_345), "{layout:?}: {limit}");
        }
    }
    for layout in [vec![3, 1, 4, 1, 5], vec![]] {
        let id = keep(&results, &layout, true, 1);
        let count: usize = layout.iter().sum();
        for (offset, limit) in (0..16).flat_map(|offset| (0..16).map(move |limit| (offset, limit)))
        {
            let page = results.page(id, offset as u64, limit).await.unwrap();
            let expected: Vec<usize> = (0..count).skip(offset).take(limit).collect();
            assert_eq!(numbers(&page), expected, "{layout:?}: {limit} after {offset}");
        }
        assert!(numbers(&results.page(id, u64::MAX, 1_000).await.unwrap()).is_empty());
    }
    let gone = results.page(Uuid::new_v4(), 0, 1).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn pages_of_wide_rows_end_early_and_wait_for_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let results = results(folder.path());
    let id = keep(&results, &[1; 6], true, 7 << 20);
    let first = results.page(id, 0, 1_000).await.unwrap();
    assert_eq!(numbers(&first), [0, 1, 2, 3, 4]);
    drop(first);
    assert_eq!(numbers(&results.page(id, 5, 1_000).await.unwrap()), [5]);

    // As an earlier version kept them: all in one batch, which two pages at once do not get.
    let id = keep(&results, &[40], false, 1 << 20);
    let first = results.page(id, 0, 1).await.unwrap();
    let second = results.page(id, 39, 1);
    tokio::pin!(second);
    let waited = tokio::time::timeout(Duration::from_secs(1), &mut second).await;
    assert!(waited.is_err(), "two pages of 40 MiB are read at once");
    assert_eq!(numbers(&first), [0]);
    drop(first);
    assert_eq!(numbers(&second.await.unwrap()), [39]);
}
