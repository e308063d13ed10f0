#!/usr/bin/env python3
"""Prints what a lake of a trail cannot be smaller than: random values have no shorter form.

usage: floor.py TRAIL LAKE      TRAIL is a folder of gzipped CloudTrail files, LAKE what was made of it

Counts the distinct values of every kind of random text in the rows of the lake and in its ledger, and
what each costs at least: once as information (a UUID of version 4 has 122 free bits), once as text, at
the best a Huffman code does with its alphabet (every codec that Parquet's readers share codes text
that does not repeat so, character by character). Needs PyPI pyarrow.
"""
import glob
import json
import math
import os
import re
import sys

import pyarrow.parquet as pq

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def column(lake, table, name):
    files = glob.glob(os.path.join(lake, "stores/default", table, "**/*.parquet"), recursive=True)
    return [v for f in files for v in pq.read_table(f, columns=[name]).column(0).to_pylist()]


def as_text(values):
    """Bytes of the values under the entropy of their own characters, a bound for a Huffman code."""
    counts = {}
    for value in values:
        for character in value:
            counts[character] = counts.get(character, 0) + 1
    total = sum(counts.values())
    return -sum(n * math.log2(n / total) for n in counts.values()) / 8


def of_ids(name, values):
    distinct = {v for v in values if v}
    uuids = sum(1 for v in distinct if UUID.match(v))
    others = [v for v in distinct if not UUID.match(v)]
    return name, len(distinct), uuids * 122 / 8 + as_text(others), as_text(distinct)


def of_extended_ids(texts):
    ids = {json.loads(t).get("x-amz-id-2") for t in texts if t} - {None}
    free = sum(len(i.rstrip("=")) * 6 / 8 for i in ids)
    return "additionalEventData: x-amz-id-2", len(ids), free, as_text(ids)


def of_hashes(name, values, size):
    count = len({bytes(v) if isinstance(v, (bytes, bytearray)) else v for v in values if v is not None})
    return name, count, count * size, count * size


def main():
    trail, lake = sys.argv[1:]
    size = lambda top: sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(top) for f in fs)
    given, made = size(trail), size(lake)
    keys = [re.sub(r".*_([A-Za-z0-9]{16})\.json\.gz$", r"\1", k) for k in column(lake, "objects", "logical_key")]
    parts = [of_ids(n, column(lake, "events", n)) for n in ("eventID", "sharedEventID", "requestID")]
    parts.append(of_extended_ids(column(lake, "events", "additionalEventData")))
    parts.append(of_hashes("_fingerprint", column(lake, "events", "_fingerprint"), 8))
    parts.append(of_hashes("objects: sha256", column(lake, "objects", "sha256"), 32))
    parts.append(of_hashes("objects: inflated_sha256", column(lake, "objects", "inflated_sha256"), 32))
    suffixes = {k for k in keys if len(k) == 16}
    parts.append(("objects: random part of the key", len(suffixes), len(suffixes) * 16 * math.log2(62) / 8,
                  as_text(suffixes)))
    print("| random values | distinct | bytes as information | bytes as text |\n|---|--:|--:|--:|")
    for name, count, free, text in parts:
        print(f"| {name} | {count:,} | {free:,.0f} | {text:,.0f} |")
    free, text = sum(p[2] for p in parts), sum(p[3] for p in parts)
    print(f"| all of them | | {free:,.0f} = {free / given:.3f}x | {text:,.0f} = {text / given:.3f}x |")
    print(f"\ntrail {given:,} bytes gzipped; lake {made:,} bytes = {made / given:.3f}x")


if __name__ == "__main__":
    main()
