#!/usr/bin/env python3
"""Measures traillake beside DuckDB and ClickHouse on the same files, in one run, and prints Markdown.

usage: compare.py --traillake PATH --trail FOLDER --work FOLDER [--cores 2] [--runs 3] [--only NAME,…]

FOLDER is a trail made by `generate unique` (without duplicates: the others would keep them). Needs
PyPI duckdb and chdb. Everything runs on the same cores. Times are the best of the runs, in
milliseconds, with the files in the page cache. DuckDB and ClickHouse answer inside a process that
stays, from tables of their own; DuckDB also from the Parquet file it wrote, which is the like of a
lake. traillake is a new process for each query: `wall` is all of it, `own` is what `--timing` says,
from the statement to the last row.
"""
import argparse
import glob
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import time

IDENTITY = ["type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy"]
ISSUER = ["type", "principalId", "arn", "accountId", "userName"]
TEXTS = ["eventVersion", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
         "errorCode", "errorMessage", "requestID", "eventID", "eventType", "apiVersion",
         "recipientAccountId", "sharedEventID", "vpcEndpointId", "eventCategory"]
JSONS = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"]
FLAGS = ["readOnly", "managementEvent"]

# One text for all. {arn}, {user}, … stand for what the engine calls that field, {req x} for a key
# of requestParameters, {time x} for a literal, <bucket> and such for things found in the data.
QUERIES = {
    "count": "SELECT count(*) AS n FROM events",
    "top names": "SELECT eventName, count(*) AS n FROM events GROUP BY eventName ORDER BY n DESC, eventName LIMIT 20",
    "sources by day": "SELECT {day} AS d, eventSource, count(*) AS n FROM events GROUP BY {day}, eventSource ORDER BY d, eventSource",
    "one hour": "SELECT eventSource, eventName, count(*) AS n FROM events WHERE eventTime >= {time <hour>} AND eventTime < {time <hour-end>} GROUP BY eventSource, eventName ORDER BY n DESC, eventSource, eventName",
    "latest 100": "SELECT eventTime, eventID, eventName, {arn} AS arn, sourceIPAddress, errorCode FROM events ORDER BY eventTime DESC, eventID LIMIT 100",
    "by access key": "SELECT eventTime, eventSource, eventName, sourceIPAddress FROM events WHERE {key} = '<key>' ORDER BY eventTime, eventID",
    "by address": "SELECT {arn} AS arn, eventName, count(*) AS n FROM events WHERE sourceIPAddress = '<address>' GROUP BY {arn}, eventName ORDER BY n DESC, arn, eventName",
    "by event id": "SELECT eventTime, eventName, requestParameters FROM events WHERE eventID = '<event>'",
    "by role and week": "SELECT eventName, count(*) AS n FROM events WHERE {issuer} = '<role>' AND eventTime >= {time <week>} GROUP BY eventName ORDER BY n DESC, eventName",
    "refused": "SELECT {arn} AS arn, eventSource, eventName, count(*) AS n FROM events WHERE errorCode IN ('AccessDenied', 'Client.UnauthorizedOperation') GROUP BY {arn}, eventSource, eventName ORDER BY n DESC, arn, eventSource, eventName LIMIT 20",
    "console sign-ins": "SELECT eventTime, {user} AS who, sourceIPAddress, {res ConsoleLogin} AS outcome FROM events WHERE eventName = 'ConsoleLogin' ORDER BY eventTime, eventID",
    "root": "SELECT eventTime, eventName, sourceIPAddress FROM events WHERE {type} = 'Root' AND {no invokedBy} ORDER BY eventTime, eventID LIMIT 200",
    "addresses of users": "SELECT {user} AS who, count(DISTINCT sourceIPAddress) AS n FROM events WHERE {type} = 'IAMUser' GROUP BY {user} ORDER BY n DESC, who LIMIT 20",
    "who touched a bucket": "SELECT {type} AS t, {arn} AS arn, eventName, count(*) AS n FROM events WHERE {req bucketName} = '<bucket>' GROUP BY {type}, {arn}, eventName ORDER BY n DESC, t, arn, eventName",
    "deleted objects": "SELECT {req bucketName} AS b, count(*) AS n FROM events WHERE eventName = 'DeleteObject' AND eventSource = 's3.amazonaws.com' GROUP BY {req bucketName} ORDER BY n DESC, b LIMIT 20",
    "assumed roles": "SELECT {req roleArn} AS r, count(*) AS n FROM events WHERE eventName = 'AssumeRole' GROUP BY {req roleArn} ORDER BY n DESC, r LIMIT 20",
    "new access": "SELECT eventTime, {arn} AS arn, eventName, {req userName} AS u FROM events WHERE eventName IN ('CreateAccessKey', 'CreateUser', 'AttachRolePolicy', 'AttachUserPolicy', 'CreateRole') ORDER BY eventTime, eventID",
    "text in parameters": "SELECT eventTime, {arn} AS arn, eventName FROM events WHERE eventSource = 'ec2.amazonaws.com' AND requestParameters LIKE '%10.0.0.0/8%' ORDER BY eventTime, eventID",
    "writes that fail, by hour": "SELECT {hour} AS h, eventSource, count(*) AS n FROM events WHERE readOnly = false AND errorCode IS NOT NULL GROUP BY {hour}, eventSource ORDER BY h, eventSource",
    "first and last use of keys": "SELECT {key} AS k, min(eventTime) AS a, max(eventTime) AS z, count(*) AS n FROM events WHERE {key} LIKE 'AKIA%' GROUP BY {key} ORDER BY n DESC, k LIMIT 50",
    "refused and writing": "SELECT {arn} AS arn, count(*) AS n FROM events WHERE readOnly = false AND {arn} IN (SELECT {arn} FROM events WHERE errorCode = 'AccessDenied') GROUP BY {arn} ORDER BY n DESC, arn LIMIT 20",
    "many regions": "SELECT {arn} AS arn, count(DISTINCT awsRegion) AS n FROM events WHERE {arn} IS NOT NULL GROUP BY {arn} HAVING count(DISTINCT awsRegion) > 1 ORDER BY n DESC, arn LIMIT 50",
    "user agent": "SELECT userAgent, count(*) AS n FROM events WHERE userAgent LIKE '%Terraform%' GROUP BY userAgent ORDER BY n DESC, userAgent",
}


def spell(sql, names, things):
    """Returns a text of QUERIES in an engine's words."""
    sql = re.sub(r"<([\w-]+)>", lambda m: things[m[1]], sql)
    return re.sub(r"\{(\w+)(?: ([^}]*))?\}", lambda m: names[m[1]](m[2]), sql)


class DuckDB:
    name = "DuckDB"
    names = {
        "day": lambda _: "date_trunc('day', eventTime)", "hour": lambda _: "date_trunc('hour', eventTime)",
        "time": lambda t: f"TIMESTAMP '{t}'", "no": lambda f: f"userIdentity.{f} IS NULL",
        "req": lambda k: f"requestParameters->>'$.{k}'", "res": lambda k: f"responseElements->>'$.{k}'",
        "issuer": lambda _: "userIdentity.sessionContext.sessionIssuer.arn",
        "arn": lambda _: "userIdentity.arn", "user": lambda _: "userIdentity.userName",
        "key": lambda _: "userIdentity.accessKeyId", "type": lambda _: "userIdentity.type",
    }

    def __init__(self, work, cores):
        import duckdb
        self.version = duckdb.__version__
        self.work = os.path.join(work, "duckdb")
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        self.connection = duckdb.connect(os.path.join(self.work, "events.db"))
        self.connection.execute(f"SET threads = {cores}; SET preserve_insertion_order = false")

    def ingest(self, trail):
        """read_json to Parquet, fields typed as in Athena's table; then, not timed, its own table."""
        fields = lambda names, kind: ", ".join(f'"{n}" {kind}' for n in names)
        record = (f"STRUCT({fields(TEXTS, 'VARCHAR')}, {fields(JSONS, 'JSON')}, {fields(FLAGS, 'BOOLEAN')}, "
                  f"eventTime TIMESTAMP, resources STRUCT(ARN VARCHAR, accountId VARCHAR, \"type\" VARCHAR)[], "
                  f"tlsDetails STRUCT(tlsVersion VARCHAR, cipherSuite VARCHAR, clientProvidedHostHeader VARCHAR), "
                  f"sessionCredentialFromConsole VARCHAR, "
                  f"userIdentity STRUCT({fields(IDENTITY, 'VARCHAR')}, sessionContext STRUCT("
                  f"attributes STRUCT(creationDate VARCHAR, mfaAuthenticated VARCHAR), "
                  f"sessionIssuer STRUCT({fields(ISSUER, 'VARCHAR')}))))")
        files, parquet = os.path.join(trail, "AWSLogs/**/*.json.gz"), os.path.join(self.work, "events.parquet")
        begun = time.perf_counter()
        self.connection.execute(
            f"COPY (SELECT unnest(record) FROM (SELECT unnest(Records) AS record FROM read_json('{files}', "
            f"columns = {{Records: '{record}[]'}}, maximum_object_size = 64000000))) "
            f"TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
        elapsed = time.perf_counter() - begun
        self.connection.execute(f"CREATE TABLE events AS SELECT * FROM '{parquet}' ORDER BY eventTime; CHECKPOINT")
        self.connection.execute(f"CREATE VIEW written AS SELECT * FROM '{parquet}'")
        return elapsed, os.path.getsize(parquet)

    def ask(self, sql):
        begun = time.perf_counter()
        rows = self.connection.execute(sql).fetchall()
        return rows, time.perf_counter() - begun


class DuckDBOnParquet:
    name = "on Parquet"
    names = DuckDB.names

    def __init__(self, duck):
        self.duck = duck

    def ask(self, sql):
        return self.duck.ask(sql.replace("FROM events", "FROM written"))


class ClickHouse:
    name = "ClickHouse"
    names = {
        "day": lambda _: "toStartOfDay(eventTime)", "hour": lambda _: "toStartOfHour(eventTime)",
        "time": lambda t: f"toDateTime('{t}', 'UTC')", "no": lambda f: f"userIdentity_{f} IS NULL",
        "req": lambda k: f"JSONExtract(requestParameters, '{k}', 'Nullable(String)')",
        "res": lambda k: f"JSONExtract(responseElements, '{k}', 'Nullable(String)')",
        "issuer": lambda _: "userIdentity_sessionIssuer_arn",
        "arn": lambda _: "userIdentity_arn", "user": lambda _: "userIdentity_userName",
        "key": lambda _: "userIdentity_accessKeyId", "type": lambda _: "userIdentity_type",
    }
    FEW = {"eventVersion", "eventSource", "eventName", "awsRegion", "errorCode", "eventType", "apiVersion",
           "recipientAccountId", "eventCategory", "userAgent"}

    def __init__(self, work, cores):
        import chdb
        from chdb import session
        self.version = f"{chdb.__version__} (chdb)"
        self.work = os.path.join(work, "clickhouse")
        shutil.rmtree(self.work, ignore_errors=True)
        self.session = session.Session(self.work)
        self.session.query(f"SET max_threads = {cores}, max_insert_threads = {cores}")
        self.session.query("CREATE DATABASE bench ENGINE = Atomic; USE bench")

    def columns(self):
        """(column, type, how to get it from the record `e`), the record's type."""
        text = "Nullable(String)"
        few = lambda n: f"LowCardinality({text})" if n in self.FEW else text
        columns = [(n, few(n), f"e.{n}") for n in TEXTS]
        columns += [(f"userIdentity_{n}", few(n) if n != "type" else f"LowCardinality({text})", f"e.userIdentity.{n}") for n in IDENTITY]
        columns += [(f"userIdentity_sessionIssuer_{n}", text, f"e.userIdentity.sessionContext.sessionIssuer.{n}") for n in ISSUER]
        columns += [(n, text, f"e.{n}") for n in JSONS + ["resources", "tlsDetails", "sessionCredentialFromConsole"]]
        columns += [(n, "Bool", f"e.{n}") for n in FLAGS]
        columns += [("eventTime", "DateTime('UTC')", "parseDateTimeBestEffort(e.eventTime, 'UTC')")]
        plain = [n for n in TEXTS + JSONS] + ["resources", "tlsDetails", "sessionCredentialFromConsole"]
        fields = [f"{n} {text}" for n in plain] + [f"{n} Bool" for n in FLAGS] + ["eventTime String"]
        issuer = ", ".join(f"{n} {text}" for n in ISSUER)
        identity = ", ".join(f"{n} {text}" for n in IDENTITY)
        fields += [f"userIdentity Tuple({identity}, sessionContext Tuple(sessionIssuer Tuple({issuer})))"]
        return columns, f"Tuple({', '.join(fields)})"

    def ingest(self, trail):
        columns, record = self.columns()
        definition = ", ".join(f"`{name}` {kind}" for name, kind, _ in columns)
        self.session.query(
            f"CREATE TABLE bench.events ({definition}) ENGINE = MergeTree PARTITION BY toYYYYMM(eventTime) "
            f"ORDER BY (eventSource, eventName, eventTime) SETTINGS allow_nullable_key = 1")
        values = ", ".join(value for _, _, value in columns)
        begun = time.perf_counter()
        self.session.query(
            f"INSERT INTO bench.events SELECT {values} FROM (SELECT JSONExtract(arrayJoin(JSONExtractArrayRaw("
            f"json, 'Records')), '{record}') AS e FROM file('{trail}/AWSLogs/**/*.json.gz', 'JSONAsString'))")
        elapsed = time.perf_counter() - begun
        self.session.query("OPTIMIZE TABLE bench.events FINAL")
        sizes = self.session.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events'", "CSV")
        return elapsed, int(str(sizes).strip())

    def ask(self, sql):
        sql = sql.replace("FROM events", "FROM bench.events")
        begun = time.perf_counter()
        answer = str(self.session.query(sql, "JSONCompactEachRow"))
        elapsed = time.perf_counter() - begun
        return [json.loads(line) for line in answer.splitlines() if line], elapsed


class TrailLake:
    name = "traillake"
    names = {
        "day": lambda _: "date_trunc('day', eventTime)", "hour": lambda _: "date_trunc('hour', eventTime)",
        "time": lambda t: f"TIMESTAMP '{t}'", "no": lambda f: f"userIdentity.{f} IS NULL",
        "req": lambda k: f"requestParameters['{k}']", "res": lambda k: f"responseElements['{k}']",
        "issuer": lambda _: "userIdentity.sessionContext.sessionIssuer.arn",
        "arn": lambda _: "userIdentity.arn", "user": lambda _: "userIdentity.userName",
        "key": lambda _: "userIdentity.accessKeyId", "type": lambda _: "userIdentity.type",
    }
    UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}

    def __init__(self, work, program):
        self.program, self.lake, self.own = os.path.abspath(program), os.path.join(work, "lake"), None
        shutil.rmtree(self.lake, ignore_errors=True)
        self.version = self.run("version").stdout.strip().split("\n")[0]

    def run(self, *arguments):
        done = subprocess.run([self.program, "--lake", self.lake, *arguments], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"`{' '.join(arguments)[:200]}` ended with {done.returncode}: {done.stderr[-500:]}")
        return done

    def ingest(self, trail):
        begun = time.perf_counter()
        self.run("--no-progress", "ingest", trail)
        elapsed = time.perf_counter() - begun
        files = glob.glob(os.path.join(self.lake, "**"), recursive=True)
        return elapsed, sum(os.path.getsize(file) for file in files if os.path.isfile(file))

    def ask(self, sql):
        begun = time.perf_counter()
        done = self.run("query", "--timing", "--format", "ndjson", sql)
        elapsed = time.perf_counter() - begun
        said = re.findall(r"^([\d.]+) ?(µs|ms|s|min)\b", done.stderr, re.M)
        self.own = float(said[-1][0]) * self.UNITS[said[-1][1]] if said else elapsed
        return [list(json.loads(line).values()) for line in done.stdout.splitlines()], elapsed


def things_of(duck):
    """Things to ask for that are in the data: neither the most frequent nor the rarest."""
    one = lambda sql: str(duck.ask(sql)[0][0][0])
    middle = lambda field, where="true": one(
        f"WITH c AS (SELECT {field} AS v, count(*) AS n FROM events WHERE {where} AND {field} IS NOT NULL GROUP BY 1) "
        f"SELECT v FROM c ORDER BY n DESC, v LIMIT 1 OFFSET (SELECT count(*) // 3 FROM c)")
    middle_time = "SELECT {} FROM (SELECT date_trunc('hour', quantile_disc(eventTime, {})) AS t FROM events)"
    return {
        "key": middle("userIdentity.accessKeyId", "userIdentity.accessKeyId LIKE 'AKIA%'"),
        "address": middle("sourceIPAddress", "sourceIPAddress LIKE '203.%'"),
        "event": one("SELECT eventID FROM events ORDER BY eventID LIMIT 1 OFFSET 1000"),
        "role": middle("userIdentity.sessionContext.sessionIssuer.arn"),
        "bucket": middle("requestParameters->>'$.bucketName'"),
        "hour": one(middle_time.format("t", 0.6)), "hour-end": one(middle_time.format("t + INTERVAL 1 HOUR", 0.6)),
        "week": one(middle_time.format("t", 0.75)),
    }


def mean(ratios):
    return math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios)) if ratios else math.nan


def main():
    arguments = argparse.ArgumentParser()
    for name in ("traillake", "trail", "work"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--cores", type=int, default=2)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--only", default="")
    arguments = arguments.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:arguments.cores]))
    trail = os.path.abspath(arguments.trail)
    files = glob.glob(os.path.join(trail, "AWSLogs/**/*.json.gz"), recursive=True)
    gzipped = sum(os.path.getsize(file) for file in files)
    for file in files:
        with open(file, "rb") as opened:
            opened.read()

    duck, click = DuckDB(arguments.work, arguments.cores), ClickHouse(arguments.work, arguments.cores)
    lake = TrailLake(arguments.work, arguments.traillake)
    engines = [duck, click, lake]
    print(", ".join(f"{engine.name} {engine.version}" for engine in engines))
    print(f"{arguments.cores} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}\n")
    print(f"Ingest of {len(files)} files, {gzipped / 1e6:.1f} MB gzipped:\n")
    print("| engine | seconds | events/s | MB on disk | of the gzipped |\n|---|--:|--:|--:|--:|")
    counted = set()
    for engine in engines:
        elapsed, size = engine.ingest(trail)
        events = int(engine.ask("SELECT count(*) AS n FROM events")[0][0][0])
        print(f"| {engine.name} | {elapsed:.2f} | {events / elapsed:,.0f} | {size / 1e6:.1f} | {size / gzipped:.3f}x |", flush=True)
        counted.add(events)
    if len(counted) > 1:
        sys.exit(f"the engines do not hold the same events: {counted}; is the trail `unique`?")

    things, engines = things_of(duck), [lake, duck, DuckDBOnParquet(duck), click]
    ratios = {"own / better": [], "wall / better": [], "own / on Parquet": []}
    heads = ["query", "rows", "traillake own", "wall", "DuckDB", "on Parquet", "ClickHouse", *ratios]
    print(f"\nQueries, milliseconds:\n\n| {' | '.join(heads)} |\n|---|{'--:|' * (len(heads) - 1)}")
    for name, sql in QUERIES.items():
        if arguments.only and name not in arguments.only.split(","):
            continue
        best, counts = {"own": math.inf}, {}
        for engine in engines:
            spelled = spell(sql, engine.names, things)
            for _ in range(arguments.runs):
                rows, elapsed = engine.ask(spelled)
                best[engine.name] = min(best.get(engine.name, math.inf), elapsed)
                counts[engine.name] = len(rows)
                if engine is lake:
                    best["own"] = min(best["own"], lake.own)
        if len(set(counts.values())) > 1:
            sys.exit(f"`{name}`: the engines do not agree: {counts}")
        better = min(best["DuckDB"], best["ClickHouse"])
        ratios["own / better"].append(best["own"] / better)
        ratios["wall / better"].append(best["traillake"] / better)
        ratios["own / on Parquet"].append(best["own"] / best["on Parquet"])
        times = [best[key] * 1e3 for key in ("own", "traillake", "DuckDB", "on Parquet", "ClickHouse")]
        cells = [f"{time:.1f}" for time in times] + [f"{values[-1]:.2f}" for values in ratios.values()]
        print(f"| {name} | {counts['traillake']} | {' | '.join(cells)} |", flush=True)
    means = " | ".join(f"**{mean(values):.2f}**" for values in ratios.values())
    print(f"| **geometric mean** | | | | | | | {means} |")


if __name__ == "__main__":
    main()
