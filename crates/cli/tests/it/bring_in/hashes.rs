//! The hashes of the ledger, against the tools that anybody has.

use std::collections::BTreeSet;
use std::fs;

use traillake_testkit::corpus::corpus;
use traillake_testkit::random::Random;

use crate::folder::Folder;

/// Prints the name of each file that is named, and the SHA-256 of its bytes and of what they
/// inflate to: what is not compressed, `gzip -f` hands on as it is.
const SUMS: &str = r#"
while read -r file; do
    sum=$(sha256sum <"$file") inflated=$(gzip -dcf <"$file" | sha256sum)
    echo "$file,${sum%% *},${inflated%% *}"
done <named"#;

/// The same of gzipped files in `sample`, by few processes however many there are.
const SUMS_OF_SAMPLE: &str = "
cp -r sample inflated && gzip -dr inflated
paste -d, <(sha256sum sample/* | cut -d' ' -f1) <(sha256sum inflated/* | cut -d' ' -f1)";

/// Objects of the sample.
const SAMPLED: usize = 300;

/// Every object but those of the one set that has thousands, for which the tools take long.
#[test]
fn hashes_of_real_objects_are_those_that_sha256sum_and_gzip_give() {
    let Some(all) = corpus("") else { return };
    let here = Folder::new();
    for entry in fs::read_dir(all).unwrap() {
        let set = entry.unwrap().path();
        if set.is_dir() && !set.ends_with("sans504") {
            let ran = here.run(&["--quiet", "ingest", set.to_str().unwrap()]);
            assert!(ran.code < 2, "{}", ran.stderr);
        }
    }
    // Broken ones have theirs too.
    assert!(here.csv("SELECT count(*) FROM system.objects WHERE rejects > 0").trim() > "0");
    let named = here.csv("SELECT object_key FROM system.objects ORDER BY object_key");
    assert!(named.lines().count() > 200, "{} objects", named.lines().count());
    here.write("named", &named);
    let sql = "SELECT object_key, sha256, inflated_sha256 FROM system.objects ORDER BY object_key";
    assert_eq!(here.csv(sql), here.sh(SUMS).done().stdout);
}

#[test]
fn hashes_of_a_sample_of_thousands_are_those_that_sha256sum_and_gzip_give() {
    let Some(set) = corpus("sans504") else { return };
    let here = Folder::new();
    let listed = here.sh(&format!("find '{}' -name '*.gz' | LC_ALL=C sort", set.display()));
    let all: Vec<&str> = listed.stdout.lines().collect();
    assert!(all.len() > 3_000, "{} objects", all.len());
    let (mut random, mut chosen) = (Random::new(504), BTreeSet::new());
    while chosen.len() < SAMPLED {
        chosen.insert(random.pick(&all));
    }
    for (number, path) in chosen.into_iter().enumerate() {
        here.write(&format!("sample/{number:03}.json.gz"), fs::read(path).unwrap());
    }
    here.run(&["--quiet", "ingest", "sample"]).done();
    let sql = "SELECT sha256, inflated_sha256 FROM system.objects ORDER BY object_key";
    let told = here.csv(sql);
    assert_eq!(told.lines().count(), SAMPLED);
    assert_eq!(told, here.sh(SUMS_OF_SAMPLE).done().stdout);
}
