#!/usr/bin/env python3
"""Brings an organization's bucket into lakes on disk and in S3, from an S3 that is not ours.

usage: check.py [--whole] TRAILLAKE [CORPUS]

Needs PyPI boto3 and moto[server]. Real events (CORPUS, else ../shared/corpus; without them the trail
of testdata/demo) are laid out under the accounts and regions of their events, whatever their files hold,
with digests that carry metadata and other services' logs beside them: some files of every set, with
`--whole` all. What must come in is worked out here, from the files themselves.
"""
import atexit
import collections
import datetime
import gzip
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import urllib.request

import boto3

OBJECTS = 400
# Objects that arrive while the bucket is followed, and those of them that no message tells of.
LATE, LOST = 60, 5
ORGANIZATION = "o-exampleorg1"
SIGNATURE = "0a1b2c3d"
# Of a digest that was made later than its hour.
STAMP = "2021-08-03T04:05:06Z"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# A file that breaks off half way, beside a sound one with the same events. How many records it has is
# not asked here.
BROKEN = "samples-large.json.gz"


def main():
    arguments = [text for text in sys.argv[1:] if text != "--whole"]
    whole = len(arguments) < len(sys.argv) - 1
    traillake = os.path.abspath(arguments[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    corpus = pathlib.Path(arguments[1]) if len(arguments) > 1 else root.parent / "shared" / "corpus"
    if os.environ.get("CORPUS_REQUIRED") and not (corpus / "sans504").is_dir():
        sys.exit(f"{corpus} is not there, and CORPUS_REQUIRED is set")
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        trail = corpus / "sans504"
        if not trail.is_dir():
            print(f"NO REAL EVENTS: {corpus} is not there; the trail of testdata/demo stands in")
            trail = corpus = pathlib.Path(folder) / "trail"
            with tarfile.open(root / "testdata" / "demo" / "trail.tar.gz") as demo:
                demo.extractall(trail, filter="data")
        objects = lay_out(corpus, None if whole else OBJECTS)
        digests = [digest(number) for number in range(3)]
        digests += [(key, objects.pop(key)) for key in sorted(objects) if "-Digest/" in key]
        server.fill(objects, digests)
        places = {tuple(key.split("/")[3:6:2]) for key in objects}
        print(f"{len(objects)} objects and {len(digests)} digests of {len(places)} accounts and "
              f"regions, {sum(map(len, objects.values())):,} bytes")
        for lake in [f"{folder}/lake", "s3://lakes/prod"]:
            check(Program(traillake, lake, folder, server), objects, digests)
        for lake in [f"{folder}/followed", "s3://lakes/followed"]:
            follow(Program(traillake, lake, folder, server), objects, digests)
        kept_as_set(Program(traillake, "s3://lakes/kept", folder, server))
    print("buckets: all as it should be")


def lay_out(corpus, count):
    """All files of a corpus, or about so many, by key as an organization's bucket has them; what was
    no trail gets a place by its first event."""
    objects = {}
    files = sorted(path for path in corpus.rglob("*json*") if path.is_file())
    step = max(1, len(files) // count) if count else 1
    for number, path in enumerate(files[::step]):
        content = path.read_bytes()
        key = key_of(path, corpus) or key_of_events(content, f"{number:05}{path.name}")
        if key in objects:
            key = key.replace(".json", f"-{number}.json", 1)
        objects[key] = content
    return objects


def key_of(path, folder):
    """The key of a file of a trail; none of any other."""
    parts = path.relative_to(folder).parts
    if "AWSLogs" not in parts:
        return None
    below = [part for part in parts[parts.index("AWSLogs") + 1:] if not part.startswith("o-")]
    return "/".join(["audit/AWSLogs", ORGANIZATION, *below])


def key_of_events(content, name):
    """The key that CloudTrail would have given a file, as far as it says."""
    found = [event for event in records(content) or [] if isinstance(event.get("eventTime"), str)]
    first = found[0] if found else {}
    account = first.get("recipientAccountId") or "342082656213"
    region = first.get("awsRegion") or "us-east-1"
    if not re.fullmatch(r"\d{12}", account) or not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", region):
        account, region = "342082656213", "us-east-1"
    at = instant(first.get("eventTime", "2021-08-01T00:00:00Z"))
    at = datetime.datetime.fromtimestamp(at / 1_000_000, datetime.timezone.utc)
    return (f"audit/AWSLogs/{ORGANIZATION}/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/"
            f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{name.replace('_', '-')}")


def records(content):
    """The events of a file, whatever they are wrapped in; none when it breaks off."""
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            return None
    if isinstance(found, dict):
        found = found.get("Records", found.get("Events", [found]))
    inside = lambda event: json.loads(event["CloudTrailEvent"]) if "CloudTrailEvent" in event else event
    return [inside(event) for event in found]


def instant(value):
    """A time of an event in microseconds."""
    if isinstance(value, (int, float)):
        return round(value * 1_000_000)
    return round(datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp() * 1_000_000)


def digest(number):
    name = (f"audit/AWSLogs/{ORGANIZATION}/342082656213/CloudTrail-Digest/us-west-1/2021/08/01/"
            f"342082656213_CloudTrail-Digest_us-west-1_main_us-west-1_20210801T0{number}0000Z.json.gz")
    content = {"awsAccountId": "342082656213", "digestS3Bucket": "org-trail",
               "digestStartTime": f"2021-08-01T0{number}:00:00Z",
               "digestEndTime": f"2021-08-01T0{number + 1}:00:00Z", "digestS3Object": name,
               "digestPublicKeyFingerprint": "aa", "digestSignatureAlgorithm": "SHA256withRSA",
               "logFiles": []}
    return name, gzip.compress(json.dumps(content).encode())


Truth = collections.namedtuple("Truth", "records events bodies")


def truth(objects):
    """Records, identities of events and bodies of a set of log files."""
    count, empty, events, bodies = 0, 0, set(), set()
    for key, content in objects.items():
        body = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        if body in bodies:
            continue
        if is_empty(body):
            empty += 1
            continue
        bodies.add(body)
        if is_broken(key):
            continue
        for event in records(content):
            count += 1
            if event.get("eventCategory") != "Insight":
                events.add(identity(event))
    return Truth(count, events, len(bodies) + empty)


def is_broken(key):
    return key.endswith(BROKEN) and "raw-large" not in key


def is_empty(body):
    """Of files without a record none is a copy of another."""
    return len(body) < 100 and not records(body)


def identity(event):
    key = event.get("eventID"), event.get("recipientAccountId"), instant(event["eventTime"])
    # Without an id the record itself is its identity.
    return key if key[0] else key + (json.dumps(event),)


def stored(program):
    """The same of what a lake holds."""
    answer = program.run("query", "--format", "ndjson",
                         "SELECT eventID, recipientAccountId, to_unixtime(eventTime) AS at, "
                         "CASE WHEN eventID IS NULL THEN eventJson END AS json FROM events")
    rows = [json.loads(line) for line in answer.splitlines()]
    found = [identity({**json.loads(row["json"] or "{}"), "eventID": row["eventID"],
                       "recipientAccountId": row["recipientAccountId"], "eventTime": row["at"]})
             if row["eventID"] else identity(json.loads(row["json"])) for row in rows]
    equal(len(found), len(set(found)), "identities that stand twice")
    return set(found)


def check_lake(program, expected, what):
    """Holds what a lake has against the truth."""
    found = stored(program)
    missing, more = sorted(expected.events - found)[:3], sorted(found - expected.events)[:3]
    if missing or more:
        sys.exit(f"buckets: {what}: missing {missing}, too many {more}")
    counted = program.value("SELECT sum(records) FROM system.objects WHERE NOT "
                            f"(object_key LIKE '%{BROKEN}' AND object_key NOT LIKE '%raw-large%')")
    equal(counted, expected.records, f"{what}: the ledger's records")
    status = program.json("status", "--format", "json", codes=(0,))["stores"][0]
    equal(status["adds_up"], True, f"{what}: sums")


def check(program, objects, digests):
    expected = truth(objects)
    kinds = len(objects) + len(digests)
    requests = program.server.requests
    plan, planning = requests(lambda: program.json("ingest", "s3://org-trail/audit", "--dry-run",
                                                   "--format", "json"))
    equal(plan["total"]["new_objects"], kinds, "objects planned")
    equal(plan["estimate"]["get_requests"], kinds, "GET requests estimated")
    took, taking = requests(lambda: program.json("ingest", "s3://org-trail/audit", "--format", "json"))
    counts = took["objects"]
    taken = counts["read"] + counts["empty"] + counts["rejected"]
    equal(taken, expected.bodies + len(digests), "objects read")
    equal(counts["copies"], len(objects) - expected.bodies, "copies")
    broken = sum(map(is_broken, objects))
    equal((counts["failed"], counts["rejected"]), (0, broken), "objects that failed")
    equal(set(took["ignored"]), {"another service's folder, not listed"}, "ignored")
    again, seeing = requests(lambda: program.json("ingest", "s3://org-trail/audit", "--format", "json"))
    equal((again["objects"]["known"], again["objects"]["read"]), (kinds, 0), "a second run")
    check_lake(program, expected, "brought in")
    program.run("maintain", codes=(0,))
    check_lake(program, expected, "after upkeep")
    program.run("check", "--read-data", codes=(0,))
    signed = f"SELECT count(*) FROM digests WHERE signature = '{SIGNATURE}'"
    equal(program.value(signed), len(digests), "digests with their signature")
    stamped = f"SELECT count(*) FROM digests WHERE backfillGenerationTimestamp = '{STAMP}'"
    equal(program.value(stamped), 1, "digests with the stamp of a backfill")
    days = "SELECT count(*) FROM system.coverage WHERE state = 'not collected'"
    equal(program.value(days), 0, "days that nobody listed")
    fates = {name: count for name, count in took["records"].items() if count}
    print(f"{program.lake}: {kinds} objects, {len(expected.events)} events of {fates}")
    for what, asked in [("dry run", planning), ("ingest", taking), ("again", seeing)]:
        print(f"  requests of the {what}: {asked}")


def follow(program, objects, digests):
    """A bucket that goes on growing while it is followed, told by a queue that cannot be trusted."""
    late = dict(sorted(objects.items())[-LATE:])
    server, keys = program.server, sorted(late)
    server.remove(keys)
    name = "live-s3" if program.lake.startswith("s3") else "live"
    queue = server.sqs.create_queue(QueueName=name)["QueueUrl"]
    send = lambda body: server.sqs.send_message(QueueUrl=queue, MessageBody=body)
    program.run("source", "add", "live", "s3://org-trail/audit", "--sqs", queue)
    before = {bucket: server.asked(bucket) for bucket in ["org-trail", "lakes"]}
    process = program.start("ingest", "live", "--follow", "--every", "1s")
    first = process.stdout.readline().split("  ")[1].split(", ")[0]
    equal(first, f"live: {len(objects) - LATE + len(digests):,} objects", "first sweep")
    server.put({key: late[key] for key in keys})
    told = keys[LOST:]
    bodies = [SHAPES[number % len(SHAPES)](key) for number, key in enumerate(told)]
    bodies = bodies[::-1] + bodies[:10]
    for body in bodies + [TEST, "no notice", SHAPES[0]("elsewhere/" + told[0])]:
        send(body)
    # The two that are refused stay.
    wait_until(lambda: server.messages(queue) == 2, "the queue to be taken")
    equal(process.poll(), None, "the follower runs")
    process.send_signal(signal.SIGTERM)
    equal(process.wait(), 130, "exit code of the follower")
    requests = {bucket: dict(server.asked(bucket) - asked) for bucket, asked in before.items()}
    come = truth({key: objects[key] for key in objects if key not in keys[:LOST]})
    check_lake(program, come, "after the messages")
    status = program.json("status", "--format", "json")["stores"][0]
    source = status["sources"][0]
    equal((source["source"], source["last"]["refused"]), ("live", 2), "status of the source")
    again = program.json("ingest", "--format", "json")
    counts = again["objects"]
    taken = sum(counts[name] for name in ["read", "copies", "empty", "rejected"])
    equal(taken, LOST, "what no message told of")
    expected = truth(objects)
    check_lake(program, expected, "in the end")
    equal(program.value("SELECT count(*) FROM system.objects"), len(objects) + len(digests),
          "objects in the end")
    print(f"{program.lake}: followed, {len(told)} objects by {len(told) + 10} messages, "
          f"{LOST} lost ones by looking, {len(expected.events)} events; "
          f"requests: {requests}")


def kept_as_set(program):
    """A lake's files are encrypted, and of the class, that the settings say."""
    program.settings = {"TRAILLAKE_S3_ENCRYPTION": KEY, "TRAILLAKE_S3_STORAGE_CLASS": "STANDARD_IA"}
    program.run("ingest", "s3://org-trail/audit")
    s3, found = program.server.s3, collections.Counter()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lakes", Prefix="kept/"):
        for key in [listed["Key"] for listed in page["Contents"]]:
            head = s3.head_object(Bucket="lakes", Key=key)
            encrypted = head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")
            equal(encrypted, ("aws:kms", KEY), f"encryption of {key}")
            # Logs are small and read often.
            is_data = key.endswith(".parquet") and "/_delta_log/" not in key
            # S3 does not name the class STANDARD.
            kept = head.get("StorageClass", "STANDARD")
            equal(kept, "STANDARD_IA" if is_data else "STANDARD", f"class of {key}")
            found[kept] += 1
    equal(set(found), {"STANDARD", "STANDARD_IA"}, "classes of the lake's files")
    print(f"{program.lake}: encrypted with the key that was set, {dict(found)}")


def s3_event(key):
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
              "s3": {"bucket": {"name": "org-trail"},
                     "object": {"key": urllib.parse.quote_plus(key, safe="/")}}}
    return json.dumps({"Records": [record]})


def event_bridge(key):
    detail = {"bucket": {"name": "org-trail"}, "object": {"key": key}}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def by_sns(shape):
    return lambda key: json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t",
                                   "Message": shape(key)})


def cloudtrail(key):
    return json.dumps({"s3Bucket": "org-trail", "s3ObjectKey": [key]})


SHAPES = [s3_event, by_sns(s3_event), event_bridge, by_sns(event_bridge), by_sns(cloudtrail)]
TEST = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "org-trail"})


def wait_until(done, what):
    for _ in range(600):
        if done():
            return
        time.sleep(0.2)
    sys.exit(f"buckets: waited in vain for {what}")


def equal(found, expected, what):
    if found != expected:
        sys.exit(f"buckets: {what}: {found!r} instead of {expected!r}")


class Program:
    """The binary, with a lake and an S3."""

    def __init__(self, path, lake, folder, server):
        self.path, self.lake, self.folder, self.server = path, lake, folder, server
        self.settings = {}

    def environment(self):
        return {**os.environ, **self.server.environment, **self.settings, "HOME": self.folder}

    def run(self, *args, codes=(0, 1)):
        command = [self.path, "--lake", self.lake, *args]
        ran = subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True,
                             text=True)
        if ran.returncode not in codes:
            sys.exit(f"buckets: {' '.join(command)} exited with {ran.returncode}: {ran.stderr}")
        return ran.stdout

    def start(self, *args):
        command = [self.path, "--lake", self.lake, *args]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment(), text=True,
                                   stdout=subprocess.PIPE)
        atexit.register(process.kill)
        return process

    def json(self, *args, **more):
        return json.loads(self.run(*args, **more))

    def value(self, sql):
        return int(self.run("query", "--format", "csv", "--no-header", sql))


class Server:
    """moto, with the buckets that are needed."""

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.environment = {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "example",
                            "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + "/moto-api/", timeout=1)
                return self
            except OSError:
                time.sleep(0.1)
        sys.exit("buckets: moto did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def fill(self, objects, digests):
        access = {"endpoint_url": self.url, "region_name": "us-east-1",
                  "aws_access_key_id": "example", "aws_secret_access_key": "example"}
        self.s3, self.sqs = boto3.client("s3", **access), boto3.client("sqs", **access)
        s3 = self.s3
        for bucket in ["org-trail", "lakes"]:
            s3.create_bucket(Bucket=bucket)
        put = lambda key, body, **more: s3.put_object(Bucket="org-trail", Key=key, Body=body, **more)
        for key, content in objects.items():
            put(key, content)
        for number, (key, content) in enumerate(digests):
            metadata = {"signature": SIGNATURE, "signature-algorithm": "SHA256withRSA"}
            if number == 0:
                metadata["backfill-generation-timestamp"] = STAMP
            put(key, content, Metadata=metadata)
        for account in {key.split("/")[3] for key in objects}:
            for number in range(5):
                folder = f"audit/AWSLogs/{ORGANIZATION}/{account}"
                put(f"{folder}/Config/us-east-1/2021/8/1/{number}.json.gz", b"not ours")
                put(f"{folder}/vpcflowlogs/us-east-1/2021/08/01/{number}.log.gz", b"not ours")

    def put(self, objects):
        for key, content in objects.items():
            self.s3.put_object(Bucket="org-trail", Key=key, Body=content)

    def remove(self, keys):
        for key in keys:
            self.s3.delete_object(Bucket="org-trail", Key=key)

    def messages(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def requests(self, run):
        """What `run` returns, and what it asked of the trail and of a lake in S3."""
        before = {bucket: self.asked(bucket) for bucket in ["org-trail", "lakes"]}
        answer = run()
        return answer, {bucket: dict(self.asked(bucket) - asked) for bucket, asked in before.items()}

    def asked(self, bucket):
        """Requests to a bucket so far, by what they ask for."""
        self.log.flush()
        with open(self.log.name) as log:
            lines = [line.split('"')[1].split() for line in log if f" /{bucket}" in line]
        listing = lambda method, path: "LIST" if method == "GET" and "list-type" in path else method
        return collections.Counter(listing(method, path) for method, path, *_ in lines)


if __name__ == "__main__":
    main()
