#!/usr/bin/env python3
"""A soak: a trail grows for an hour while everything that touches a lake runs and is killed; then the
lake is held against what is known of the trail. Prints Markdown; exit code 1 when anything is off.

usage: soak.py --traillake PATH --work FOLDER [--minutes 60] [--events 10000000] [--kills 500]
               [--seed 1] [--days 70] [--grace 90]

`ingest --follow` follows the folder in which the trail grows; beside it run ingests of the whole
folder, `maintain`, queries, `status`, `event`. All are killed at moments drawn from the seed (SIGKILL,
SIGTERM, SIGINT), every other time just when something is written. The hour is `--days` long for
traillake (see soak_clock.py), so that months end, logs are shortened and replaced files are removed
after `--grace` real seconds. WORK must be empty or new; it needs about 600 bytes an event.
Needs no package, but `cc` (not with `--days 0`: then time is as it is).
"""
import argparse
import collections
import glob
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

import soak_clock
import soak_trail

START = 1_743_336_000  # 2025-03-30T12:00:00Z: also a short trial sees a month end
# What is killed: its share of the kills.
SHARES = {"follow": 0.45, "maintain": 0.3, "ingest": 0.2, "query": 0.05}
SIGNALS = [signal.SIGKILL] * 8 + [signal.SIGTERM, signal.SIGINT]
LONG = 20  # seconds after which a run is not waited for, but hit where it is
STOPS_WITHIN = 60  # seconds from SIGTERM or SIGINT to the end
# The two errors that a query may end with when upkeep is hasty.
OUTLIVED = ("this took longer than replaced files are kept", "the store has no state as of")


def at_work(process):
    """What its threads do in two seconds, by their names and states: whether it computes or waits."""
    def looks():
        for task in glob.glob(f"/proc/{process}/task/*/stat"):
            try:
                with open(task) as file:
                    name, _, rest = file.read().partition("(")[2].rpartition(") ")
            except OSError:  # it has ended
                continue
            state, *numbers = rest.split()
            yield task, name, state, int(numbers[10]) + int(numbers[11])
    before = {task: ticks for task, _, _, ticks in looks()}
    time.sleep(2)
    threads = collections.Counter()
    for task, name, state, ticks in looks():
        threads[f"{name} {state}, {ticks - before.get(task, 0)} ticks"] += 1
    return "; ".join(f"{count} x {what}" for what, count in threads.most_common(12))


class Soak:
    def __init__(self, arguments):
        self.arguments = arguments
        self.work = os.path.abspath(arguments.work)
        self.lake, self.source = os.path.join(self.work, "lake"), os.path.join(self.work, "source")
        self.store = os.path.join(self.lake, "stores", "default")
        self.seconds = arguments.minutes * 60
        self.begun = time.time()
        speed = max(1, round(arguments.days * 86_400 / 3_600))
        self.clock = soak_clock.Clock(self.work, self.begun, START if speed > 1 else self.begun, speed)
        self.grace = max(3_600, arguments.grace * speed)
        start = self.clock.told - (0 if speed > 1 else self.seconds)
        self.trail = soak_trail.Trail(arguments.seed, arguments.events, start, self.seconds * speed * 0.96)
        self.emitted = multiprocessing.Value("q", 0)
        self.lock = threading.RLock()
        self.running = {}  # kind: processes
        self.durations = collections.defaultdict(lambda: collections.deque([1.0], maxlen=50))
        self.peaks = collections.Counter()  # (kind, minute): bytes
        self.heights = collections.Counter()  # kind: bytes
        self.written = collections.Counter()  # kind: bytes
        self.runs = collections.Counter()
        self.hits = []  # (kind, signal, where)
        self.missed = collections.Counter()
        self.outcomes = collections.Counter()
        self.offences = []
        self.outlived = collections.Counter()
        self.asked = collections.Counter()
        self.upkeep = collections.Counter()
        self.stop = threading.Event()
        self.opened = threading.Event()

    # Processes.

    def command(self, *words):
        return [self.arguments.traillake, "--lake", self.lake, "--no-progress", *map(str, words)]

    def offend(self, text):
        minute = (time.time() - self.begun) / 60
        with self.lock:
            self.offences.append(f"minute {minute:.1f}: {text}")
        print(f"OFF at minute {minute:.1f}: {text}", file=sys.stderr, flush=True)

    def run(self, kind, *words, tell=None):
        """Runs a command to its end, whoever ends it: its exit code, output, talk, and the signals sent."""
        out, err = (open(os.path.join(self.work, "talk", f"{kind}-{threading.get_ident()}.{end}"), "w+")
                    for end in ("out", "err"))
        with out, err:
            begun = time.monotonic()
            process = subprocess.Popen(self.command(*words), stdout=out, stderr=err, env=self.clock.environment())
            process.signals, process.begun = [], begun
            with self.lock:
                self.running.setdefault(kind, []).append(process)
                self.runs[kind] += 1
            if tell:
                tell(process)
            process.wait()
            with self.lock:
                self.running[kind].remove(process)
                self.written[kind] += getattr(process, "bytes_written", 0)
                if not process.signals:
                    self.durations[kind].append(time.monotonic() - begun)
            out.seek(0)
            err.seek(0)
            output, talk = out.read(), err.read()
        with self.lock:
            code = process.returncode
            self.outcomes[kind, "killed" if process.signals and code not in (0, 1, 2) else str(code)] += 1
        if "panicked" in talk or process.returncode in (101, -6, -7, -11):
            self.offend(f"{kind} crashed ({process.returncode}): {talk[-2000:]}")
        if process.signals:
            # It may have been done before the signal came; asked to stop, it says 130.
            fine = {-number for number in process.signals} | {0, 1}
            if set(process.signals) - {signal.SIGKILL}:
                fine.add(130)
            if process.returncode not in fine:
                self.offend(f"{kind} ended with {process.returncode} on {process.signals}: {talk[-2000:]}")
        return process.returncode, output, talk, process.signals

    def answer(self, *words, kind="query"):
        """The output of a command; none when it was killed, or ended as it may."""
        begun = time.monotonic()
        code, output, talk, signals = self.run(kind, *words)
        if signals and code != 0:
            return None
        if code != 0 and any(text in talk for text in OUTLIVED):
            past = "--at" in words
            with self.lock:
                self.outlived["of a past round" if past else "of now"] += 1
            # Upkeep takes its own seconds for seconds: what it replaces is dated a little early.
            if not past and time.monotonic() - begun < self.arguments.grace / 3:
                self.offend(f"files went too early for `{' '.join(words)[:200]}`: {talk[-500:]}")
            return None
        if code not in (0, 1):
            if self.opened.is_set():
                self.offend(f"`{' '.join(words)[:200]}` ended with {code}: {talk[-2000:]}")
            return None
        return output

    def rows(self, sql, *words):
        output = self.answer("query", "--format", "json", *words, sql)
        return None if output is None else json.loads(output)

    # What runs all the time.

    def follow(self, draw):
        while not self.stop.is_set():
            code, _, talk, signals = self.run("follow", "ingest", self.source, "--follow", "--every",
                                             draw.choice(["1s", "2s", "5s", "15s"]), "--format", "json")
            if not signals and not self.stop.is_set():
                self.offend(f"follow ended by itself with {code}: {talk[-2000:]}")
            time.sleep(draw.uniform(0, 0.5))

    def ingest(self, draw):
        while not self.stop.wait(draw.uniform(1, 12)):
            code, _, talk, signals = self.run("ingest", "ingest", self.source, "--format", "json", "--jobs", draw.choice([1, 2]),
                                             "--memory", draw.choice(["16MB", "64MB", "512MB"]))
            if not signals and code not in (0, 1):
                self.offend(f"ingest ended with {code}: {talk[-2000:]}")

    def maintain(self, draw):
        while not self.stop.wait(draw.uniform(0.5, 5)):
            code, output, talk, signals = self.run("maintain", "maintain", "--vacuum-grace", f"{self.grace}s", "--format", "json")
            if code == 0:
                self.add_upkeep(json.loads(output))
            elif not signals and self.opened.is_set():
                self.offend(f"maintain ended with {code}: {talk[-2000:]}")

    def add_upkeep(self, report):
        names = ("files_folded", "rows_rewritten", "log_files_removed", "files_removed", "bytes_removed")
        with self.lock:
            for table in (table for store in report["stores"] for table in store["tables"]):
                self.upkeep["checkpoints"] += table["checkpoint"] is not None
                for name in names:
                    self.upkeep[name] += table[name]
            self.upkeep["manifests_removed"] += sum(store["manifests_removed"] for store in report["stores"])
            self.upkeep["half_written_removed"] += report["half_written_removed"]

    def ask(self, draw):
        """Questions whose answers are known well enough to tell a lost or a doubled event at once."""
        seen = {"count": 0, "months": {}, "rounds": [], "events": []}
        questions = [self.ask_count, self.ask_count, self.ask_distinct, self.ask_ledger, self.ask_months, self.ask_status,
                     self.ask_round, self.ask_event, self.ask_event]
        while not self.stop.wait(draw.uniform(0, 2)):
            if not self.opened.is_set():
                code = self.run("open", "query", "SELECT count(*) FROM events")[0]
                if code == 0:
                    self.opened.set()
                continue
            question = draw.choice(questions)
            with self.lock:
                self.asked[question.__name__[4:]] += 1
            question(seen, draw)

    def see(self, seen, count):
        emitted = self.emitted.value
        if not seen["count"] <= count <= emitted:
            self.offend(f"{count} events, after {seen['count']} were seen and {emitted} written")
        seen["count"] = max(seen["count"], count)

    def ask_count(self, seen, _):
        rows = self.rows("SELECT count(*) AS n FROM events")
        if rows:
            self.see(seen, rows[0]["n"])

    def ask_distinct(self, seen, _):
        rows = self.rows("SELECT count(*) AS n, count(DISTINCT eventID) AS ids, min(eventID) AS a FROM events")
        if rows:
            self.see(seen, rows[0]["n"])
            if rows[0]["n"] != rows[0]["ids"]:
                self.offend(f"an event is there twice: {rows}")

    def ask_ledger(self, seen, _):
        rows = self.rows(
            "SELECT (SELECT count(*) FROM events) AS n, (SELECT count(*) FROM rejects) AS r, (SELECT count(*) FROM variants) AS v, "
            "sum(stored) AS stored, sum(rejects) AS rejects, sum(variants) AS variants, sum(records) AS records, "
            "sum(stored + duplicates + respelled + variants + deselected + rejects) AS fates, count(*) AS objects, "
            "count(DISTINCT object_key) AS keys FROM system.objects")
        if rows and rows[0]["objects"]:
            row = rows[0]
            self.see(seen, row["n"])
            for one, other in (("n", "stored"), ("r", "rejects"), ("v", "variants"), ("records", "fates"), ("objects", "keys")):
                if row[one] != row[other]:
                    self.offend(f"{one} is not {other}: {row}")

    def ask_months(self, seen, _):
        rows = self.rows("SELECT date_format(eventTime, '%Y-%m') AS m, count(eventName) AS n FROM events GROUP BY 1")
        if rows:
            months = {row["m"]: row["n"] for row in rows}
            self.see(seen, sum(months.values()))
            for month, count in seen["months"].items():
                if months.get(month, 0) < count:
                    self.offend(f"{month} had {count} events, now {months.get(month, 0)}")
            seen["months"] = months

    def ask_status(self, seen, _):
        output = self.answer("status", "--format", "json")
        if output:
            store = json.loads(output)["stores"][0]
            events = next(table["rows"] for table in store["tables"] if table["table"] == "events")
            self.see(seen, events)
            if not store["adds_up"]:
                self.offend(f"status does not add up: {output}")
            if store["rounds"]:
                seen["rounds"].append((store["rounds"], events))

    def ask_round(self, seen, draw):
        """A past round has the events it had."""
        if seen["rounds"]:
            number, events = draw.choice(seen["rounds"][-20:])
            rows = self.rows("SELECT count(*) AS n, count(DISTINCT eventID) AS ids FROM events", "--at", number)
            if rows and rows[0] != {"n": events, "ids": events}:
                self.offend(f"round {number} had {events} events, now {rows}")

    def ask_event(self, seen, draw):
        """An event that was seen stays, as it was written."""
        again = seen["events"] and draw.random() < 0.5
        n = draw.choice(seen["events"]) if again else draw.randrange(max(1, self.emitted.value))
        if soak_trail.is_altered(n):
            return
        code, output, talk, signals = self.run("query", "event", self.trail.id(n))
        if signals and code != 0:
            return
        if code == 0 and output == self.trail.record(n)[0]:
            seen["events"].append(n)
        elif code != 1 or output or again:
            self.offend(f"event {n} ({self.trail.id(n)}), seen before: {bool(again)}, gave {code}: {output[:2000]} {talk[-1000:]}")

    # Kills.

    def kill(self, kind, number):
        """Kills processes of a kind, `number` times, at moments drawn evenly from the time there is."""
        draw = random.Random(f"{self.arguments.seed} kills {kind}")
        moments = sorted(draw.uniform(0.01, 0.97) * self.seconds for _ in range(number))
        for moment in moments:
            if self.stop.wait(max(0, self.begun + moment - time.time())):
                return
            while not self.kill_one(kind, draw):
                self.missed[kind] += 1
                if self.stop.is_set():
                    return

    def kill_one(self, kind, draw):
        """Waits for a process, and for a moment in its life; returns whether it was alive then."""
        process = self.wait_for(kind)
        if process is None:
            return False
        aimed = kind != "query" and draw.random() < 0.5
        if aimed:
            self.wait_for_write(process, draw)
            time.sleep(draw.choice([0, 0, 0.001, 0.005, 0.02, 0.1]) * draw.random())
        elif kind == "follow":
            time.sleep(draw.uniform(0, 3))
        else:
            time.sleep(draw.uniform(0, 1.05) * statistics.median(self.durations[kind]))
        number = draw.choice(SIGNALS)
        with self.lock:
            if process.poll() is not None or process.signals:
                return False
            self.sample(kind, process)
            process.signals.append(number)
            process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()
        else:
            self.insist(kind, process, draw)
        where = self.where() + (", aimed" if aimed else "") if kind != "query" else "reading"
        with self.lock:
            self.hits.append((kind, number, where))
        return True

    def insist(self, kind, process, draw):
        """Waits for a process that was asked to stop; every third one is asked again, soon."""
        try:
            if draw.random() < 0.3:
                time.sleep(draw.uniform(0, 0.2))
                process.signals.append(signal.SIGINT)
                process.send_signal(signal.SIGINT)
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.offend(f"{kind} went on for {STOPS_WITHIN} s after it was asked to stop; {at_work(process.pid)}")
            process.signals.append(signal.SIGKILL)
            process.kill()
            process.wait()

    def wait_for(self, kind):
        """A process of the kind that nobody has killed: the one there is, or of short ones the next."""
        long = time.monotonic() - LONG
        running = self.running.get(kind, [])
        old = set() if kind == "follow" else {id(process) for process in running if process.begun > long}
        until = time.monotonic() + 60
        while time.monotonic() < until and not self.stop.is_set():
            for process in list(self.running.get(kind, [])):
                if id(process) not in old and not process.signals:
                    return process
            time.sleep(0.002)
        return None

    def wait_for_write(self, process, draw):
        """Waits until something new is in a folder of the lake, of ones drawn."""
        folders = [self.store, *(os.path.join(self.store, name) for name in (
            "rounds", "events/_delta_log", "objects/_delta_log", "rejects/_delta_log", "rejects", "events"))]
        folder = draw.choice(folders)
        if folder.endswith(("events", "objects")) and os.path.isdir(folder):
            folder = max((entry.path for entry in os.scandir(folder) if entry.is_dir()), key=os.path.getmtime, default=folder)

        def stamp():
            try:
                return os.stat(folder).st_mtime_ns
            except OSError:
                return 0

        before, until = stamp(), time.monotonic() + 10
        while stamp() == before and process.poll() is None and time.monotonic() < until and not self.stop.is_set():
            time.sleep(0.0005)

    def where(self):
        """What the lake looks like after a kill."""
        try:
            events, objects = self.token("events"), self.token("objects")
            manifests = [int(name.split("-")[0]) for name in os.listdir(os.path.join(self.store, "rounds")) if name.endswith(".json")]
            if events != objects:
                return "between a round's commits"
            if max(manifests, default=0) > events:
                return "manifest, no commit"
            return "data without commit" if self.newest_file() > self.newest_commit() else "at rest or reading"
        except (OSError, ValueError):
            return "not looked at"

    def token(self, table):
        """The last round in a table's log."""
        log = os.path.join(self.store, table, "_delta_log")
        for name in sorted((name for name in os.listdir(log) if re.fullmatch(r"\d{20}\.json", name)), reverse=True):
            with open(os.path.join(log, name)) as file:
                for line in file:
                    transaction = json.loads(line).get("txn", {})
                    if transaction and not transaction["appId"].endswith("/rewrite"):
                        return transaction["version"]
        return 0

    def newest_commit(self):
        logs = (os.path.join(self.store, table, "_delta_log") for table in ("events", "objects", "rejects", "variants"))
        return max(entry.stat().st_mtime_ns for log in logs for entry in os.scandir(log))

    def newest_file(self):
        newest = 0
        for table in ("events", "objects", "rejects", "variants"):
            for folder, _, names in os.walk(os.path.join(self.store, table)):
                if not folder.endswith("_delta_log"):
                    newest = max([newest, *(os.stat(os.path.join(folder, name)).st_mtime_ns for name in names)])
        return newest

    # Memory.

    def sample(self, kind, process):
        try:
            with open(f"/proc/{process.pid}/status") as file:
                status = dict(line.split(":", 1) for line in file)
            with open(f"/proc/{process.pid}/io") as file:
                wrote = int(re.search(r"^write_bytes: (\d+)", file.read(), re.M)[1])
        except (OSError, ValueError, TypeError):
            return
        if "VmRSS" not in status:
            return
        resident, height = (int(status[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        minute = int((time.time() - self.begun) / 60)
        with self.lock:
            process.bytes_written = wrote
            self.peaks[kind, minute] = max(self.peaks[kind, minute], resident)
            self.heights[kind] = max(self.heights[kind], height)

    def watch(self):
        while True:
            with self.lock:
                alive = [(kind, process) for kind, some in self.running.items() for process in some]
            for kind, process in alive:
                self.sample(kind, process)
            time.sleep(0.1)

    # The hour.

    def soak(self):
        for folder in ("talk", "source"):
            os.makedirs(os.path.join(self.work, folder))
        results = multiprocessing.Queue()
        writer = multiprocessing.Process(target=soak_trail.write, daemon=True, args=(
            self.trail, self.source, os.path.join(self.work, "staging"), self.emitted, self.seconds * 0.96, results))
        writer.start()
        threading.Thread(target=self.watch, daemon=True).start()
        keepers = [self.follow, self.ingest, self.maintain, self.ask, self.ask]
        threads = [threading.Thread(target=self.guard, args=(keeper, random.Random(f"{self.arguments.seed} {place}")))
                   for place, keeper in enumerate(keepers)]
        shares = {kind: round(share * self.arguments.kills) for kind, share in SHARES.items()}
        shares["follow"] += self.arguments.kills - sum(shares.values())
        killers = [threading.Thread(target=self.guard, args=(self.kill, kind, number)) for kind, number in shares.items()]
        for thread in threads + killers:
            thread.start()
        truth = self.truth_of(writer, results)
        # Who is late with a kill gets a little longer.
        for killer in killers:
            killer.join(max(0, self.begun + self.seconds * 1.25 - time.time()))
        while time.time() < self.begun + self.seconds:
            time.sleep(0.2)
        self.stop.set()
        for kind in ("follow", "ingest", "maintain", "query"):
            self.end(kind)
        for thread in threads + killers:
            thread.join()
        return truth

    def truth_of(self, writer, results):
        while True:
            try:
                return results.get(timeout=5)
            except Exception:
                if not writer.is_alive():
                    raise RuntimeError("the trail was not written") from None
                self.progress()

    def progress(self):
        minute = (time.time() - self.begun) / 60
        print(f"minute {minute:.1f}: {self.emitted.value} events written, {len(self.hits)} kills, "
              f"{len(self.offences)} off", file=sys.stderr, flush=True)

    def guard(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as error:  # the others must not stop, and the soak must not pass
            import traceback
            traceback.print_exc()
            self.offend(f"the soak itself failed: {type(error).__name__} {error}")

    def end(self, kind):
        for process in list(self.running.get(kind, [])):
            with self.lock:
                process.signals.append(signal.SIGTERM)
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self.offend(f"{kind} did not end; {at_work(process.pid)}")
                process.kill()

    # The end.

    def hold(self, truth):
        """Holds the lake against the truth: lines of a table, each with what was expected and found."""
        lines = []

        def same(what, expected, found):
            lines.append((what, expected, found))
            if expected != found:
                self.offend(f"{what}: {expected} expected, {found} found")

        code, _, talk, _ = self.run("last", "ingest", self.source, "--format", "json")
        same("last ingest ends well", True, code in (0, 1) or talk[-500:])
        code, output, _, _ = self.run("last", "ingest", self.source, "--format", "json")
        known = json.loads(output)["objects"] if code == 0 else output[-500:]
        same("another one: all is known", truth["objects"], known["known"] if code == 0 else known)
        self.settle(same)
        status = json.loads(self.run("last", "status", "--format", "json")[1])["stores"][0]
        tables = {table["table"]: table["rows"] for table in status["tables"]}
        same("status adds up", True, status["adds_up"])
        for name in ("read", "copy", "rejected", "empty"):
            same(f"objects: {name}", truth[name], status["objects"].get(name, 0))
        same("objects: any other", 0, sum(status["objects"].values()) - sum(truth[name] for name in ("read", "copy", "rejected", "empty")))
        for name in ("records", "stored", "duplicates", "respelled", "variants", "rejects"):
            same(f"records: {name}" if name != "records" else "records", truth[name], status["records"][name])
        same("records: deselected", 0, status["records"]["deselected"])
        for table, expected in (("events", "stored"), ("variants", "variants"), ("rejects", "rejects"), ("objects", "objects")):
            same(f"rows of `{table}`", truth[expected], tables[table])
        self.hold_events(truth, same)
        code, output, talk, _ = self.run("check", "check", "--read-data", "--format", "json")
        check = json.loads(output) if code in (0, 1) else {"sound": talk[-500:], "damages": None, "findings": []}
        same("`check --read-data`: sound", True, check["sound"])
        same("… damages", 0, check["damages"])
        for finding in check["findings"][:20]:
            print(f"check: {finding}", file=sys.stderr)
        if self.clock.speed > 1:  # else what kills left is not old enough to be removed
            same("… notes", 0, len(check["findings"]))
        return lines

    def settle(self, same):
        """Upkeep until nothing is left to do: after it, no file is there that the lake does not show."""
        for days in (0, 3, 20, 40, 60):
            self.clock.ahead = days * 86_400
            code, output, talk, _ = self.run("maintain at the end", "maintain", "--vacuum-grace", "1h", "--format", "json")
            if code != 0:
                self.offend(f"maintain at the end: {code} {talk[-1000:]}")
            else:
                self.add_upkeep(json.loads(output))
        shown = self.last_rows("SELECT path, table_name, rows, size_bytes FROM system.files")
        there = [os.path.relpath(os.path.join(folder, name), self.lake) for folder, _, names in os.walk(self.lake)
                 for name in names if "_delta_log" not in folder and (name.endswith(".parquet") or "#" in name)]
        strays = set(there) - {row["path"] for row in shown}
        if self.clock.speed > 1:
            same("files that nothing needs, at last", [], sorted(strays)[:5])
        events = [row for row in shown if row["table_name"] == "events"]
        rewrites = [(int((re.search(r"\.r(\d+)\.parquet$", row["path"]) or [0, 0])[1]), row["rows"]) for row in events]
        same("rewritten more than four times", 0, sum(rows for times, rows in rewrites if times > 4))
        self.rewritten = sum(times * rows for times, rows in rewrites) / max(1, sum(rows for _, rows in rewrites))
        self.files, self.bytes = len(events), sum(row["size_bytes"] for row in shown)

    def last_rows(self, sql):
        code, output, talk, _ = self.run("query at the end", "query", "--format", "json", sql)
        if code != 0:
            self.offend(f"a query at the end: {code} {talk[-1000:]}")
            return [collections.defaultdict(int)]
        return json.loads(output)

    def hold_events(self, truth, same):
        n = "CAST(json_extract_scalar(requestParameters, '$.n') AS bigint)"
        row = self.last_rows(f"SELECT count(*) AS n, count(DISTINCT eventID) AS ids, count(DISTINCT {n}) AS numbers, min({n}) AS first, "
                             f"max({n}) AS last FROM cloudtrail_logs")[0]
        events = truth["stored"]
        same("events: count, ids, numbers, first, last", [events, events, events, 0, events - 1],
             [row[name] for name in ("n", "ids", "numbers", "first", "last")])
        months = self.last_rows("SELECT date_format(eventTime, '%Y-%m') AS m, count(eventName) AS n FROM events GROUP BY 1 ORDER BY 1")
        found = {row["m"]: row["n"] for row in months}
        for month in sorted(truth["months"] | found):
            same(f"events of {month}", truth["months"].get(month, 0), found.get(month, 0))
        same("sum of the SHA-256 of every event", f"{truth['sum']:064x}"[:16], f"{self.sum_of_checksums():064x}"[:16])
        self.hold_bytes(events, same)

    def hold_bytes(self, events, same):
        """Holds events that are drawn against what was written: some by `event`, more by one query."""
        draw, answer = random.Random(f"{self.arguments.seed} sample"), os.path.join(self.work, "sample.json")
        sample = [n for n in (draw.randrange(events) for _ in range(500)) if not soak_trail.is_altered(n)]
        records = {self.trail.id(n): self.trail.record(n)[0] for n in sample}
        some = list(records)[:50]
        code, output, _, _ = self.run("query at the end", "event", *some)
        same(f"`event`, byte for byte, of {len(some)} drawn", (0, True), (code, output == "\n".join(map(records.get, some))))
        ids = ", ".join(f"'{one}'" for one in records)
        self.run("query at the end", "query", "--force", "-o", answer, f"SELECT eventID, eventJson FROM events WHERE eventID IN ({ids})")
        with open(answer) as file:
            found = {row["eventID"]: row["eventJson"] for row in json.load(file)}
        wrong = [one for one in records if records[one] != found.get(one)]
        same(f"`eventJson`, byte for byte, of {len(records)} drawn: others", [], wrong[:3])

    def sum_of_checksums(self):
        """The sum of `eventJsonChecksum` of all events of which every copy is equal."""
        answer = os.path.join(self.work, "checksums.tsv")
        code, _, talk, _ = self.run(
            "query at the end", "query", "--force", "-o", answer,
            "SELECT eventJsonChecksum, json_extract_scalar(requestParameters, '$.n') AS n FROM cloudtrail_logs")
        if code != 0:
            self.offend(f"checksums: {code} {talk[-1000:]}")
            return 0
        total = 0
        with open(answer) as file:
            next(file)
            for line in file:
                checksum, n = line.split("\t")
                if not soak_trail.is_altered(int(n)):
                    total += int(checksum, 16)
        os.remove(answer)
        return total % 2**256

    # The report.

    def report(self, truth, lines, seconds):
        arguments, megabytes = self.arguments, lambda count: f"{count / 1e6:.0f}"
        print(f"seed {arguments.seed}, {seconds / 60:.1f} minutes, {truth['stored']} events in {truth['objects']} objects "
              f"({megabytes(truth['bytes'])} MB): {truth['duplicates']} duplicates ({100 * truth['duplicates'] / truth['records']:.1f} %), "
              f"{truth['rejects']} malformed ({100 * truth['rejects'] / truth['records']:.2f} %), a hundredth a month late or more. "
              f"An hour was {arguments.days} days, grace {arguments.grace} s.\n")
        print("| | expected | found | |\n|---|---:|---:|---|")
        for what, expected, found in lines:
            print(f"| {what} | {expected} | {found} | {'' if expected == found else 'OFF'} |")
        self.report_kills()
        print(f"\nquestions: {dict(self.asked)}, ended because files were removed meanwhile: {dict(self.outlived)}")
        print(f"\nends: " + ", ".join(f"{kind} {code}: {count}" for (kind, code), count in sorted(self.outcomes.items())))
        print(f"\nupkeep (of runs that came to their end): {dict(self.upkeep)}")
        wrote = {kind: count for kind, count in self.written.items() if count}
        total = sum(wrote.values())
        print(f"\nlake: {megabytes(self.bytes)} MB in {self.files} files of events; an event was rewritten {self.rewritten:.2f} times at most "
              f"on average. Written to disk: {', '.join(f'{kind} {megabytes(count)} MB' for kind, count in wrote.items())}: "
              f"{total / max(1, self.bytes):.1f} times the lake, with all that kills undid.\n")
        self.report_memory()
        short = arguments.kills - len(self.hits)
        if short > 0:
            self.offend(f"{short} kills fewer than asked for")
        for text in self.offences:
            print(f"\nOFF: {text[:3000]}")
        print(f"\nverdict: {'exact' if not self.offences else f'{len(self.offences)} OFF'}")

    def report_kills(self):
        missed = sum(self.missed.values())
        print(f"\n{len(self.hits)} kills of running processes ({missed} more came too late), by signal, and by what the lake "
              f"looked like right after (a manifest stays until the next round; aimed: just after a write)\n")
        kinds = [kind for kind in SHARES]
        print("| | " + " | ".join(kinds) + " |\n|---|" + "---:|" * len(kinds))
        count = collections.Counter()
        for kind, number, where in self.hits:
            count[kind, number.name] += 1
            count[kind, where] += 1
        rows = [number.name for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)] + sorted({where for _, _, where in self.hits})
        print("| runs | " + " | ".join(str(self.runs[kind]) for kind in kinds) + " |")
        for row in rows:
            print(f"| {row} | " + " | ".join(str(count[kind, row]) for kind in kinds) + " |")

    def report_memory(self):
        """The curve: the most memory of each kind, in a tenth of the time; at last of all time."""
        kinds = sorted({kind for kind, _ in self.peaks} - {"open"})
        last = max(minute for _, minute in self.peaks)
        step = max(1, (last + 1) // 15)
        print("memory, MB at most\n\n| minutes | " + " | ".join(kinds) + " |\n|---|" + "---:|" * len(kinds))
        for begin in range(0, last + 1, step):
            most = [max(self.peaks[kind, minute] for minute in range(begin, begin + step)) for kind in kinds]
            print(f"| {begin}–{begin + step} | " + " | ".join(f"{one / 1e6:.0f}" if one else "" for one in most) + " |")
        print("| peak | " + " | ".join(f"{self.heights[kind] / 1e6:.0f}" for kind in kinds) + " |")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("traillake", "work"):
        arguments.add_argument(f"--{name}", required=True)
    for name, default in (("minutes", 60), ("events", 10_000_000), ("kills", 500), ("seed", 1), ("days", 70), ("grace", 90)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    arguments = arguments.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    if os.listdir(arguments.work):
        sys.exit(f"{arguments.work} is not empty")
    # A copy: builds may go on.
    arguments.traillake = shutil.copy(arguments.traillake, os.path.join(os.path.abspath(arguments.work), "traillake"))
    soak, begun = Soak(arguments), time.time()
    try:
        truth = soak.soak()
        seconds = time.time() - begun
        soak.report(truth, soak.hold(truth), seconds)
    finally:
        soak.stop.set()
        for process in sum(soak.running.values(), []):
            process.kill()
    sys.exit(1 if soak.offences else 0)


if __name__ == "__main__":
    main()
