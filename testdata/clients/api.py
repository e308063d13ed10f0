#!/usr/bin/env python3
"""TrailLake's own API through pandas, polars, pyarrow and DuckDB, and who is let in: tokens and
signatures over TLS, with a certificate that is renewed under way.

    pip install pandas polars pyarrow duckdb-extension-httpfs boto3 trustme
    api.py TRAILLAKE
"""
import datetime
import http.client
import json
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.exceptions
import duckdb
import pandas
import polars
import pyarrow.ipc

import duck
from credentials import certificate, issued, secured
from server import Server, bring_in, read_trail

SQL = "SELECT eventName, count(*) AS n, min(eventTime) AS first FROM events GROUP BY 1 ORDER BY 1"


# Its last rows never come: a limit of rows ends it when the first are on their way.
BROKEN = "SELECT x, y FROM UNNEST(sequence(1, 10000)) AS a (x), UNNEST(sequence(1, 10000)) AS b (y)"

MILLION = """
SELECT a * 1000 + b AS n, 'é' || CAST(b AS varchar) AS word
FROM UNNEST(sequence(0, 999)) AS u (a) CROSS JOIN UNNEST(sequence(1, 1000)) AS v (b)
"""


def url(server, sql, form, **more):
    asked = {"sql": sql, "format": form, **more}
    return f"{server.url}/v1/query?" + urllib.parse.urlencode(asked)


def expected():
    """What SQL asks, worked out from the files."""
    counts, first = {}, {}
    for event in read_trail()[0]:
        name, at = event["eventName"], event["eventTime"]
        counts[name] = counts.get(name, 0) + 1
        first[name] = min(first.get(name, at), at)
    return {name: (counts[name], first[name]) for name in sorted(counts)}


def readers(traillake, lake, state, want):
    with Server(traillake, lake, state) as server:
        frame = pandas.read_csv(url(server, SQL, "csv"), parse_dates=["first"])
        got = {row.eventName: (row.n, row.first.strftime("%Y-%m-%dT%H:%M:%SZ"))
               for row in frame.itertuples()}
        assert got == want, (got, want)
        with urllib.request.urlopen(url(server, SQL, "arrow")) as reply:
            table = pyarrow.ipc.open_stream(reply).read_all()
        frame = polars.from_arrow(table)
        assert dict(zip(frame["eventName"], frame["n"])) == {k: v[0] for k, v in want.items()}
        frame = polars.read_parquet(urllib.request.urlopen(url(server, SQL, "parquet")).read())
        assert frame["n"].sum() == sum(n for n, _ in want.values())
        # By itself polars reads a URL of which parts can be had, and no other.
        frame = polars.read_csv(urllib.request.urlopen(url(server, SQL, "csv")))
        assert dict(zip(frame["eventName"], frame["n"])) == {k: v[0] for k, v in want.items()}
        frame = pandas.read_json(url(server, SQL, "ndjson"), lines=True)
        assert list(frame["eventName"]) == list(want)
        with urllib.request.urlopen(url(server, MILLION, "arrow")) as reply:
            table = pyarrow.ipc.open_stream(reply).read_all()
        for frame in [pandas.read_csv(url(server, MILLION, "csv")), table.to_pandas()]:
            assert len(frame) == 1_000_000 and frame["n"].sum() == 500_000_500_000
            assert set(frame["word"]) == {f"é{b}" for b in range(1, 1001)}
    print(f"pandas, polars and pyarrow read {len(want)} rows alike, and a million")


def by_duckdb(traillake, lake, state, want):
    """DuckDB asks for the head of a URL, then for all of it: one query for each table it reads."""
    counts = [(name, n) for name, (n, _) in want.items()]
    with Server(traillake, lake, state) as server:
        reader = duck.connect()
        for form, function in [("csv", "read_csv"), ("ndjson", "read_json"),
                               ("parquet", "read_parquet")]:
            address = url(server, SQL, form)
            found = reader.execute(f"SELECT eventName, n FROM {function}('{address}')").fetchall()
            assert found == counts, (form, found)
        # As docs/clients/http.md writes it, and joined with another: types are those of Parquet.
        address = f"'{server.url}/v1/query?format=parquet&sql=' || url_encode(?)"
        found = reader.execute(
            f"""SELECT a.eventName, CAST(epoch(a.first) AS bigint) FROM read_parquet({address}) AS a
                JOIN read_csv('{url(server, SQL, "csv")}') AS b USING (eventName) ORDER BY 1""",
            [SQL]).fetchall()
        assert found == [(name, at(first)) for name, (_, first) in want.items()], found
        asked = json.load(urllib.request.urlopen(f"{server.url}/v1/queries"))["queries"]
        assert [query["status"] for query in asked] == ["FINISHED"] * 5, asked
        for sql, more, word in [("SELECT nothing FROM events", {}, "HTTP 400"),
                                (BROKEN, {"rows_max": 1}, "HTTP 422"),
                                (BROKEN, {"rows_max": 200_000}, "error for HTTP GET")]:
            try:
                found = reader.execute(f"FROM read_csv('{url(server, sql, 'csv', **more)}')")
                raise AssertionError(f"{sql}: {len(found.fetchall())} rows")
            except duckdb.IOException as error:
                assert word in str(error), (sql, error)
    print("DuckDB reads URLs, asks each statement once, and takes no half for a whole")


def at(text):
    """Seconds since 1970."""
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def by_token(traillake, lake, state, want):
    """What docs/clients/http.md reads with a token; with one that is not valid, the API's error."""
    valid, wrong = issued(traillake, state, "token")
    with Server(traillake, lake, state, options=()) as server:
        headers = {"Authorization": f"Bearer {valid['token']}"}
        frame = pandas.read_csv(url(server, SQL, "csv"), storage_options=headers)
        counts = {name: n for name, (n, _) in want.items()}
        assert dict(zip(frame["eventName"], frame["n"])) == counts
        request = urllib.request.Request(url(server, SQL, "arrow"), headers=headers)
        table = pyarrow.ipc.open_stream(urllib.request.urlopen(request)).read_all()
        frame = polars.from_arrow(table)
        assert dict(zip(frame["eventName"], frame["n"])) == counts
        address = url(server, SQL, "csv")
        reader = duck.connect(valid["token"])
        found = reader.execute(f"SELECT eventName, n FROM read_csv('{address}')").fetchall()
        assert dict(found) == counts
        for about, made in wrong.items():
            try:
                duck.connect(made["token"]).execute(f"FROM read_csv('{address}')")
                raise AssertionError(about)
            except duckdb.HTTPException:
                pass
            headers = {"Authorization": f"Bearer {made['token']}"}
            try:
                pandas.read_csv(url(server, SQL, "csv"), storage_options=headers)
                raise AssertionError(about)
            except urllib.error.HTTPError as error:
                assert error.code == 401, about
                assert error.headers["WWW-Authenticate"] == 'Bearer realm="traillake"'
                told = json.loads(error.read())["error"]["message"]
            expected = "` ended at " if about == "ended" else "the token is not known"
            assert expected in told, (about, told)
    print(f"pandas, polars and DuckDB read with a token; {len(wrong)} others are refused")


def presented(server, context):
    host, port = server.url.removeprefix("https://").split(":")
    import socket
    with socket.create_connection((host, int(port))) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            return secured.getpeercert(binary_form=True)


def status(request, context):
    try:
        return urllib.request.urlopen(request, context=context).status
    except urllib.error.HTTPError as error:
        return error.code


def client(server, key, secret, authority):
    return boto3.client(
        "cloudtrail", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=key,
        aws_secret_access_key=secret, verify=str(authority))


def fault(call):
    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def who_is_let_in(traillake, lake, state, folder):
    authority, _, options = secured(folder)
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    with Server(traillake, lake, state, options) as server:
        assert server.url.startswith("https://"), server.url
        token = (pathlib.Path(state) / "token").read_text().strip()
        ask = urllib.request.Request(url(server, "SELECT 1", "csv"))
        assert status(ask, context) == 401
        ask.add_header("Authorization", f"Bearer {token}")
        assert status(ask, context) == 200
        ask.add_header("Authorization", f"Bearer {token}x")
        assert status(ask, context) == 401
        plain = server.url.replace("https://", "http://") + "/health"
        try:
            urllib.request.urlopen(plain, timeout=5)
            raise AssertionError("it answered without TLS")
        except urllib.error.HTTPError as error:
            assert error.code == 400 and b"only TLS is spoken here" in error.read(), error

        keys = dict(line.split(" = ") for line in
                    (pathlib.Path(state) / "aws-credentials").read_text().splitlines()[1:])
        key, secret = keys["aws_access_key_id"], keys["aws_secret_access_key"]
        listed = client(server, key, secret, folder / "ca.pem").list_event_data_stores
        assert [store["Name"] for store in listed()["EventDataStores"]] == ["default"]
        wrong = client(server, key, secret[:-1] + "x", folder / "ca.pem")
        assert fault(wrong.list_event_data_stores) == "UnrecognizedClientException"
        unknown = client(server, "TLAK" + "A" * 16, secret, folder / "ca.pem")
        assert fault(unknown.list_event_data_stores) == "UnrecognizedClientException"
        made = json.loads(subprocess.run(
            [traillake, "key", "add", "bob", "--expires", "1s", "--state", state, "--format",
             "json"], check=True, capture_output=True).stdout)
        time.sleep(1.1)
        ended = client(server, made["id"], made["secret"], folder / "ca.pem")
        assert fault(ended.list_event_data_stores) == "UnrecognizedClientException"

        before = presented(server, context)
        time.sleep(1.1)
        certificate(folder, authority)
        after = presented(server, context)
        assert before != after, "the renewed certificate is not presented"
        assert status(ask, context) == 401
        (folder / "cert.pem").write_text("broken")
        assert presented(server, context) == after, "a broken certificate must not be used"
    print("TLS, tokens and signatures: who is not known is not answered")


def main():
    traillake = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lake = str(folder / "lake")
        bring_in(traillake, lake)
        want = expected()
        readers(traillake, lake, str(folder / "open"), want)
        by_duckdb(traillake, lake, str(folder / "by-duckdb"), want)
        by_token(traillake, lake, str(folder / "by-token"), want)
        who_is_let_in(traillake, lake, str(folder / "closed"), folder)


if __name__ == "__main__":
    main()
