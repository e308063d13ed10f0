#!/usr/bin/env python3
"""Asks a lake through CloudTrail's API, with clients that think it is AWS.

usage: lake.py TRAILLAKE

Needs PyPI boto3, awscli, moto[server] and trustme. The lake holds the demo's trail; what must come
back is worked out here, from the trail's own files.
"""
import collections
import csv
import datetime
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import botocore.exceptions

from buckets import Buckets
from credentials import issued, made
from server import ENDLESS, Server, bring_in, read_trail


def main():
    traillake = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        lake, state = f"{folder}/lake", f"{folder}/state"
        bring_in(traillake, lake)
        with Server(traillake, lake, state) as server:
            events, insights = read_trail()
            client = connect(server.url)
            check_types(client)
            check_a_million(client)
            check_lookup(client, events, insights)
            check_refusals(client)
            check_samples(client, events)
            check_cancel(client)
            check_lists(client)
            check_restart(server, events)
            check_command_line(server.url, events)
        check_delivery(traillake, lake, f"{folder}/delivering", events)
        check_credentials(traillake, lake, f"{folder}/closed", events)
    print("lake: all as it should be")


def connect(url, key="any", secret="any"):
    return boto3.client(
        "cloudtrail", endpoint_url=url, region_name="eu-central-1", aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=botocore.config.Config(retries={"total_max_attempts": 1}))


def ask(client, sql, **more):
    """Runs a statement to its end; returns all its rows."""
    identity = client.start_query(QueryStatement=sql, **more)["QueryId"]
    return pages(client, wait(client, identity))


def wait(client, identity):
    for _ in range(3000):
        described = client.describe_query(QueryId=identity)
        if described["QueryStatus"] not in ("QUEUED", "RUNNING"):
            equal(described["QueryStatus"], "FINISHED", described.get("ErrorMessage"))
            return identity
        time.sleep(0.02)
    raise AssertionError("the query does not end")


def pages(client, identity, **more):
    rows, token = [], {}
    while True:
        page = client.get_query_results(QueryId=identity, **token, **more)
        rows += page["QueryResultRows"]
        equal(page["QueryStatistics"]["ResultsCount"], len(page["QueryResultRows"]))
        if "NextToken" not in page:
            equal(page["QueryStatistics"]["TotalResultsCount"], len(rows))
            return rows
        token = {"NextToken": page["NextToken"]}


def check_types(client):
    for sql, expected in [
        ("SELECT 1, CAST(2.5 AS decimal(4, 2)), 1e7, nan(), '', NULL, true",
         [[{"_col0": "1"}, {"_col1": "2.50"}, {"_col2": "1.0E7"}, {"_col3": "NaN"}, {"_col4": ""},
           {"_col5": ""}, {"_col6": "true"}]]),
        ("SELECT ARRAY['a', NULL] AS a, map(ARRAY['k'], ARRAY['ü 🦀']) AS m, date '2024-02-29' AS d,"
         " timestamp '2024-02-29 01:02:03.004' AS t,"
         " CAST(ROW(1, 'x') AS ROW(n integer, s varchar))",
         [[{"a": "[a, null]"}, {"m": "{k=ü 🦀}"}, {"d": "2024-02-29"},
           {"t": "2024-02-29 01:02:03.004"}, {"_col4": "{n=1, s=x}"}]]),
        ("SELECT eventID FROM events WHERE eventName = 'Nothing'", []),
    ]:
        equal(ask(client, sql), expected)
    rows = ask(client, "SELECT eventid, userIdentity.arn, requestParameters FROM events LIMIT 1")
    equal([list(cell)[0] for cell in rows[0]], ["eventid", "arn", "requestParameters"])
    sql = "SELECT count(*) AS n FROM events WHERE userIdentity.userName = ? OR eventName = ?"
    equal(ask(client, sql, QueryParameters=["' OR 1 = 1 --", "it's"]), [[{"n": "0"}]])


def check_a_million(client):
    """A million rows, in a thousand pages."""
    sql = """SELECT a * 1000 + b AS n FROM UNNEST(sequence(0, 999)) AS u (a)
        CROSS JOIN UNNEST(sequence(1, 1000)) AS v (b)"""
    found = sorted(int(row[0]["n"]) for row in ask(client, sql))
    equal(found == list(range(1, 1_000_001)), True, len(found))


def username(event):
    identity = event.get("userIdentity", {})
    if identity.get("type") == "Root":
        return "root"
    session = identity.get("principalId", "").split(":")[1:2]
    return identity.get("userName") or (session and session[0]) or None


def names(event):
    """What a call was about: ARNs and their last parts, and values of its parameters."""
    arns = [resource["ARN"] for resource in event.get("resources") or [] if "ARN" in resource]
    parts = [arn[place + 1:] for arn in arns for place, sign in enumerate(arn) if sign in ":/"]
    parameters = event.get("requestParameters") or {}
    texts = [value for value in parameters.values() if isinstance(value, str)]
    return set(arns + parts + texts)


ATTRIBUTES = {
    "EventId": lambda event: {event["eventID"]},
    "EventName": lambda event: {event["eventName"]},
    "EventSource": lambda event: {event["eventSource"]},
    "ReadOnly": lambda event: {json.dumps(event["readOnly"])} if "readOnly" in event else set(),
    "Username": lambda event: {username(event)} - {None},
    "AccessKeyId": lambda event: {event.get("userIdentity", {}).get("accessKeyId")} - {None, ""},
    "ResourceType": lambda event: {item.get("type") for item in event.get("resources") or []}
    - {None},
    "ResourceName": names,
}


def check_lookup(client, events, insights):
    look_up = client.get_paginator("lookup_events").paginate
    everything = list(look_up())
    assert all(len(page["Events"]) <= 50 for page in everything)
    found = [event for page in everything for event in page["Events"]]
    by_id = {event["eventID"]: event for event in events}
    equal(sorted(event["EventId"] for event in found), sorted(by_id))
    times = [event["EventTime"] for event in found]
    equal(times, sorted(times, reverse=True))
    for event in found:
        record = by_id[event["EventId"]]
        equal(json.loads(event["CloudTrailEvent"]), record)
        equal(event.get("Username"), username(record))
        equal(event["EventTime"].strftime("%Y-%m-%dT%H:%M:%SZ"), record["eventTime"][:19] + "Z")
        equal(len(event["Resources"]), len(record.get("resources") or []))
    for key, values_of in ATTRIBUTES.items():
        expected = collections.defaultdict(list)
        for event in events:
            for value in values_of(event):
                expected[value].append(event["eventID"])
        assert expected, key
        # The most and the least frequent of the values, in an order that never changes.
        values = sorted(expected, key=lambda value: (-len(expected[value]), value))
        for value in dict.fromkeys(values[:6] + values[-6:]):
            if not 1 <= len(value) <= 2000:
                continue
            pages = look_up(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])
            ids = [event["EventId"] for page in pages for event in page["Events"]]
            equal(sorted(ids), sorted(expected[value]), key, value)
        absent = [{"AttributeKey": key, "AttributeValue": "true" if key == "ReadOnly" else "%"}]
        if key != "ReadOnly":
            equal(client.lookup_events(LookupAttributes=absent)["Events"], [])
    middle = sorted(times)[len(times) // 2]
    since = [event for page in look_up(StartTime=middle) for event in page["Events"]]
    until = [event for page in look_up(EndTime=middle) for event in page["Events"]]
    equal(len(since), sum(time >= middle for time in times))
    equal(len(until), sum(time <= middle for time in times))
    unusual = client.lookup_events(EventCategory="insight")["Events"]
    equal(sorted(event["EventId"] for event in unusual),
          sorted(event["eventID"] for event in insights))


def check_refusals(client):
    missing = "5b4ee85f-d26f-4a5c-97ac-9b5a7b2cc35b"
    for name, call in [
        ("InvalidQueryStatementException",
         lambda: client.start_query(QueryStatement="SELECT eventNme FROM events")),
        ("EventDataStoreNotFoundException",
         lambda: client.start_query(QueryStatement=f"SELECT * FROM {missing}")),
        ("OperationNotPermittedException",
         lambda: client.start_query(QueryStatement="SELECT 1", DeliveryS3Uri="s3://bucket")),
        ("QueryIdNotFoundException", lambda: client.describe_query(QueryId=missing)),
        ("EventDataStoreNotFoundException",
         lambda: client.get_event_data_store(EventDataStore=missing)),
        ("InvalidLookupAttributesException",
         lambda: client.lookup_events(
             LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "maybe"}])),
        ("InvalidNextTokenException", lambda: client.lookup_events(NextToken="abcd")),
        ("UnsupportedOperationException", lambda: client.describe_trails()),
    ]:
        try:
            call()
        except botocore.exceptions.ClientError as error:
            equal(error.response["Error"]["Code"], name)
            # The exception is the one of the client's own model.
            assert type(error).__name__ == name, type(error)
        else:
            raise AssertionError(f"{name} did not come")


def check_samples(client, events):
    """A sample query by its name, with values that mean what they mean to the command line."""
    buckets = collections.Counter(
        (event.get("requestParameters") or {}).get("bucketName") for event in events)
    (bucket, _), = [most for most in buckets.most_common(2) if most[0]][:1]
    for values in [[bucket], [f" {bucket} ", "2000-01-01"], [bucket, "20000d"]]:
        started = client.start_query(QueryAlias="bucket-access", QueryParameters=values)
        assert pages(client, wait(client, started["QueryId"])), values
    for values in [[f"s3://{bucket}"], [" "], [bucket, "soon"], [bucket, "1d", "more"]]:
        try:
            client.start_query(QueryAlias="bucket-access", QueryParameters=values)
        except botocore.exceptions.ClientError as error:
            equal(error.response["Error"]["Code"], "InvalidParameterException", str(values))
        else:
            raise AssertionError(f"{values} were taken")


def check_cancel(client):
    identity = client.start_query(QueryStatement=ENDLESS)["QueryId"]
    page = client.get_query_results(QueryId=identity)
    assert page["QueryStatus"] in ("QUEUED", "RUNNING"), page
    equal(page["QueryResultRows"], [])
    equal(client.cancel_query(QueryId=identity)["QueryStatus"], "CANCELLED")
    equal(client.describe_query(QueryId=identity)["QueryStatus"], "CANCELLED")
    try:
        client.cancel_query(QueryId=identity)
    except client.exceptions.InactiveQueryException:
        pass
    else:
        raise AssertionError("what is over was cancelled")


def check_lists(client):
    [store] = client.list_event_data_stores()["EventDataStores"]
    equal((store["Name"], store["Status"]), ("default", "ENABLED"))
    arn = store["EventDataStoreArn"]
    one = client.get_event_data_store(EventDataStore=arn.split("/")[1])
    equal((one["EventDataStoreArn"], one["CreatedTimestamp"]), (arn, store["CreatedTimestamp"]))
    equal(ask(client, f"SELECT count(*) AS n FROM {arn.split('/')[1]}"),
          ask(client, "SELECT count(*) AS n FROM events"))
    listed, token = [], {}
    while True:
        page = client.list_queries(EventDataStore=arn, MaxResults=3, **token)
        listed += page["Queries"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    equal(len({query["QueryId"] for query in listed}), len(listed))
    equal(collections.Counter(query["QueryStatus"] for query in listed),
          {"FINISHED": len(listed) - 1, "CANCELLED": 1})
    times = [query["CreationTime"] for query in listed]
    equal(times, sorted(times, reverse=True))
    assert client.search_sample_queries(SearchPhrase="root account")["SearchResults"]
    equal(client.list_public_keys()["PublicKeyList"], [])


def check_restart(server, events):
    """A killed server's answers are there after it, page by page, and what ran has failed."""
    client = connect(server.url)
    sql = "SELECT eventID, n FROM events, UNNEST(sequence(1, 5)) AS t (n) ORDER BY eventID, n"
    identity = wait(client, client.start_query(QueryStatement=sql)["QueryId"])
    first = client.get_query_results(QueryId=identity, MaxQueryResults=900)
    token = first["NextToken"]
    running = client.start_query(QueryStatement=ENDLESS)["QueryId"]
    server.kill()
    server.start()
    client = connect(server.url)
    again = client.get_query_results(QueryId=identity, MaxQueryResults=900)
    equal(again["QueryResultRows"], first["QueryResultRows"])
    equal(again["NextToken"], token)
    expected = [[{"eventID": identity}, {"n": str(n)}]
                for identity in sorted(event["eventID"] for event in events)
                for n in range(1, 6)]
    second = client.get_query_results(QueryId=identity, NextToken=token, MaxQueryResults=900)
    equal(second["QueryResultRows"], expected[900:1800])
    equal(pages(client, identity, MaxQueryResults=1000), expected)
    equal(client.describe_query(QueryId=running)["QueryStatus"], "FAILED")


def run_aws(url, key, secret, *words):
    """What `aws cloudtrail` answers, or says when it fails."""
    environment = dict(os.environ, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret,
                       AWS_DEFAULT_REGION="eu-central-1", AWS_PAGER="")
    program = os.path.join(os.path.dirname(sys.executable), "aws")
    done = subprocess.run([program, "--endpoint-url", url, "--output", "json", "cloudtrail",
                           *words], env=environment, capture_output=True, text=True)
    return done.stderr if done.returncode else json.loads(done.stdout)


def check_command_line(url, events):
    def aws(*words):
        return run_aws(url, "any", "any", *words)

    sql = "SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, eventName"
    identity = aws("start-query", "--query-statement", sql)["QueryId"]
    while aws("describe-query", "--query-id", identity)["QueryStatus"] in ("QUEUED", "RUNNING"):
        time.sleep(0.2)
    counts = collections.Counter(event["eventName"] for event in events)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    answer = aws("get-query-results", "--query-id", identity)
    equal(answer["QueryResultRows"],
          [[{"eventName": name}, {"n": str(count)}] for name, count in ranked])
    by_name = f"AttributeKey=EventName,AttributeValue={ranked[0][0]}"
    found = aws("lookup-events", "--lookup-attributes", by_name)
    equal(len(found["Events"]), ranked[0][1])
    [store] = aws("list-event-data-stores")["EventDataStores"]
    queries = aws("list-queries", "--event-data-store", store["EventDataStoreArn"])["Queries"]
    equal(queries[0]["QueryId"], identity)
    found = aws("get-event-data-store", "--event-data-store", store["EventDataStoreArn"])
    equal((found["Name"], found["Status"]), ("default", "ENABLED"))
    samples = aws("search-sample-queries", "--search-phrase", "bucket")["SearchResults"]
    assert samples and all(sample["SQL"] for sample in samples), samples
    equal(aws("list-public-keys")["PublicKeyList"], [])
    identity = aws("start-query", "--query-statement", ENDLESS)["QueryId"]
    equal(aws("cancel-query", "--query-id", identity)["QueryStatus"], "CANCELLED")
    odd = "SELECT nan() AS a, NULL AS b, '' AS c, 'Größe 🦀' AS d, ARRAY[1, NULL] AS e"
    identity = aws("start-query", "--query-statement", odd)["QueryId"]
    while aws("describe-query", "--query-id", identity)["QueryStatus"] in ("QUEUED", "RUNNING"):
        time.sleep(0.2)
    equal(aws("get-query-results", "--query-id", identity)["QueryResultRows"],
          [[{"a": "NaN"}, {"b": ""}, {"c": ""}, {"d": "Größe 🦀"}, {"e": "[1, null]"}]])
    refused = aws("start-query", "--query-statement", "SELECT")
    assert "InvalidQueryStatementException" in refused, refused


# An answer of more than one part, as S3 takes long objects.
LONG = 300_000
HASHES = f"""SELECT n, to_hex(sha256(to_utf8(CAST(n AS varchar)))) AS "Ha,sh"
    FROM (SELECT x * 10000 + y AS n FROM UNNEST(sequence(0, {LONG // 10_000 - 1})) AS a (x),
        UNNEST(sequence(1, 10000)) AS b (y)) ORDER BY n"""


def check_delivery(traillake, lake, state, events):
    """Answers come into the bucket where they are wanted, under the places that are listed alone;
    what S3 says is told."""
    counts = collections.Counter(event["eventName"] for event in events)
    hashes = ((str(n), hashlib.sha256(str(n).encode()).hexdigest().upper())
              for n in range(1, LONG + 1))
    wanted, expected = "s3://my-bucket/results/team", {}
    with Buckets("my-bucket", "other-bucket") as s3:
        places = "s3://my-bucket/results, s3://no-such-bucket"
        environment = {**s3.environment, "TRAILLAKE_SERVE_DELIVER_TO": places}
        with Server(traillake, lake, state, environment=environment) as server:
            client = connect(server.url)
            for sql, rows, parts in [
                ("SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 1",
                 [("eventName", "n")] + [(name, str(counts[name])) for name in sorted(counts)], 0),
                ("SELECT eventID FROM events WHERE false", [("eventID",)], 0),
                (HASHES, [("n", "Ha,sh"), *hashes], 2),
            ]:
                described = delivered(client, sql, wanted)
                equal((described["DeliveryS3Uri"], described["DeliveryStatus"]),
                      (wanted, "SUCCESS"), sql)
                file = s3.client.get_object(Bucket="my-bucket", Key=key_of(described))
                text = gzip.decompress(file["Body"].read()).decode()
                found = [tuple(row) for row in csv.reader(io.StringIO(text))]
                assert found == rows, f"{sql}: {found[:3]} and {len(found)} rows"
                # S3 tells by the tag in how many parts an object came.
                equal(file["ETag"].strip('"').split("-")[1:], [str(parts)] if parts else [], sql)
                expected[key_of(described)] = file["ContentLength"]
            told = run_aws(server.url, "any", "any", "describe-query", "--query-id",
                           described["QueryId"])
            equal((told["DeliveryS3Uri"], told["DeliveryStatus"]), (wanted, "SUCCESS"))
            missing = delivered(client, "SELECT 1 AS one", "s3://no-such-bucket")
            equal((missing["QueryStatus"], missing["DeliveryStatus"]),
                  ("FINISHED", "RESOURCE_NOT_FOUND"))
            equal(pages(client, missing["QueryId"]), [[{"one": "1"}]])
            for uri in ("s3://my-bucket", "s3://my-bucket/results-2", "s3://other-bucket/results"):
                refused = fault(lambda: client.start_query(QueryStatement="SELECT 1",
                                                           DeliveryS3Uri=uri))
                equal(refused[0], "OperationNotPermittedException", uri)
        listed = s3.client.list_objects_v2(Bucket="my-bucket")["Contents"]
        equal({entry["Key"]: entry["Size"] for entry in listed}, expected)
        equal(s3.client.list_objects_v2(Bucket="other-bucket")["KeyCount"], 0)


def delivered(client, sql, uri):
    """Asks for an answer in a bucket; how its query is described once that came out."""
    identity = client.start_query(QueryStatement=sql, DeliveryS3Uri=uri)["QueryId"]
    wait(client, identity)
    for _ in range(3000):
        described = client.describe_query(QueryId=identity)
        if described["DeliveryStatus"] != "PENDING":
            return described
        time.sleep(0.02)
    raise AssertionError("the answer does not come")


def key_of(described):
    """The key of an answer's file, as CloudTrail Lake forms it."""
    created = described["QueryStatistics"]["CreationTime"].astimezone(datetime.timezone.utc)
    return (f"results/team/AWSLogs/000000000000/CloudTrail-Lake/Query/{created:%Y/%m/%d}/"
            f"{described['QueryId']}/result_1.csv.gz")


def check_credentials(traillake, lake, state, events):
    """What a valid key signed is answered, nothing else is, and no query is another user's."""
    valid, wrong = issued(traillake, state, "key")
    other = made(traillake, state, "key", "bob")
    with Server(traillake, lake, state, options=()) as server:
        client = connect(server.url, valid["id"], valid["secret"])
        identity = client.start_query(QueryStatement="SELECT count(*) AS n FROM events")["QueryId"]
        equal(pages(client, wait(client, identity)), [[{"n": str(len(events))}]])
        found = run_aws(server.url, valid["id"], valid["secret"], "get-query-results", "--query-id",
                        identity)
        equal(found["QueryResultRows"], [[{"n": str(len(events))}]])
        stranger = connect(server.url, other["id"], other["secret"])
        equal(fault(lambda: stranger.get_query_results(QueryId=identity))[0],
              "QueryIdNotFoundException")
        for about, key in wrong.items():
            client = connect(server.url, key["id"], key["secret"])
            ended = f"the credential `{key['id']}` ended at "
            expected = ended if about == "ended" else "the signature does not match"
            for call in (client.list_event_data_stores, client.lookup_events,
                         lambda: client.start_query(QueryStatement="SELECT 1"),
                         lambda: client.get_query_results(QueryId=identity)):
                name, message = fault(call)
                equal(name, "UnrecognizedClientException", about)
                assert expected in message, (about, message)
            said = run_aws(server.url, key["id"], key["secret"], "list-event-data-stores")
            assert "UnrecognizedClientException" in said and expected in said, (about, said)


def fault(call):
    """The name and the message of the error that a call ends in."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("it was not refused")


def equal(found, expected, *about):
    assert found == expected, f"{about}\nfound    {found!r:.2000}\nexpected {expected!r:.2000}"


if __name__ == "__main__":
    main()
