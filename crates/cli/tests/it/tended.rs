//! A lake in a bucket over the years: kept, checked, thinned out and deleted as on a disk.

use traillake_testkit::s3::Spoiled;

use crate::buckets::World;
use crate::maintain::EVERYTHING;

const LAKE: &str = "s3://home/lake";

/// The demo's trail in a bucket's lake, piece by piece.
fn in_pieces() -> World {
    let world = World::new();
    let logs = world.here.sh("find logs -name '*.gz' | sort").done().stdout;
    for piece in logs.lines().collect::<Vec<_>>().chunks(30) {
        run(&world, &[&["-q", "ingest"], piece].concat());
    }
    world
}

/// What a command on the lake prints.
fn run(world: &World, args: &[&str]) -> String {
    world.run(&[&["--lake", LAKE], args].concat()).done().stdout
}

#[test]
fn upkeep_behind_lost_answers_changes_no_answer() {
    for spoiled in [
        Spoiled::DoneThenRefused(500, "InternalError"),
        Spoiled::Refused(503, "SlowDown"),
        Spoiled::Refused(409, "ConditionalRequestConflict"),
    ] {
        let world = in_pieces();
        let everything = || EVERYTHING.map(|sql| world.csv(LAKE, sql));
        let before = everything();
        world.s3.spoil(move |number, asked| {
            (asked.method == "PUT" && number.is_multiple_of(3)).then_some(spoiled)
        });
        let told = run(&world, &["maintain"]);
        world.s3.heal();
        assert!(told.contains("events") && !told.contains("nothing is due"), "{told}");
        assert!(everything() == before, "{spoiled:?}");
        run(&world, &["check", "--read-data"]);
        let files = "SELECT count(*) FROM system.files WHERE table_name = 'events'";
        let months = "SELECT count(DISTINCT date_trunc('month', eventTime)) FROM events";
        assert_eq!(world.csv(LAKE, files), world.csv(LAKE, months), "{spoiled:?}");
    }
}

#[test]
fn what_is_past_retention_leaves_a_bucket_and_a_deleted_store_comes_back() {
    let world = in_pieces();
    run(&world, &["store", "update", "--retention-period", "7", "--yes"]);
    assert_eq!(world.csv(LAKE, "SELECT count(*) FROM events"), "0\n");
    let status = run(&world, &["status"]);
    assert!(status.contains(" = 0 present + "), "{status}");
    run(&world, &["check", "--read-data"]);
    let again = run(&world, &["ingest", "logs"]);
    assert!(again.contains("nothing new"), "{again}");
    run(&world, &["store", "update", "--no-termination-protection-enabled"]);
    run(&world, &["store", "delete", "default"]);
    let gone = world.run(&["--lake", LAKE, "query", "SELECT count(*) FROM events"]).exited(2);
    assert!(gone.stderr.contains("is to be deleted"), "{}", gone.stderr);
    run(&world, &["store", "restore", "default"]);
    run(&world, &["check", "--read-data"]);
}

/// S3 answers so while somebody else writes the name: it is not taken, and may never be.
#[test]
fn a_lake_is_made_and_filled_where_every_third_write_is_under_way() {
    let world = World::new();
    world.s3.spoil(|number, asked| {
        let conflict = Spoiled::Refused(409, "ConditionalRequestConflict");
        (asked.method == "PUT" && number.is_multiple_of(3)).then_some(conflict)
    });
    run(&world, &["ingest", "logs"]);
    world.s3.heal();
    assert_eq!(
        world.csv(LAKE, "SELECT count(*), count(DISTINCT eventID) FROM events"),
        "675,675\n"
    );
    run(&world, &["check", "--read-data"]);
}
