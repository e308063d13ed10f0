#!/usr/bin/env python3
"""DuckDB and ClickHouse for `queries`: holds the same events in each, and answers statements.

usage: peers.py --trail FOLDER --work FOLDER [--cores 2]

DuckDB reads a Parquet file that it wrote itself, sorted by eventTime, with its nested columns;
ClickHouse its MergeTree (see compare.py). Once both hold the trail, prints a line of JSON with their
versions and counts. Then each line of standard input, `{"peer": name, "sql": text}`, is answered by
a line `{"seconds": s, "rows": [[text, …], …]}`, or `{"error": text}`. Needs PyPI duckdb and chdb.
"""
import argparse
import json
import os
import sys

from compare import ClickHouse, DuckDB


def text(value):
    """Returns a value as text that does not depend on the engine; None for NULL."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) else f"{value:.6g}"
    return str(value)


def main():
    arguments = argparse.ArgumentParser()
    for name in ("trail", "work"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--cores", type=int, default=2)
    arguments = arguments.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    peers = {peer.name: peer for peer in (DuckDB(arguments.work, arguments.cores), ClickHouse(arguments.work, arguments.cores))}
    for peer in peers.values():
        peer.ingest(os.path.abspath(arguments.trail))
    duck = peers["DuckDB"]
    ordered = os.path.join(duck.work, "ordered.parquet")
    duck.connection.execute("SET preserve_insertion_order = true")
    duck.connection.execute(f"COPY (SELECT * FROM events ORDER BY eventTime) TO '{ordered}' (FORMAT parquet, COMPRESSION zstd)")
    duck.connection.execute(f"CREATE VIEW ordered AS SELECT * FROM '{ordered}'")
    counts = {name: int(peer.ask("SELECT count(*) FROM events")[0][0][0]) for name, peer in peers.items()}
    say({"versions": {name: peer.version for name, peer in peers.items()}, "counts": counts})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            rows, seconds = peers[asked["peer"]].ask(asked["sql"])
            say({"seconds": seconds, "rows": [[text(value) for value in row] for row in rows]})
        except Exception as error:
            say({"error": str(error)[:2000]})


def say(value):
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
