#!/usr/bin/env python3
"""Brings an organization's bucket into lakes on disk and in S3, from an S3 that is not ours.

usage: check.py TRAILLAKE [CORPUS]

Needs PyPI boto3 and moto[server]. Real events (CORPUS, else ../shared/corpus) are laid out under two
accounts, with digests that carry metadata and other services' logs beside them. What must come in is
worked out here, from the files themselves.
"""
import gzip
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
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


def main():
    traillake = os.path.abspath(sys.argv[1])
    root = pathlib.Path(__file__).resolve().parents[2]
    corpus = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root.parent / "shared" / "corpus"
    if not (corpus / "sans504").is_dir():
        print(f"SKIPPED: {corpus} is not there")
        return
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        objects = lay_out(corpus / "sans504")
        digests = [digest(number) for number in range(3)]
        server.fill(objects, digests)
        for lake in [f"{folder}/lake", "s3://lakes/prod"]:
            check(Program(traillake, lake, folder, server), objects, digests)
        for lake in [f"{folder}/followed", "s3://lakes/followed"]:
            follow(Program(traillake, lake, folder, server), objects, digests)
    print("buckets: all as it should be")


def lay_out(trail):
    """Files of a trail by key, as an organization's bucket has them."""
    files = sorted(path for path in trail.rglob("*.json.gz"))
    step = len(files) // OBJECTS
    objects = {}
    for path in files[::step][:OBJECTS]:
        key = str(path.relative_to(trail)).replace("AWSLogs/", f"AWSLogs/{ORGANIZATION}/", 1)
        objects[f"audit/{key}"] = path.read_bytes()
    return objects


def digest(number):
    name = (f"audit/AWSLogs/{ORGANIZATION}/342082656213/CloudTrail-Digest/us-west-1/2021/08/01/"
            f"342082656213_CloudTrail-Digest_us-west-1_main_us-west-1_20210801T0{number}0000Z.json.gz")
    content = {"awsAccountId": "342082656213", "digestS3Bucket": "org-trail",
               "digestStartTime": f"2021-08-01T0{number}:00:00Z",
               "digestEndTime": f"2021-08-01T0{number + 1}:00:00Z", "digestS3Object": name,
               "digestPublicKeyFingerprint": "aa", "digestSignatureAlgorithm": "SHA256withRSA",
               "logFiles": []}
    return name, gzip.compress(json.dumps(content).encode())


def truth(objects):
    """Records, events and bodies of a set of log files."""
    records, events, bodies = 0, set(), set()
    for content in objects.values():
        body = gzip.decompress(content)
        if body in bodies:
            continue
        bodies.add(body)
        for event in json.loads(body)["Records"]:
            records += 1
            events.add((event["eventID"], event.get("recipientAccountId"), event["eventTime"]))
    return records, len(events), len(bodies)


def check(program, objects, digests):
    records, events, bodies = truth(objects)
    kinds = len(objects) + len(digests)
    plan = program.json("ingest", "s3://org-trail/audit", "--dry-run", "--format", "json")
    equal(plan["total"]["new_objects"], kinds, "objects planned")
    equal(plan["estimate"]["get_requests"], kinds, "GET requests estimated")
    asked = program.server.asked("org-trail")
    took = program.json("ingest", "s3://org-trail/audit", "--format", "json")
    equal(took["objects"]["read"], bodies + len(digests), "objects read")
    equal(took["objects"]["copies"], len(objects) - bodies, "copies")
    equal(took["records"]["records"], records, "records")
    equal(took["records"]["stored"], events, "events stored")
    equal(took["records"]["duplicates"], records - events, "duplicates")
    equal(took["ignored"], {"another service's folder, not listed": 2}, "ignored")
    requests = program.server.asked("org-trail") - asked
    again = program.json("ingest", "s3://org-trail/audit", "--format", "json")
    equal((again["objects"]["known"], again["objects"]["read"]), (kinds, 0), "a second run")
    equal(program.value("SELECT count(*) FROM events"), events, "count(*)")
    counts = program.value("SELECT sum(stored) + sum(duplicates) FROM system.objects")
    equal(counts, records, "the ledger's records")
    signed = f"SELECT count(*) FROM digests WHERE signature = '{SIGNATURE}'"
    equal(program.value(signed), len(digests), "digests with their signature")
    print(f"{program.lake}: {kinds} objects, {events} events, {requests} requests to the trail")


def follow(program, objects, digests):
    """A bucket that goes on growing while it is followed, told by a queue that cannot be trusted."""
    late = dict(sorted(objects.items())[-LATE:])
    server, keys = program.server, sorted(late)
    server.remove(keys)
    name = "live-s3" if program.lake.startswith("s3") else "live"
    queue = server.sqs.create_queue(QueueName=name)["QueueUrl"]
    send = lambda body: server.sqs.send_message(QueueUrl=queue, MessageBody=body)
    program.run("source", "add", "live", "s3://org-trail/audit", "--sqs", queue)
    process = program.start("ingest", "live", "--follow", "--every", "1s")
    first = process.stdout.readline().split("  ")[1].split(",")[0]
    equal(first, f"live: {len(objects) - LATE + len(digests)} objects", "first sweep")
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
    records, events, bodies = truth({key: objects[key] for key in objects if key not in keys[:LOST]})
    equal(program.value("SELECT count(*) FROM events"), events, "count(*) after the messages")
    status = program.json("status", "--format", "json")["stores"][0]
    source = status["sources"][0]
    equal((source["source"], source["last"]["refused"]), ("live", 2), "status of the source")
    again = program.json("ingest", "--format", "json")
    equal(again["objects"]["read"] + again["objects"]["copies"], LOST, "what no message told of")
    records, events, bodies = truth(objects)
    equal(program.value("SELECT count(*) FROM events"), events, "count(*) in the end")
    counts = "SELECT sum(stored), sum(records), count(*) FROM system.objects"
    found = program.run("query", "--format", "csv", "--no-header", counts).strip()
    equal(found, f"{events},{records},{len(objects) + len(digests)}", "the ledger in the end")
    print(f"{program.lake}: followed, {len(told)} objects by {len(told) + 10} messages, "
          f"{LOST} lost ones by looking, {events} events")


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

    def run(self, *args):
        command = [self.path, "--lake", self.lake, *args]
        environment = {**os.environ, **self.server.environment, "HOME": self.folder}
        ran = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"buckets: {' '.join(command)} exited with {ran.returncode}: {ran.stderr}")
        return ran.stdout

    def start(self, *args):
        environment = {**os.environ, **self.server.environment, "HOME": self.folder}
        command = [self.path, "--lake", self.lake, *args]
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True,
                                stdout=subprocess.PIPE)

    def json(self, *args):
        return json.loads(self.run(*args))

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
        for key, content in digests:
            metadata = {"signature": SIGNATURE, "signature-algorithm": "SHA256withRSA"}
            put(key, content, Metadata=metadata)
        account = f"audit/AWSLogs/{ORGANIZATION}/342082656213"
        for number in range(5):
            put(f"{account}/Config/us-east-1/2021/8/1/{number}.json.gz", b"not ours")
            put(f"{account}/vpcflowlogs/us-east-1/2021/08/01/{number}.log.gz", b"not ours")

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

    def asked(self, bucket):
        """Requests to a bucket so far."""
        self.log.flush()
        with open(self.log.name) as log:
            return sum(f" /{bucket}" in line for line in log)


if __name__ == "__main__":
    main()
