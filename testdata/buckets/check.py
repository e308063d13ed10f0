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
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3

OBJECTS = 400
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
        s3 = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1",
                          aws_access_key_id="example", aws_secret_access_key="example")
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

    def asked(self, bucket):
        """Requests to a bucket so far."""
        self.log.flush()
        with open(self.log.name) as log:
            return sum(f" /{bucket}" in line for line in log)


if __name__ == "__main__":
    main()
