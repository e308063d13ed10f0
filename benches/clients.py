#!/usr/bin/env python3
"""Many clients over every protocol of `traillake serve`, each answer checked, and prints Markdown.

usage: clients.py --traillake PATH --lake LAKE --work FOLDER [--events 10000000] [--clients 200]
                  [--users 20] [--queries 20000] [--minutes 40] [--processes 8] [--memory 2GB]
                  [--seed 1]

LAKE holds a generated trail of EVENTS or more (`generate unique TRAIL --scale 4.5` makes ten million;
`traillake --lake LAKE ingest TRAIL`); WORK must be empty or new. About twenty shapes of audit query, with
constants found in the lake, are asked by clients that each keep to one of four protocols (TrailLake's
own, CloudTrail Lake's, Athena's, Trino's), to constants of their own and to one of the users, with a
token or a signature of that user. How often a shape is asked is its weight, alike in each protocol:
what reads a few pages most of the time, what reads every row now and then, and what answers with
100,000 or a million rows seldom; each once at least. (Every row of ten million takes about a second
of two cores: 20,000 such queries would take hours, and are no audit.) Each statement carries a text
of its own into every row of its answer, so that an answer that reached somebody else is seen; what is
left is compared, in its order, with what the command line gave before. At the end the server's
history has to hold every statement under the user who asked. The server's peak memory is held against
its limit. Beside them, a user in a process of its own asks a small query again and again and measures.

After MINUTES, where they are given, no client asks anything further: the output says how many of the
queries were sent, by shape too. Needs no package. Exit code 1 when anything is off.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import queue
import random
import re
import subprocess
import sys
import threading
import time

Shape = collections.namedtuple("Shape", "weight sql")
# How often each is asked, of so many queries.
WHOLE = 10_000
# {who}, {key}, … are constants found in the lake. Columns are text and bigint: alike in all protocols.
SHAPES = {
    # What reads a few pages.
    "count": Shape(600, "SELECT count(*) AS n FROM events"),
    "one hour": Shape(1_500, "SELECT eventName, count(*) AS n FROM events WHERE eventTime >= timestamp '{hour}' AND eventTime < timestamp '{hour}' + interval '1' hour GROUP BY 1 ORDER BY n DESC, 1"),
    "of one key": Shape(2_300, "SELECT eventID, eventName FROM events WHERE userIdentity.accessKeyId = '{key}' ORDER BY eventID LIMIT 500"),
    "of one address": Shape(1_500, "SELECT eventName, count(*) AS n FROM events WHERE sourceIPAddress = '{address}' GROUP BY 1 ORDER BY 1"),
    "one event": Shape(1_736, "SELECT eventID, eventName, eventSource FROM events WHERE eventID = '{event}'"),
    "nobody": Shape(800, "SELECT eventID FROM events WHERE userIdentity.accessKeyId = 'AKIA{nonce}' LIMIT 1"),
    "first": Shape(300, "SELECT eventID, eventName FROM events ORDER BY eventTime, eventID LIMIT 1"),
    "thousand": Shape(300, "SELECT eventID, eventName FROM events ORDER BY eventTime, eventID LIMIT 1000"),
    # What reads every row.
    "top names": Shape(100, "SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20"),
    "sources": Shape(100, "SELECT eventSource, count(*) AS n FROM events GROUP BY 1 ORDER BY 1"),
    "writes by service": Shape(100, "SELECT eventSource, count(*) AS n FROM events WHERE readOnly = false GROUP BY 1 ORDER BY n DESC, 1"),
    "refused": Shape(100, "SELECT eventSource, eventName, count(*) AS n FROM events WHERE errorCode = 'AccessDenied' GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 20"),
    "errors": Shape(100, "SELECT errorCode, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1"),
    "of one caller": Shape(100, "SELECT eventName, count(*) AS n FROM events WHERE userIdentity.arn = '{who}' GROUP BY 1 ORDER BY n DESC, 1"),
    "by day": Shape(50, "SELECT date_format(eventTime, '%Y-%m-%d') AS d, count(*) AS n FROM events GROUP BY 1 ORDER BY 1"),
    "root": Shape(50, "SELECT eventID, eventName FROM events WHERE userIdentity.type = 'Root' ORDER BY eventID LIMIT 200"),
    "regions of callers": Shape(50, "SELECT userIdentity.arn AS who, count(DISTINCT awsRegion) AS n FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20"),
    "addresses of users": Shape(50, "SELECT userIdentity.userName AS who, count(DISTINCT sourceIPAddress) AS n FROM events WHERE userIdentity.type = 'IAMUser' GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20"),
    "who touched a bucket": Shape(50, "SELECT userIdentity.type AS t, eventName, count(*) AS n FROM events WHERE requestParameters['bucketName'] = '{bucket}' GROUP BY 1, 2 ORDER BY n DESC, 1, 2"),
    "new access": Shape(50, "SELECT eventID, eventName, requestParameters['userName'] AS u FROM events WHERE eventName IN ('CreateAccessKey', 'CreateUser') ORDER BY eventID LIMIT 1000"),
    # What has many rows.
    "ten thousand": Shape(50, "SELECT eventID, eventName FROM events ORDER BY eventTime, eventID LIMIT 10000"),
    "hundred thousand": Shape(10, "SELECT eventID FROM events ORDER BY eventTime, eventID LIMIT 100000"),
    "million": Shape(4, "SELECT eventID FROM events ORDER BY eventTime, eventID LIMIT 1000000"),
}
# Of what is cheap to ask for, each client has its own; of the others there are FEW.
CONSTANTS = {
    "key": "SELECT userIdentity.accessKeyId AS v FROM events WHERE userIdentity.accessKeyId <> '' GROUP BY 1 ORDER BY count(*), 1 LIMIT {clients}",
    "address": "SELECT sourceIPAddress AS v FROM events WHERE sourceIPAddress IS NOT NULL GROUP BY 1 ORDER BY count(*), 1 LIMIT {clients}",
    "event": "SELECT eventID AS v FROM events ORDER BY eventID LIMIT {clients}",
    "hour": "SELECT date_format(date_trunc('hour', eventTime), '%Y-%m-%d %H:%i:%s') AS v FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {clients}",
    "who": "SELECT userIdentity.arn AS v FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {few}",
    "bucket": "SELECT requestParameters['bucketName'] AS v FROM events WHERE requestParameters['bucketName'] IS NOT NULL GROUP BY 1 ORDER BY count(*), 1 LIMIT {few}",
}
FEW = 10
SMALL = "of one key"
# A statement, the hash of the rows that it has to give, the same with NULL as the empty text (as
# CloudTrail Lake's API has it), and their number.
Question = collections.namedtuple("Question", "sql fingerprint without_null rows")


def fingerprint(rows):
    """A hash of rows of text (None for NULL), in their order."""
    return hashlib.sha256("\n".join(map(json.dumps, rows)).encode()).hexdigest()


def text(value):
    return None if value is None else str(value)


def tagged(sql, tag):
    """The statement with a column more, whose value is the tag."""
    return sql.replace(" FROM ", f", '{tag}' AS tag FROM ", 1)


def signed(key, secret, service, host, headers, body):
    """The headers of a POST to `/` with Signature Version 4.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {**headers, "Host": host, "X-Amz-Date": at}
    names = sorted(name.lower() for name in headers)
    told = {name.lower(): value for name, value in headers.items()}
    canonical = "\n".join(["POST", "/", "", *(f"{name}:{told[name]}" for name in names), "",
                           ";".join(names), hashlib.sha256(body.encode()).hexdigest()])
    scope = f"{at[:8]}/us-east-1/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", at, scope,
                         hashlib.sha256(canonical.encode()).hexdigest()])
    sealed = ("AWS4" + secret).encode()
    for part in [*scope.split("/"), to_sign]:
        sealed = hmac.new(sealed, part.encode(), hashlib.sha256).digest()
    headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={key}/{scope}, "
                                f"SignedHeaders={';'.join(names)}, Signature={sealed.hex()}")
    return headers


class Client:
    def __init__(self, address, user):
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=600)
        self.user = user
        self.bearer = {"Authorization": f"Bearer {user['token']}"}

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
                           {"Content-Type": "application/json", **self.bearer})
        names = [column["name"] for column in answer["columns"]]
        return [[text(row[name]) for name in names] for row in answer["rows"]]


class Aws(Client):
    def operation(self, target, **request):
        body = json.dumps(request)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        user = self.user
        return self.call("POST", "/", body, signed(user["key"], user["secret"], self.service,
                                                   self.address, headers, body))


class Lake(Aws):
    name = "lake"
    service = "cloudtrail"
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
    service = "athena"
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
        headers = {"X-Trino-User": self.user["name"], "Content-Type": "text/plain", **self.bearer}
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


def ask(spoken, question, tag):
    """Seconds that an answer took, and what was wrong with it."""
    begun = time.monotonic()
    try:
        rows = spoken.rows(tagged(question.sql, tag))
    except Exception as error:  # counted and shown: a client must not stop the others
        return time.monotonic() - begun, f"failed: {type(error).__name__} {str(error)[:200]}"
    took = time.monotonic() - begun
    tags = {row.pop() for row in rows}
    if tags - {tag}:
        return took, f"somebody else's: {sorted(tags - {tag})[:3]}"
    expected = question.without_null if isinstance(spoken, Lake) else question.fingerprint
    return took, "right" if fingerprint(rows) == expected else "wrong"


def deal(arguments):
    """The shapes that each client asks for, in its order: in each protocol as many of a shape as its
    weight says, and each at least once where there are queries enough."""
    draw, hands = random.Random(arguments.seed), [[] for _ in range(arguments.clients)]
    for first in range(len(PROTOCOLS)):
        clients = range(first, arguments.clients, len(PROTOCOLS))
        size = arguments.queries // arguments.clients * len(clients)
        rest = [name for name, shape in SHAPES.items()
                for _ in range(round(size * shape.weight / WHOLE) - 1)]
        draw.shuffle(rest)
        deck = [*SHAPES, *rest, *[SMALL] * size][:size]
        draw.shuffle(deck)
        for place, client in enumerate(clients):
            hands[client] = deck[place::len(clients)]
    return hands


def worker(number, arguments, address, users, drawn, hands, deadline, results):
    """One process of clients; each asks what it was dealt, one after the other, until the deadline."""
    clients = range(number, arguments.clients, arguments.processes)
    found, lock = [], threading.Lock()

    def run(client):
        # Not in step with the protocols: each user speaks all of them.
        user = users[client // len(PROTOCOLS) % len(users)]
        spoken = PROTOCOLS[client % len(PROTOCOLS)](address, user)
        for n, shape in enumerate(hands[client]):
            if time.monotonic() >= deadline:
                return
            question = drawn[shape][client % len(drawn[shape])]
            took, outcome = ask(spoken, question, f"client-{client}-{n}")
            if outcome.startswith("failed"):
                spoken = type(spoken)(address, user)
            with lock:
                found.append((spoken.name, shape, took, outcome, user["name"]))

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(found)


def probe(address, user, questions, stop, results):
    """Asks small queries, one after the other, while the others do as they do."""
    spoken, found, n = Own(address, user), [], 0
    while not stop.is_set():
        took, outcome = ask(spoken, questions[n % len(questions)], f"probe-{n}")
        found.append(("probe", SMALL, took, outcome, user["name"]))
        n += 1
        stop.wait(0.05)
    results.put(found)


def asked(arguments, sql):
    """The command line's answer."""
    done = subprocess.run([arguments.traillake, "--lake", arguments.lake, "query", "--format",
                           "json", sql], capture_output=True, check=True)
    return [[text(value) for value in row.values()] for row in json.loads(done.stdout)]


def questions(arguments):
    """The questions of each shape, each with what has to come back."""
    numbers = {"clients": arguments.clients, "few": min(FEW, arguments.clients)}
    constants = {"nonce": [f"{n:016d}" for n in range(arguments.clients)]}
    for name, sql in CONSTANTS.items():
        constants[name] = [row[0] for row in asked(arguments, sql.format(**numbers))]
        if not constants[name]:
            sys.exit(f"the lake holds nothing to ask for: {sql}")

    def question(sql):
        rows = asked(arguments, sql)
        without_null = [[value or "" for value in row] for row in rows]
        return Question(sql, fingerprint(rows), fingerprint(without_null), len(rows))

    drawn = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as askers:
        for shape, (_, sql) in SHAPES.items():
            name = next(iter(re.findall(r"\{(\w+)\}", sql)), None)
            values = [value.replace("'", "''") for value in constants[name]] if name else [""]
            drawn[shape] = list(askers.map(question, [sql.replace(f"{{{name}}}", one) for one in values]))
    return drawn


def peak_of(pid):
    """The most memory that a process ever had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def bytes_of(size):
    return float(size.rstrip("GMB")) * {"GB": 1e9, "MB": 1e6}[size.lstrip("0123456789.")]


def make_users(arguments, state):
    """Users, each with a token and an access key; the last is the one who measures."""
    def made(*words):
        done = subprocess.run([arguments.traillake, *words, "--state", state, "--format", "json"],
                              capture_output=True, check=True)
        return json.loads(done.stdout)
    users = []
    for name in [*(f"user-{n}" for n in range(arguments.users)), "prober"]:
        key = made("key", "add", name)
        users.append({"name": name, "token": made("token", "add", name)["token"],
                      "key": key["id"], "secret": key["secret"]})
    return users


def in_history(arguments, address, admin):
    """How many statements of clients the server's own history has, by user, and how many ended well."""
    sql = ("SELECT \"user\", count(*) AS n, count_if(status = 'FINISHED') AS done FROM system.queries "
           "WHERE query LIKE '%''client-%' GROUP BY 1")
    rows = Own(address, admin).rows(sql)
    return {user: (int(n), int(done)) for user, n, done in rows}


def percentile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")


def is_cut(found, planned, arguments):
    """Whether the time was over before all was asked."""
    sent = sum(one[0] != "probe" for one in found)
    return arguments.minutes is not None and sent < sum(planned.values())


def report(found, seconds, peak, history, planned, arguments):
    """Prints what happened; returns what of it is not as it has to be."""
    clients = [one for one in found if one[0] != "probe"]
    probes = [one[2] for one in found if one[0] == "probe"]
    off = [one for one in found if one[3] != "right"]
    asked_by = collections.Counter(one[4] for one in clients)
    sent, all_of_them = len(clients), sum(planned.values())
    kept = sum(history.get(user, (0, 0))[0] for user in asked_by)
    cut = f", because {arguments.minutes:g} minutes were over" if is_cut(found, planned, arguments) else ""
    print(f"{sent} of {all_of_them} queries sent{cut}")
    print(f"{arguments.clients} clients of {arguments.users} users, {seconds:.1f} s: "
          f"{sent / seconds:.1f} queries/s, {len(off)} answers not right; the history has {kept}")
    print(f"peak memory of the server {peak / 1e6:.0f} MB, limit of its queries {arguments.memory}")
    print(f"a small query of another user beside them, {len(probes)} times: "
          f"median {percentile(probes, 0.5) * 1000:.0f} ms, p99 {percentile(probes, 0.99) * 1000:.0f} ms\n")
    faults = [str(one) for one in off[:20]]
    if sent != all_of_them and not cut:
        faults.append(f"{sent} queries were answered")
    for user, n in asked_by.items():
        if history.get(user) != (n, n):
            faults.append(f"{user} asked {n} times; of the history's: {history.get(user)}")
    if peak > 1.25 * bytes_of(arguments.memory):
        faults.append(f"{peak / 1e6:.0f} MB are more than the limit and a quarter")
    return faults


def tables(found, drawn, planned):
    """Prints how long answers took, by protocol and by shape."""
    def milliseconds(times, share):
        return f"{percentile(times, share) * 1000:.0f} ms"

    print("| protocol | queries | median | p99 | p99 of a small query |\n|---|--:|--:|--:|--:|")
    for protocol in [spoken.name for spoken in PROTOCOLS]:
        times = [one[2] for one in found if one[0] == protocol]
        small = [one[2] for one in found if one[0] == protocol and one[1] == SMALL]
        print(f"| {protocol} | {len(times)} | {milliseconds(times, 0.5)} | {milliseconds(times, 0.99)} "
              f"| {milliseconds(small, 0.99)} |")
    print("\n| shape | weight | planned | sent | rows | median | p99 |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, shape in SHAPES.items():
        times = [one[2] for one in found if one[0] != "probe" and one[1] == name]
        rows = [question.rows for question in drawn[name]]
        span = f"{min(rows)}–{max(rows)}" if min(rows) < max(rows) else str(max(rows))
        print(f"| {name} | {shape.weight / WHOLE:.2%} | {planned[name]} | {len(times)} | {span} "
              f"| {milliseconds(times, 0.5)} | {milliseconds(times, 0.99)} |")


def parse():
    arguments = argparse.ArgumentParser()
    for name in ("traillake", "lake", "work"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--events", type=int, default=0)
    arguments.add_argument("--clients", type=int, default=200)
    arguments.add_argument("--users", type=int, default=20)
    arguments.add_argument("--queries", type=int, default=20_000)
    arguments.add_argument("--minutes", type=float)
    arguments.add_argument("--processes", type=int, default=8)
    arguments.add_argument("--memory", default="2GB")
    arguments.add_argument("--seed", type=int, default=1)
    return arguments.parse_args()


def serve(arguments, state):
    """A server, and its address."""
    server = subprocess.Popen(
        [arguments.traillake, "--lake", arguments.lake, "serve", "--listen", "127.0.0.1:0", "--state",
         state, "--memory", arguments.memory], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "listening on " in line:
            address = line.split("://")[1].split()[0].rstrip("/")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, address
    sys.exit("the server did not start")


def measure(arguments, server, address, users, drawn, hands):
    """What the clients and the one who measures found, and how many seconds the clients took."""
    results, stop = multiprocessing.Queue(), multiprocessing.Event()
    *users, prober = users
    begun = time.monotonic()
    deadline = float("inf") if arguments.minutes is None else begun + 60 * arguments.minutes
    probing = multiprocessing.Process(target=probe, args=(address, prober, drawn[SMALL], stop, results))
    workers = [multiprocessing.Process(target=worker, args=(n, arguments, address, users, drawn, hands,
                                                            deadline, results))
               for n in range(min(arguments.processes, arguments.clients))]
    for process in [probing, *workers]:
        process.start()
    found, left = [], len(workers)
    while left:
        try:
            found += results.get(timeout=5)
            left -= 1
        except queue.Empty:
            if server.poll() is not None or not any(process.is_alive() for process in workers):
                sys.exit("the server or a process of clients died")
    seconds = time.monotonic() - begun
    stop.set()
    return found + results.get(timeout=600), seconds


def main():
    arguments = parse()
    os.makedirs(arguments.work, exist_ok=True)
    if os.listdir(arguments.work):
        sys.exit(f"{arguments.work} is not empty")
    [[events]] = asked(arguments, "SELECT count(*) AS n FROM events")
    if int(events) < arguments.events:
        sys.exit(f"{arguments.lake} holds {events} events, not {arguments.events}")
    drawn, hands = questions(arguments), deal(arguments)
    state = os.path.join(arguments.work, "state")
    users = make_users(arguments, state)
    done = subprocess.run([arguments.traillake, "token", "add", "auditor", "--role", "admin", "--state",
                           state, "--format", "json"], capture_output=True, check=True)
    admin = {"name": "auditor", "token": json.loads(done.stdout)["token"]}
    server, address = serve(arguments, state)
    found, seconds = measure(arguments, server, address, users, drawn, hands)
    peak, history = peak_of(server.pid), in_history(arguments, address, admin)
    server.terminate()
    server.wait()
    planned = collections.Counter(shape for hand in hands for shape in hand)
    print(f"a lake of {events} events")
    faults = report(found, seconds, peak, history, planned, arguments)
    tables(found, drawn, planned)
    for fault in faults:
        print(fault, file=sys.stderr)
    told = "as it has to be, as far as it went" if is_cut(found, planned, arguments) else "as it has to be"
    print(f"\nverdict: {'OFF' if faults else told}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
