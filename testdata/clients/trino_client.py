#!/usr/bin/env python3
"""Asks a lake through Trino's protocol, with clients that think it is Trino.

usage: trino_client.py TRAILLAKE

Needs PyPI trino, SQLAlchemy, pandas and trustme. The lake holds the demo's trail; what must come
back is worked out here, from the trail's own files.
"""
import collections
import datetime
import decimal
import json
import math
import os
import pathlib
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
import warnings
import zlib

import pandas
import sqlalchemy
import trino
from sqlalchemy import text

from credentials import issued, secured
from server import ENDLESS, Server, bring_in, read_trail


def main():
    traillake = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        lake, state = f"{folder}/lake", f"{folder}/state"
        bring_in(traillake, lake)
        events, _ = read_trail()
        with Server(traillake, lake, state) as server:
            url = urllib.parse.urlsplit(server.url)
            for test in (questions, values, parameters, prepared_and_described, errors, cancel,
                         killed, transactions, many_rows, many_clients, dialect):
                began = time.time()
                test(url, events)
                print(f"{test.__name__}: {time.time() - began:.1f} s")
        credentials(traillake, lake, pathlib.Path(folder), events)


def connect(url, **more):
    return trino.dbapi.connect(host=url.hostname, port=url.port, user="ana", catalog="traillake",
                               schema="default", **more)


def ask(connection, sql, parameters=None):
    return connection.cursor().execute(sql, parameters).fetchall()


def equal(found, expected, what=""):
    assert found == expected, f"{what}\nfound    {found!r}\nexpected {expected!r}"


def questions(url, events):
    connection = connect(url)
    equal(ask(connection, "SELECT count(*) FROM events"), [[len(events)]])
    names = collections.Counter(event["eventName"] for event in events)
    found = ask(connection, "SELECT eventName, count(*) FROM events GROUP BY 1")
    equal({name: count for name, count in found}, dict(names))
    event = max(events, key=lambda event: len(event.get("requestParameters") or {}))
    found = ask(connection, "SELECT eventTime, requestParameters, eventJson FROM events "
                            "WHERE eventID = ? AND recipientAccountId = ?",
                [event["eventID"], event["recipientAccountId"]])
    at = datetime.datetime.fromisoformat(event["eventTime"].replace("Z", ""))
    equal(found[0][0], at)
    equal(set(found[0][1]), set(event["requestParameters"]))
    equal(json.loads(found[0][2]), event)
    cursor = connection.cursor().execute("SELECT eventName AS n FROM events WHERE false")
    equal(cursor.fetchall(), [])
    equal([(column.name, column.type_code) for column in cursor.description], [("n", "varchar")])
    for schema, catalog in [("no_such", "hive"), (None, None)]:
        other = trino.dbapi.connect(host=url.hostname, port=url.port, user="ana", schema=schema,
                                    catalog=catalog)
        equal(ask(other, "SELECT count(*) FROM events"), [[len(events)]])


def values(url, _events):
    row = ask(connect(url), """SELECT true, CAST(7 AS tinyint), CAST(9007199254740993 AS bigint),
        CAST(1.5 AS double), CAST('-1.20' AS decimal(5, 2)), 'Grüße 🚀 "x"', X'00ff',
        DATE '2024-02-29', TIMESTAMP '2024-05-01 10:00:00.123456',
        CAST('2024-05-01 10:00:00 UTC' AS timestamp(3) with time zone), ARRAY[1, NULL],
        MAP(ARRAY['a'], ARRAY[1.5]), CAST(ROW(1, 'x') AS ROW(n bigint, t varchar)),
        json_parse('{"a": [1]}'), INTERVAL '25' HOUR, CAST(NULL AS varchar),
        CAST('12151fd2-7586-11e9-8f9e-2a86e4085a59' AS uuid)""")[0]
    equal(row, [
        True, 7, 9007199254740993, 1.5, decimal.Decimal("-1.20"), 'Grüße 🚀 "x"', b"\x00\xff",
        datetime.date(2024, 2, 29), datetime.datetime(2024, 5, 1, 10, 0, 0, 123456),
        datetime.datetime(2024, 5, 1, 10, 0, tzinfo=datetime.timezone.utc), [1, None],
        {"a": 1.5}, (1, "x"), '{"a":[1]}', datetime.timedelta(hours=25), None,
        uuid.UUID("12151fd2-7586-11e9-8f9e-2a86e4085a59"),
    ])
    equal((row[12].n, row[12].t), (1, "x"))
    found = ask(connect(url), "SELECT nan(), infinity(), -infinity(), CAST(nan() AS real)")[0]
    assert math.isnan(found[0]) and math.isnan(found[3]), found
    equal(found[1:3], [math.inf, -math.inf])


def parameters(url, _events):
    given = [
        None, True, -5, 2 ** 62, 1.25, math.inf, "it's -- ? :x\nÜ", b"\x00\xff",
        decimal.Decimal("-12.50"), datetime.date(2024, 2, 29), datetime.time(1, 2, 3, 4),
        datetime.datetime(2024, 5, 1, 10, 0, 0, 123456),
        datetime.datetime(2024, 5, 1, 10, 0, tzinfo=datetime.timezone.utc),
        uuid.UUID("12151fd2-7586-11e9-8f9e-2a86e4085a59"), [1, 2], ["a", None], {"k": "v"},
    ]
    for legacy in (True, False):
        connection = connect(url, legacy_prepared_statements=legacy)
        for value in given:
            equal(ask(connection, "SELECT ?", [value]), [[value]], f"{value!r}, legacy {legacy}")
        assert math.isnan(ask(connection, "SELECT ?", [math.nan])[0][0])
        equal(ask(connection, "SELECT ?", [(1, "x")]), [[(1, "x")]])
        equal(ask(connection, "SELECT eventName FROM (VALUES 'a', 'b') AS t (eventName) "
                              "WHERE eventName > ? LIMIT ?", ["a", 5]), [["b"]])
    # The client finds out by itself which of the two it can use.
    equal(ask(connect(url), "SELECT ? + ?", [1, 2]), [[3]])


def prepared_and_described(url, _events):
    connection = connect(url)
    cursor = connection.cursor()
    described = cursor.describe("SELECT eventName AS n, eventTime FROM events WHERE eventID = 'x'")
    equal([(column.name, column.type) for column in described],
          [("n", "varchar"), ("eventTime", "timestamp(6)")])
    ask(connection, "SET SESSION query_max_run_time = '10m'")
    equal(connection._client_session.properties, {"query_max_run_time": "10m"})
    ask(connection, "RESET SESSION query_max_run_time")
    equal(connection._client_session.properties, {})
    ask(connection, "USE traillake.system")
    equal(connection._client_session.schema, "system")
    equal(ask(connection, "SELECT count(*) FROM objects"),
          ask(connection, "SELECT count(*) FROM traillake.system.objects"))
    equal(ask(connection, "EXPLAIN (TYPE VALIDATE) SELECT count(*) FROM objects"), [[True]])
    equal(ask(connection, "SELECT INTERVAL '5' MINUTE * 3"), [[datetime.timedelta(minutes=15)]])
    assert ["traillake"] in ask(connection, "SHOW CATALOGS")
    assert "-traillake-" in ask(connection, "SELECT version()")[0][0]


def errors(url, _events):
    for sql, name, place in [("SELECT nothing FROM events", "COLUMN_NOT_FOUND", (1, 8)),
                             ("SELECT 1 FROM nowhere", "TABLE_NOT_FOUND", (1, 15)),
                             ("SELECT\n1 +", "SYNTAX_ERROR", (2, 4))]:
        try:
            ask(connect(url), sql)
            raise AssertionError(sql)
        except trino.exceptions.TrinoUserError as error:
            equal((error.error_name, error.error_location), (name, place), sql)
    limited = connect(url, session_properties={"query_max_run_time": "100ms"})
    try:
        ask(limited, ENDLESS)
        raise AssertionError("it ended")
    except trino.exceptions.TrinoQueryError as error:
        equal(error.error_name, "EXCEEDED_TIME_LIMIT")


def cancel(url, _events):
    connection = connect(url)
    cursor = connection.cursor()
    endless = begin_endless(cursor)
    cursor.cancel()
    endless.join()
    # In the middle of rows.
    cursor = connection.cursor()
    cursor.execute("SELECT x, y FROM UNNEST(sequence(1, 10000)) AS a (x), "
                   "UNNEST(sequence(1, 1000)) AS b (y)")
    cursor.fetchmany(10)
    cursor.cancel()
    states = f"SELECT state FROM system.runtime.queries WHERE query_id = '{cursor.query_id}'"
    while ask(connection, states) != [["FAILED"]]:
        time.sleep(0.05)


def killed(url, _events):
    """As Superset ends a query: by its id, with a cursor of its own."""
    connection = connect(url)
    cursor = connection.cursor()
    endless = begin_endless(cursor)
    call = (f"CALL system.runtime.kill_query(query_id => '{cursor.query_id}',"
            "message => 'Query cancelled by Superset')")
    other = connection.cursor()
    other.execute(call)
    other.fetchall()
    equal(other.update_type, "CALL")
    endless.join()
    for sql, name in [(call, "NOT_SUPPORTED"),
                      ("CALL system.runtime.kill_query('20260101_000000_00000_abcde')",
                       "NOT_FOUND")]:
        try:
            ask(connection, sql)
            raise AssertionError(sql)
        except trino.exceptions.TrinoUserError as error:
            equal(error.error_name, name, sql)


def begin_endless(cursor):
    """The thread that asks what never ends, once the server has begun to answer."""
    endless = threading.Thread(target=run_endless, args=(cursor,))
    endless.start()
    while not (cursor._query and cursor._query._next_uri):
        time.sleep(0.01)
    return endless


def run_endless(cursor):
    try:
        cursor.execute(ENDLESS)
        cursor.fetchall()
    except trino.exceptions.TrinoUserError as error:
        equal(error.error_name, "USER_CANCELED")


def transactions(url, events):
    connection = connect(url, isolation_level=trino.transaction.IsolationLevel.READ_COMMITTED)
    equal(ask(connection, "SELECT count(*) FROM events"), [[len(events)]])
    assert connection.transaction.id
    connection.commit()
    with connect(url, isolation_level=trino.transaction.IsolationLevel.READ_COMMITTED) as other:
        equal(ask(other, "SELECT 1"), [[1]])


def many_rows(url, events):
    ids = sorted(event["eventID"] for event in events)[:100]
    sql = """WITH e AS (SELECT eventID FROM events ORDER BY eventID LIMIT 100)
        SELECT e.eventID, t.n FROM e CROSS JOIN UNNEST(sequence(1, 10000)) AS t (n)"""
    cursor = connect(url).cursor().execute(sql)
    crc = {identity: zlib.crc32(identity.encode()) for identity in ids}
    rows = checksum = 0
    for identity, n in cursor:
        rows += 1
        checksum += crc[identity] * n
    equal((rows, checksum), (1_000_000, sum(crc.values()) * 10_000 * 10_001 // 2))


def many_clients(url, events):
    """Each asks questions with constants of its own; nobody gets another's answer."""
    names = collections.Counter(event["eventName"] for event in events)
    wrong = []

    def client(number):
        try:
            connection = connect(url)
            for turn in range(10):
                name = sorted(names)[(number * 7 + turn) % len(names)]
                found = ask(connection, "SELECT count(*), ?, ? FROM events WHERE eventName = ?",
                            [number, name, name])
                equal(found, [[names[name], number, name]])
        except BaseException as error:  # told by the thread that waits
            wrong.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(wrong, [])


def credentials(traillake, lake, folder, events):
    """Over TLS, without which the client sends none: a token as a JWT and as a password."""
    state, (_, authority, options) = str(folder / "closed"), secured(folder)
    # For `requests`, which Trino's client uses, these count more than what a session is told.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    valid, wrong = issued(traillake, state, "token")
    with Server(traillake, lake, state, options) as server:
        def asked(auth, sql):
            return ask(trino.dbapi.connect(host=server.url, user="anybody", catalog="traillake",
                                           schema="default", auth=auth, verify=authority), sql)

        ways = [trino.auth.JWTAuthentication,
                lambda token: trino.auth.BasicAuthentication("anybody", token)]
        for way in ways:
            auth = way(valid["token"])
            equal(asked(auth, "SELECT count(*) FROM events"), [[len(events)]])
            equal(asked(auth, 'SELECT DISTINCT "user" FROM system.queries'), [["ana"]])
            for about, made in wrong.items():
                try:
                    asked(way(made["token"]), "SELECT 1")
                    raise AssertionError(about)
                except trino.exceptions.HttpError as error:
                    reason = "` ended at " if about == "ended" else "the token is not known"
                    assert str(error).startswith("error 401: "), (about, error)
                    assert reason in str(error), (about, error)
        address = urllib.parse.urlsplit(server.url).netloc
        secure = {"http_scheme": "https", "verify": authority}
        for token, count in [(valid["token"], len(events)), (wrong["forged"]["token"], None)]:
            engine = sqlalchemy.create_engine(f"trino://ana:{token}@{address}/traillake/default",
                                              connect_args=secure)
            try:
                with engine.connect() as connection:
                    equal(connection.execute(text("SELECT count(*) FROM events")).scalar(), count)
            except trino.exceptions.HttpError as error:
                assert count is None and str(error).startswith("error 401: "), error


def dialect(url, events):
    engine = sqlalchemy.create_engine(f"trino://ana@{url.hostname}:{url.port}/traillake/default")
    look = sqlalchemy.inspect(engine)
    assert {"default", "system", "information_schema"} <= set(look.get_schema_names())
    assert {"events", "insights", "cloudtrail_logs"} <= set(look.get_table_names())
    assert "objects" in look.get_table_names(schema="system")
    equal(look.get_view_names(), [])
    equal((look.has_table("events"), look.has_table("nowhere")), (True, False))
    equal(look.get_indexes("events"), [])
    equal(look.get_table_comment("events"), {"text": None})
    with warnings.catch_warnings():
        warnings.simplefilter("error", sqlalchemy.exc.SAWarning)
        columns = {column["name"]: column for column in look.get_columns("events")}
    equal(str(columns["eventTime"]["type"]), "TIMESTAMP")
    equal(str(columns["eventName"]["type"]), "VARCHAR")
    assert isinstance(columns["requestParameters"]["type"], trino.sqlalchemy.datatype.MAP)
    assert isinstance(columns["userIdentity"]["type"], trino.sqlalchemy.datatype.ROW)
    with engine.connect() as connection:
        sql = "SELECT eventName, count(*) AS n FROM events WHERE readOnly = :only GROUP BY 1"
        frame = pandas.read_sql(text(sql), connection, params={"only": True})
    read = collections.Counter(event["eventName"] for event in events if event.get("readOnly"))
    equal(dict(zip(frame["eventName"], frame["n"])), dict(read))
    table = sqlalchemy.Table("events", sqlalchemy.MetaData(), autoload_with=engine)
    chosen = sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
    with engine.connect() as connection:
        equal(connection.execute(chosen.where(table.c.eventName == "ConsoleLogin")).scalar(),
              sum(event["eventName"] == "ConsoleLogin" for event in events))


if __name__ == "__main__":
    main()
