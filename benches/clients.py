#!/usr/bin/env python3
"""Many clients over every protocol of `traillake serve`, each answer checked, and prints Markdown.

usage: clients.py --traillake PATH --lake LAKE --work FOLDER [--clients 200] [--queries 20000]
                  [--processes 2] [--memory 2GB] [--seed 1]

LAKE holds a generated trail. About twenty shapes of audit query, with constants found in the lake,
are asked by clients that each keep to one of four protocols (TrailLake's own, CloudTrail Lake's,
Athena's, Trino's). Every answer is compared, by a hash of its rows, with the one the command line
gave before. A client of a small query measures its time while the others scan. The server's memory is
that of its process, sampled twice a second, against the limit it was given. Needs no package.
"""
import argparse
import hashlib
import http.client
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import threading
import time

# {who}, {key}, … are constants found in the lake. Columns are text and bigint: alike in all protocols.
SHAPES = {
    "count": "SELECT count(*) AS n FROM events",
    "top names": "SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20",
    "sources": "SELECT eventSource, count(*) AS n FROM events GROUP BY 1 ORDER BY 1",
    "by day": "SELECT date_format(eventTime, '%Y-%m-%d') AS d, count(*) AS n FROM events GROUP BY 1 ORDER BY 1",
    "one hour": "SELECT eventName, count(*) AS n FROM events WHERE eventTime >= timestamp '{hour}' AND eventTime < timestamp '{hour}' + interval '1' hour GROUP BY 1 ORDER BY n DESC, 1",
    "of one caller": "SELECT eventName, count(*) AS n FROM events WHERE userIdentity.arn = '{who}' GROUP BY 1 ORDER BY n DESC, 1",
    "of one key": "SELECT eventID, eventName FROM events WHERE userIdentity.accessKeyId = '{key}' ORDER BY eventID LIMIT 500",
    "of one address": "SELECT eventName, count(*) AS n FROM events WHERE sourceIPAddress = '{address}' GROUP BY 1 ORDER BY 1",
    "one event": "SELECT eventID, eventName, eventSource FROM events WHERE eventID = '{event}'",
    "refused": "SELECT eventSource, eventName, count(*) AS n FROM events WHERE errorCode = 'AccessDenied' GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 20",
    "errors": "SELECT errorCode, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1",
    "root": "SELECT eventID, eventName FROM events WHERE userIdentity.type = 'Root' ORDER BY eventID LIMIT 200",
    "regions of callers": "SELECT userIdentity.arn AS who, count(DISTINCT awsRegion) AS n FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20",
    "addresses of users": "SELECT userIdentity.userName AS who, count(DISTINCT sourceIPAddress) AS n FROM events WHERE userIdentity.type = 'IAMUser' GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20",
    "who touched a bucket": "SELECT userIdentity.type AS t, eventName, count(*) AS n FROM events WHERE requestParameters['bucketName'] = '{bucket}' GROUP BY 1, 2 ORDER BY n DESC, 1, 2",
    "writes by service": "SELECT eventSource, count(*) AS n FROM events WHERE readOnly = false GROUP BY 1 ORDER BY n DESC, 1",
    "new access": "SELECT eventID, eventName, requestParameters['userName'] AS u FROM events WHERE eventName IN ('CreateAccessKey', 'CreateUser') ORDER BY eventID LIMIT 1000",
    "nobody": "SELECT eventID FROM events WHERE userIdentity.accessKeyId = 'AKIA{nonce}' LIMIT 1",
    "ten thousand": "SELECT eventID, eventName FROM events ORDER BY eventTime, eventID LIMIT 10000",
    "numbers": "SELECT n FROM UNNEST(sequence(1, {many})) AS t(n)",
}
CONSTANTS = {
    "who": "SELECT userIdentity.arn AS v FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 10",
    "key": "SELECT userIdentity.accessKeyId AS v FROM events WHERE userIdentity.accessKeyId LIKE 'AKIA%' GROUP BY 1 ORDER BY count(*), 1 LIMIT 10",
    "address": "SELECT sourceIPAddress AS v FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 10",
    "event": "SELECT eventID AS v FROM events ORDER BY eventID LIMIT 10",
    "bucket": "SELECT requestParameters['bucketName'] AS v FROM events WHERE requestParameters['bucketName'] IS NOT NULL GROUP BY 1 ORDER BY count(*), 1 LIMIT 10",
    "hour": "SELECT date_format(date_trunc('hour', eventTime), '%Y-%m-%d %H:%i:%s') AS v FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 10",
}
MANY = [1, 1_000, 100_000, 1_000_000]
SMALL = "of one key"


def fingerprint(rows):
    """A hash of rows of text (None for NULL), whatever their order."""
    lines = sorted(json.dumps(row) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def text(value):
    return None if value is None else str(value)


class Client:
    def __init__(self, address, user):
        self.connection = http.client.HTTPConnection(address, timeout=600)
        self.user = user

    def call(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        reply = self.connection.getresponse()
        data = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{method} {path}: {reply.status} {data[:300]!r}")
        return json.loads(data)


class Own(Client):
    name = "http"

    def rows(self, sql):
        answer = self.call("POST", "/v1/query", json.dumps({"sql": sql}),
                           {"Content-Type": "application/json"})
        names = [column["name"] for column in answer["columns"]]
        return [[text(row[name]) for name in names] for row in answer["rows"]]


class Aws(Client):
    def operation(self, target, **request):
        return self.call("POST", "/", json.dumps(request), {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target})


class Lake(Aws):
    name = "lake"
    prefix = "CloudTrail_20131101."

    def rows(self, sql):
        query = self.operation(self.prefix + "StartQuery", QueryStatement=sql)["QueryId"]
        rows, token, wait = [], None, 0.005
        while True:
            more = {"NextToken": token} if token else {}
            page = self.operation(self.prefix + "GetQueryResults", QueryId=query,
                                  MaxQueryResults=1000, **more)
            if page["QueryStatus"] in ("QUEUED", "RUNNING"):
                time.sleep(wait)
                wait = min(wait * 2, 0.5)
                continue
            if page["QueryStatus"] != "FINISHED":
                raise RuntimeError(f"{page['QueryStatus']}: {page.get('ErrorMessage')}")
            rows += [[value for cell in row for value in cell.values()]
                     for row in page.get("QueryResultRows", [])]
            token = page.get("NextToken")
            if not token:
                return rows


class Athena(Aws):
    name = "athena"
    prefix = "AmazonAthena."

    def rows(self, sql):
        query = self.operation(self.prefix + "StartQueryExecution", QueryString=sql,
                               ResultConfiguration={"OutputLocation": "s3://results/"})
        query, wait = query["QueryExecutionId"], 0.005
        while True:
            told = self.operation(self.prefix + "GetQueryExecution", QueryExecutionId=query)
            status = told["QueryExecution"]["Status"]
            if status["State"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(wait)
            wait = min(wait * 2, 0.5)
        if status["State"] != "SUCCEEDED":
            raise RuntimeError(str(status))
        rows, token = [], None
        while True:
            more = {"NextToken": token} if token else {}
            page = self.operation(self.prefix + "GetQueryResults", QueryExecutionId=query,
                                  MaxResults=1000, **more)
            rows += [[cell.get("VarCharValue") for cell in row["Data"]]
                     for row in page["ResultSet"]["Rows"]]
            token = page.get("NextToken")
            if not token:
                return rows[1:]


class Trino(Client):
    name = "trino"

    def rows(self, sql):
        headers = {"X-Trino-User": self.user, "Content-Type": "text/plain"}
        page, rows = self.call("POST", "/v1/statement", sql, headers), []
        while True:
            if "error" in page:
                raise RuntimeError(page["error"]["message"])
            rows += [[text(value) for value in row] for row in page.get("data") or []]
            if "nextUri" not in page:
                return rows
            path = re.sub(r"^https?://[^/]+", "", page["nextUri"])
            page = self.call("GET", path, headers=headers)


PROTOCOLS = [Own, Lake, Athena, Trino]


def worker(number, arguments, address, questions, results):
    """One process of clients; each sends its share of the questions, one after the other."""
    clients = range(number, arguments.clients, arguments.processes)
    found, lock = [], threading.Lock()

    def run(client):
        draw = random.Random(arguments.seed * 10_007 + client)
        spoken = PROTOCOLS[client % len(PROTOCOLS)](address, f"client-{client}")
        share = arguments.queries // arguments.clients
        for _ in range(share):
            shape, sql, expected = draw.choice(questions)
            begun = time.monotonic()
            try:
                outcome = "right" if fingerprint(spoken.rows(sql)) == expected else "wrong"
            except Exception as error:  # counted and shown: a client must not stop the others
                outcome = f"failed: {type(error).__name__} {str(error)[:200]}"
                spoken = type(spoken)(address, spoken.user)
            with lock:
                found.append((spoken.name, shape, time.monotonic() - begun, outcome))

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(found)


def asked(arguments, sql):
    """The command line's answer."""
    done = subprocess.run([arguments.traillake, "--lake", arguments.lake, "query", "--format",
                           "json", sql], capture_output=True, check=True)
    return [[text(value) for value in row.values()] for row in json.loads(done.stdout)]


def questions(arguments):
    constants = {name: [row[0] for row in asked(arguments, sql)] for name, sql in CONSTANTS.items()}
    constants["many"] = MANY
    constants["nonce"] = [f"{n:016d}" for n in range(10)]
    drawn = []
    for shape, sql in SHAPES.items():
        names = re.findall(r"\{(\w+)\}", sql)
        for i in range(len(constants[names[0]]) if names else 1):
            one = sql
            for name in set(names):
                one = one.replace("{" + name + "}", str(constants[name][i]))
            # A million rows are asked for now and then, not by every tenth client.
            times = 1 if "1000000" in one else 10
            drawn += [(shape, one, fingerprint(asked(arguments, one)))] * times
    return drawn


def watch(pid, peaks, stop):
    while not stop.is_set():
        try:
            with open(f"/proc/{pid}/status") as status:
                for line in status:
                    if line.startswith("VmRSS"):
                        peaks.append(int(line.split()[1]) * 1024)
        except OSError:
            return
        stop.wait(0.5)


def percentile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")


def report(found, seconds, peak, arguments):
    wrong = [one for one in found if one[3] != "right"]
    print(f"{len(found)} queries by {arguments.clients} clients in {seconds:.1f} s: "
          f"{len(found) / seconds:.0f} queries/s, {len(found) - len(wrong)} right, {len(wrong)} not")
    print(f"peak memory of the server {peak / 1e6:.0f} MB, limit of its queries {arguments.memory}\n")
    print("| protocol | queries | median | p99 | p99 of a small query |\n|---|---:|---:|---:|---:|")
    for protocol in [spoken.name for spoken in PROTOCOLS]:
        times = [one[2] for one in found if one[0] == protocol]
        small = [one[2] for one in found if one[0] == protocol and one[1] == SMALL]
        print(f"| {protocol} | {len(times)} | {percentile(times, 0.5) * 1000:.0f} ms "
              f"| {percentile(times, 0.99) * 1000:.0f} ms | {percentile(small, 0.99) * 1000:.0f} ms |")
    for one in wrong[:20]:
        print(one, file=sys.stderr)
    return not wrong


def main():
    arguments = argparse.ArgumentParser()
    for name in ("traillake", "lake", "work"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--clients", type=int, default=200)
    arguments.add_argument("--queries", type=int, default=20_000)
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--memory", default="2GB")
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    drawn = questions(arguments)
    server = subprocess.Popen(
        [arguments.traillake, "--lake", arguments.lake, "serve", "--no-auth", "--listen",
         "127.0.0.1:0", "--state", os.path.join(arguments.work, "state"), "--memory",
         arguments.memory], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "listening on " in line:
            address = line.split("://")[1].strip()
            break
    threading.Thread(target=server.stderr.read, daemon=True).start()
    peaks, stop = [0], threading.Event()
    threading.Thread(target=watch, args=(server.pid, peaks, stop), daemon=True).start()
    results, begun = multiprocessing.Queue(), time.monotonic()
    workers = [multiprocessing.Process(target=worker, args=(n, arguments, address, drawn, results))
               for n in range(arguments.processes)]
    for process in workers:
        process.start()
    found = [one for _ in workers for one in results.get()]
    seconds = time.monotonic() - begun
    stop.set()
    server.terminate()
    server.wait()
    sys.exit(0 if report(found, seconds, max(peaks), arguments) else 1)


if __name__ == "__main__":
    main()
