//! Objects that an inventory or a list of keys names: as many as there are, few of them at a time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use parquet::arrow::ArrowWriter;
use traillake_ingest::{CancelFlag, Inventory, KeyList, Keys, Plan, Source, plan};
use traillake_testkit::s3::Spoiled;

use crate::buckets::{BUCKET, World};
use crate::{gzip, key, log};

/// Keys in a list of which nothing is in the bucket.
const NAMED: usize = 1_500;
/// So many are written before anything of them is asked for.
const AHEAD: usize = 300;

/// A pipe that holds what names [`NAMED`] objects, of which most come only when S3 was asked for
/// the first, and whether it was.
fn pipe(
    world: &World,
    spelled: impl Fn(usize) -> String,
    zips: bool,
) -> (PathBuf, JoinHandle<bool>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    world.s3.spoil(move |_, asked| {
        counted.fetch_add(usize::from(asked.method == "HEAD"), Ordering::Relaxed);
        None
    });
    let folder = world.bench.root().join("data");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let lines = |numbers: std::ops::Range<usize>| numbers.map(&spelled).collect::<String>();
    let (first, rest) = (lines(0..AHEAD), lines(AHEAD..NAMED));
    let writes = move |path: &Path| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let mut output: Box<dyn Write> = match zips {
            true => Box::new(GzEncoder::new(file, Compression::default())),
            false => Box::new(file),
        };
        output.write_all(first.as_bytes()).unwrap();
        output.flush().unwrap();
        let began = Instant::now();
        while asked.load(Ordering::Relaxed) == 0 && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let was_asked = asked.load(Ordering::Relaxed) > 0;
        output.write_all(rest.as_bytes()).unwrap();
        was_asked
    };
    let written = path.clone();
    (path, std::thread::spawn(move || writes(&written)))
}

async fn planned(world: &World, keys: Keys) -> Plan {
    let sources = vec![Source::Keys(world.bucket(BUCKET, ""), keys)];
    plan(None, sources, &world.bench.options, &CancelFlag::default()).await.unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_names_objects_is_read_as_they_are_asked_for() {
    let spelled = |number: usize| key(0, &format!("{number:04}"));
    for is_inventory in [false, true] {
        let world = World::new().await;
        let (keys, writes) = match is_inventory {
            false => {
                let (pipe, writes) = pipe(&world, |number| spelled(number) + "\n", false);
                (Keys::Listed(KeyList::new(pipe, Some(BUCKET.to_owned()))), writes)
            }
            true => {
                let line = |number| format!("\"{BUCKET}\",\"{}\"\n", spelled(number));
                let (_, writes) = pipe(&world, line, true);
                let folder = world.bench.root().join("of-a-day");
                let manifest = manifest(&folder, "CSV", &["data/pipe".to_owned()]);
                (Keys::Inventory(Inventory::open(&manifest).unwrap().1), writes)
            }
        };
        let plan = planned(&world, keys).await;
        assert!(writes.join().unwrap(), "nothing was asked for before all was read");
        // Each was asked for, none is there, and not all of that is kept.
        assert_eq!((plan.heads, plan.faults_total), (NAMED as u64, NAMED as u64));
        assert_eq!(plan.faults.len(), 1_000);
        assert!(plan.faults[0].reason.contains("vanished"), "{}", plan.faults[0].reason);
    }
}

/// Writes a manifest beside the files of an inventory that tells of keys alone.
fn manifest(folder: &Path, format: &str, files: &[String]) -> PathBuf {
    let schema = match format {
        "CSV" => "Bucket, Key",
        _ => "message s3.inventory { required binary key (UTF8); }",
    };
    let files: Vec<String> = files.iter().map(|key| format!(r#"{{"key":"{key}"}}"#)).collect();
    let text = format!(
        r#"{{"sourceBucket":"{BUCKET}","fileFormat":"{format}","fileSchema":"{schema}",
            "files":[{}]}}"#,
        files.join(",")
    );
    fs::create_dir_all(folder).unwrap();
    let path = folder.join("manifest.json");
    fs::write(&path, text).unwrap();
    path
}

/// A file of an inventory.
fn part(format: &str, keys: &[String]) -> Vec<u8> {
    if format == "CSV" {
        let lines = keys.iter().map(|key| format!("\"{BUCKET}\",\"{key}\"\n"));
        return gzip(lines.collect::<String>());
    }
    let column = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("bucket", column(vec![BUCKET; keys.len()])),
        ("key", column(keys.iter().map(String::as_str).collect())),
    ]);
    let batch = batch.unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_of_several_files_comes_in_from_a_bucket_whatever_s3_answers() {
    for format in ["CSV", "Parquet"] {
        let mut world = World::new().await;
        world.bench.options.patience = Duration::from_millis(400);
        let mut files = Vec::new();
        for n in 0..3 {
            let keys: Vec<String> = (0..2).map(|of| key(n * 2 + of, "a")).collect();
            for (of, key) in keys.iter().enumerate() {
                let id = n * 2 + of as u32;
                world.put(key, gzip(log(id..id + 1)));
            }
            files.push(format!("inventories/data/{n}.part"));
            world.put(&files[n as usize], part(format, &keys));
        }
        // One more, which nobody finds: the others do not wait for it.
        files.insert(1, "inventories/data/gone.part".to_owned());
        let folder = world.s3.bucket_folder(BUCKET).join("inventories/2024-05-06T00-00Z");
        manifest(&folder, format, &files);
        // One breaks off at first, and one never comes.
        let (torn, silent) = (AtomicBool::new(false), AtomicBool::new(false));
        let asked_for = Arc::new(Mutex::new(Vec::new()));
        let parts = asked_for.clone();
        world.s3.spoil(move |_, asked| {
            let first = |flag: &AtomicBool| !flag.swap(true, Ordering::Relaxed);
            if asked.path.ends_with(".part") {
                parts.lock().unwrap().push(asked.path.clone());
            }
            match asked.path.rsplit('/').next() {
                Some("0.part") if first(&torn) => Some(Spoiled::BrokenOff(30)),
                Some("2.part") if first(&silent) => Some(Spoiled::Late(60_000)),
                _ => None,
            }
        });
        let objects = world.bucket(BUCKET, "").objects;
        let name = "inventories/2024-05-06T00-00Z/manifest.json";
        let (bucket, inventory) = Inventory::fetch(objects, name).await.unwrap();
        assert_eq!(bucket, BUCKET);
        let source = Source::Keys(world.bucket(BUCKET, ""), Keys::Inventory(inventory.clone()));
        let report =
            world.bench.run(vec![source], &*world.bench.lines, &CancelFlag::default()).await;
        assert_eq!((report.objects.read, report.records.stored), (6, 6), "{format}: {report:#?}");
        assert_eq!(report.faults_total, 1, "{format}: {report:#?}");
        assert!(report.faults[0].object.ends_with("gone.part"), "{}", report.faults[0].object);
        let asked_for = asked_for.lock().unwrap().clone();
        let times = |name: &str| asked_for.iter().filter(|path| path.ends_with(name)).count();
        assert_eq!((times("/0.part"), times("/1.part"), times("/2.part")), (2, 1, 2), "{format}");
        // Nothing of what was set aside is left.
        assert_eq!(fs::read_dir(world.bench.root().join("tmp")).unwrap().count(), 0);
        let again = planned(&world, Keys::Inventory(inventory)).await;
        assert_eq!((again.heads, again.total.new_objects), (6, 6), "it has no ledger");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_the_one_the_manifest_names_counts_for_nothing() {
    let world = World::new().await;
    let ours = part("CSV", &[key(0, "a"), key(1, "a")]);
    let others = part("CSV", &[key(0, "a"), key(2, "a")]);
    assert_eq!(ours.len(), others.len(), "only the MD5 tells");
    let folder = world.s3.bucket_folder(BUCKET).join("of-a-day");
    world.put("data/a.csv.gz", &ours);
    let (size, md5) = (ours.len() as u64, format!("{:x}", Md5::digest(&ours)));
    let check = async |said: String, wrong: Option<&str>| {
        let path = manifest(&folder, "CSV", &["data/a.csv.gz".to_owned()]);
        let text =
            fs::read_to_string(&path).unwrap().replace(r#"gz"}"#, &format!(r#"gz",{said}}}"#));
        fs::write(&path, &text).unwrap();
        assert!(text.contains(&said), "{text}");
        let objects = world.bucket(BUCKET, "").objects;
        let fetched = Inventory::fetch(objects, "of-a-day/manifest.json").await.unwrap();
        for (_, inventory) in [Inventory::open(&path).unwrap(), fetched] {
            let plan = planned(&world, Keys::Inventory(inventory)).await;
            let found = plan.total.new_objects + plan.heads;
            let reasons: Vec<&str> = plan.faults.iter().map(|fault| &*fault.reason).collect();
            match wrong {
                // Neither object is in the bucket, and each is asked for.
                None => assert_eq!((found, reasons.len()), (2, 2), "{said}: {reasons:?}"),
                Some(wrong) => {
                    assert_eq!((found, reasons.len()), (0, 1), "{said}: {reasons:?}");
                    assert!(reasons[0].contains("not the file that the manifest names"));
                    assert!(reasons[0].contains(wrong), "{}", reasons[0]);
                }
            }
        }
    };
    check(format!(r#""size":{size}"#), None).await;
    check(format!(r#""size":{size},"MD5checksum":"{md5}""#), None).await;
    check(format!(r#""MD5checksum":"{}""#, md5.to_uppercase()), None).await;
    check(r#""size":null,"MD5checksum":null"#.to_owned(), None).await;
    let longer = format!("it has {size} bytes, not {}", size + 1);
    check(format!(r#""size":{},"MD5checksum":"{md5}""#, size + 1), Some(&longer)).await;
    world.put("data/a.csv.gz", &others);
    let other = format!("its MD5 is `{:x}`, not `{md5}`", Md5::digest(&others));
    check(format!(r#""size":{size},"MD5checksum":"{md5}""#), Some(&other)).await;
}

#[test]
fn a_list_of_keys_names_its_buckets_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, own: Option<&str>, buckets: &[&str], astray: Option<&str>| {
        let path = folder.path().join("keys");
        fs::write(&path, text).unwrap();
        let (found, line) = KeyList::new(path, own.map(str::to_owned)).buckets().unwrap();
        assert!(found.iter().eq(buckets), "{text}: {found:?}");
        assert_eq!(line.as_deref(), astray, "{text}");
    };
    check("", None, &[], None);
    check("a/b\r\n\ns3://other/c\ns3://other/d", Some("own"), &["other", "own"], None);
    check("s3://one/a\ns3://two/b\n", None, &["one", "two"], None);
    check("s3://one/a\nb/c\ns3://two/b\n", None, &["one"], Some("b/c"));
    let read_once = KeyList::new("/dev/null".into(), None).buckets().unwrap_err();
    assert!(read_once.to_string().contains("more than once"), "{read_once}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_a_list_names_twice_is_one() {
    let world = World::new().await;
    let (sound, broken) = (key(0, "sound"), key(1, "broken"));
    world.put(&sound, gzip(log(0..1)));
    let whole = gzip(log(1..40));
    world.put(&broken, &whole[..whole.len() / 2]);
    let path = world.bench.root().join("keys");
    fs::write(&path, [&sound, &broken, &sound, &broken].map(|key| format!("{key}\n")).concat())
        .unwrap();
    let keys = || Keys::Listed(KeyList::new(path.clone(), Some(BUCKET.to_owned())));
    for (known, taken) in [(2, (1, 1)), (4, (0, 0))] {
        let source = Source::Keys(world.bucket(BUCKET, ""), keys());
        let report =
            world.bench.run(vec![source], &*world.bench.lines, &CancelFlag::default()).await;
        let objects = &report.objects;
        assert!(objects.adds_up() && objects.found == 4, "{objects:?}");
        assert_eq!((objects.known, (objects.read, objects.rejected)), (known, taken));
    }
    let planned = planned(&world, keys()).await;
    assert_eq!((planned.total.known_objects, planned.total.new_objects), (2, 2));
}
