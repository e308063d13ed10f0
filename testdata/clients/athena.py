"""Athena's clients, unmodified, on a small lake: python athena.py TRAILLAKE

Packages: awswrangler boto3 duckdb-extension-httpfs pyathena[arrow,pandas,sqlalchemy] trustme
"""
import datetime
import decimal
import functools
import json
import math
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

# No client may find settings of whoever runs this, nor leave this machine.
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="example",
    AWS_DEFAULT_REGION="eu-central-1", AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)

import awswrangler
import boto3
import pandas
import pyathena
import sqlalchemy
from botocore.config import Config
from botocore.exceptions import ClientError
from pyathena.arrow.cursor import ArrowCursor
from pyathena.pandas.cursor import PandasCursor

import duck
from credentials import issued, made
from server import Server, bring_in

ODD = "it's \"odd\", ☃\nüñí\u00a0\\ \t{a=b}"
TYPES = """
SELECT true AS b, 7 AS i, BIGINT '-9007199254740993' AS l, 0.5E0 AS d, nan() AS nan,
    DECIMAL '12.50' AS dec, 'x' AS v, '' AS empty, CAST(NULL AS varchar) AS missing,
    CAST(NULL AS bigint) AS no_number, DATE '2024-05-01' AS day,
    TIMESTAMP '2024-05-01 01:02:03.004' AS at, ARRAY[1, 2] AS list,
    MAP(ARRAY['k'], ARRAY['v']) AS map, CAST(ROW(1, 'x') AS ROW(a bigint, b varchar)) AS row,
    X'00ff' AS bytes
"""
MANY = """
SELECT a * 1000 + b AS n, 'row ' || CAST(a * 1000 + b AS varchar) AS t
FROM UNNEST(sequence(0, 99)) AS u(a) CROSS JOIN UNNEST(sequence(1, 1000)) AS v(b) ORDER BY 1
"""
AGENTS = "SELECT useragent FROM cloudtrail_logs ORDER BY eventid"
FEW = MANY.replace("(0, 99)", "(0, 2)")
MILLION = MANY.replace("(0, 99)", "(0, 999)")
ENDLESS = """
SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)
CROSS JOIN UNNEST(sequence(1, 10000)) AS c(z) WHERE x + y * z < 0
"""
BUCKET = "s3://my-results/athena/"


def event(number, name, agent):
    return {
        "eventVersion": "1.08", "eventTime": f"2024-05-01T10:00:0{number}Z",
        "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7", "userAgent": agent,
        "userIdentity": {"type": "IAMUser", "userName": "ada", "arn": "arn:aws:iam::1:user/ada"},
        "requestParameters": {"bucketName": "b"}, "responseElements": None, "readOnly": True,
        "eventID": f"00000000-0000-0000-0000-00000000000{number}", "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }


def make_lake(traillake, folder):
    records = [event(0, "GetObject", "aws-cli"), event(1, "PutObject", ODD),
               event(2, "ListBuckets", "aws-cli")]
    log = os.path.join(folder, "log.json")
    with open(log, "w") as file:
        json.dump({"Records": records}, file)
    lake = os.path.join(folder, "lake")
    bring_in(traillake, lake, log)
    return lake


def key_of(made):
    return {"aws_access_key_id": made["id"], "aws_secret_access_key": made["secret"]}


def finished(athena, sql, **more):
    """Runs a statement; how its query is described when it is over."""
    id = athena.start_query_execution(QueryString=sql, **more)["QueryExecutionId"]
    while True:
        found = athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]
        if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return found
        time.sleep(0.02)


def boto(url):
    """boto3: the whole life of a query, and its file by S3."""
    athena = boto3.client("athena", endpoint_url=url)
    s3 = boto3.client("s3", endpoint_url=url)
    run = functools.partial(finished, athena)
    found = run("SELECT eventname, useragent FROM cloudtrail_logs WHERE eventname = ?",
                ExecutionParameters=["'PutObject'"],
                QueryExecutionContext={"Database": "default", "Catalog": "AwsDataCatalog"},
                ResultConfiguration={"OutputLocation": BUCKET})
    assert found["Status"]["State"] == "SUCCEEDED", found
    assert found["Status"]["SubmissionDateTime"] <= found["Status"]["CompletionDateTime"]
    rows = athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])
    rows = [[d.get("VarCharValue") for d in r["Data"]] for r in rows["ResultSet"]["Rows"]]
    assert rows == [["eventname", "useragent"], ["PutObject", ODD]], rows
    bucket, key = found["ResultConfiguration"]["OutputLocation"][5:].split("/", 1)
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    odd = ODD.replace('"', '""')
    assert body == f'"eventname","useragent"\n"PutObject","{odd}"\n', body
    head = s3.head_object(Bucket=bucket, Key=key)
    assert head["ContentLength"] == len(body.encode()), head
    part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=1-9")["Body"].read()
    assert part == b"eventname", part
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="athena/")
    assert [o["Key"] for page in listed for o in page["Contents"]] == [key]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    for refused in [lambda: s3.get_object(Bucket=bucket, Key="athena/state.db"),
                    lambda: s3.put_object(Bucket=bucket, Key="x", Body=b"x")]:
        try:
            refused()
            raise AssertionError("it must be refused")
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("NoSuchKey", "MethodNotAllowed"), error
    pages = athena.get_paginator("get_query_results")
    many = run(MANY)["QueryExecutionId"]
    rows = [r["Data"] for page in pages.paginate(QueryExecutionId=many)
            for r in page["ResultSet"]["Rows"]]
    assert len(rows) == 100_001 and rows[-1][1]["VarCharValue"] == "row 100000", rows[-1]
    id = athena.start_query_execution(QueryString=ENDLESS)["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=id)
    while True:
        state = athena.get_query_execution(QueryExecutionId=id)["QueryExecution"]["Status"]["State"]
        if state not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.02)
    assert state == "CANCELLED", state
    assert id in athena.list_query_executions()["QueryExecutionIds"]
    tables = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="default")
    assert "events" in [t["Name"] for t in tables["TableMetadataList"]]
    assert athena.get_work_group(WorkGroup="primary")["WorkGroup"]["Name"] == "primary"
    assert "primary" in [g["Name"] for g in athena.list_work_groups()["WorkGroups"]]
    catalogs = athena.list_data_catalogs()["DataCatalogsSummary"]
    assert [c["CatalogName"] for c in catalogs] == ["AwsDataCatalog"], catalogs
    catalog = athena.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]
    assert catalog["Name"] == "AwsDataCatalog", catalog
    database = athena.get_database(CatalogName="AwsDataCatalog", DatabaseName="default")
    assert database["Database"]["Name"] == "default", database
    boto_types(athena)
    boto_tokens(athena, many)


def boto_types(athena):
    """boto3: each type and its text, NULL apart from empty text, and an answer without rows."""
    found = finished(athena, TYPES)
    answer = athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])["ResultSet"]
    types = {c["Name"]: c["Type"] for c in answer["ResultSetMetadata"]["ColumnInfo"]}
    values = dict(zip(types, (d.get("VarCharValue") for d in answer["Rows"][1]["Data"])))
    told = {name: (types[name], value) for name, value in values.items()}
    # Athena says integer for a 7.
    expected = {
        "b": ("boolean", "true"), "i": ("bigint", "7"), "l": ("bigint", "-9007199254740993"),
        "d": ("double", "0.5"), "nan": ("double", "NaN"), "dec": ("decimal", "12.50"),
        "v": ("varchar", "x"), "empty": ("varchar", ""), "missing": ("varchar", None),
        "day": ("date", "2024-05-01"), "at": ("timestamp", "2024-05-01 01:02:03.004"),
        "list": ("array", "[1, 2]"), "map": ("map", "{k=v}"), "row": ("row", "{a=1, b=x}"),
        "bytes": ("varbinary", "00 ff"),
    }
    assert {name: told.get(name) for name in expected} == expected, told
    none = finished(athena, "SELECT eventname FROM events WHERE false")["QueryExecutionId"]
    rows = athena.get_query_results(QueryExecutionId=none)["ResultSet"]["Rows"]
    assert [[d["VarCharValue"] for d in row["Data"]] for row in rows] == [["eventname"]], rows


def boto_tokens(athena, known):
    """boto3: what is asked twice by one token is one query; statistics; what nobody knows."""
    token = "a-token-of-a-client-that-asks-twice-00001"
    start = functools.partial(athena.start_query_execution, ClientRequestToken=token)
    first = start(QueryString="SELECT 1")["QueryExecutionId"]
    assert start(QueryString="SELECT 1")["QueryExecutionId"] == first
    try:
        start(QueryString="SELECT 2")
        raise AssertionError("a token stands for one statement")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidRequestException", error
    unknown = "00000000-0000-4000-8000-000000000000"
    found = athena.batch_get_query_execution(QueryExecutionIds=[known, unknown])
    assert [q["QueryExecutionId"] for q in found["QueryExecutions"]] == [known], found
    [lost] = found["UnprocessedQueryExecutionIds"]
    assert lost["QueryExecutionId"] == unknown, lost
    told = athena.get_query_runtime_statistics(QueryExecutionId=known)["QueryRuntimeStatistics"]
    assert told["Rows"]["OutputRows"] == 100_000, told


def pyathena_cursors(url):
    """PyAthena: rows by Athena's API, and tables by the file on S3."""
    os.environ["AWS_ENDPOINT_URL"] = url
    with_files = pyathena.connect(s3_staging_dir=BUCKET, poll_interval=0.05)
    cursor = with_files.cursor().execute(TYPES)
    row = dict(zip([c[0] for c in cursor.description], cursor.fetchone()))
    assert math.isnan(row.pop("nan"))
    assert row == {
        "b": True, "i": 7, "l": -9007199254740993, "d": 0.5, "dec": decimal.Decimal("12.50"),
        "v": "x", "empty": "", "missing": None, "no_number": None,
        "day": datetime.date(2024, 5, 1), "at": datetime.datetime(2024, 5, 1, 1, 2, 3, 4000),
        "list": [1, 2], "map": {"k": "v"}, "row": {"a": "1", "b": "x"}, "bytes": b"\x00\xff",
    }, row
    cursor.execute("SELECT useragent FROM cloudtrail_logs WHERE eventname = %(name)s",
                   {"name": "PutObject"})
    assert cursor.fetchall() == [(ODD,)]
    cursor.execute("SELECT count(*) FROM cloudtrail_logs WHERE eventname = ?", ["'GetObject'"],
                   paramstyle="qmark")
    assert cursor.fetchone() == (1,)
    cursor.execute("SELECT 1 AS a WHERE false")
    assert cursor.fetchall() == [] and cursor.description[0][0] == "a"
    assert ("events",) in cursor.execute("SHOW TABLES").fetchall()
    assert len(cursor.execute(FEW).fetchall()) == 3_000
    try:
        cursor.execute("SELECT nothing FROM events")
        raise AssertionError("it must fail")
    except pyathena.OperationalError as error:
        assert "nothing" in str(error), error
    # Where no files are made everything comes by the API.
    managed = pyathena.connect(work_group="managed", s3_staging_dir=BUCKET, poll_interval=0.05)
    for connection in [with_files, managed]:
        # PyAthena reads `NaN` when it is told to, from Athena's files as from these.
        reading = {"na_values": ["", "NaN"]}
        frame = connection.cursor(PandasCursor).execute(TYPES, **reading).as_pandas()
        assert frame.shape == (1, 16) and frame["l"][0] == -9007199254740993, frame.dtypes
        assert math.isnan(frame["nan"][0])
        assert frame["at"][0] == datetime.datetime(2024, 5, 1, 1, 2, 3, 4000), frame["at"]
        frame = connection.cursor(PandasCursor).execute(FEW).as_pandas()
        assert int(frame["n"].sum()) == 4_501_500 and frame["t"].iloc[-1] == "row 3000"
        frame = connection.cursor(PandasCursor).execute("SELECT 1 AS a WHERE false").as_pandas()
        assert list(frame.columns) == ["a"] and frame.empty
        frame = connection.cursor(PandasCursor).execute(AGENTS).as_pandas()
        assert list(frame["useragent"]) == ["aws-cli", ODD, "aws-cli"]
        shown = connection.cursor(PandasCursor).execute("SHOW TABLES").as_pandas()
        assert "events" in shown.iloc[:, 0].tolist(), shown
    frame = with_files.cursor(PandasCursor).execute(MILLION).as_pandas()
    assert int(frame["n"].sum()) == 500_000_500_000 and frame["t"].iloc[-1] == "row 1000000"
    # Its Arrow cursor reads files with pyarrow, which cannot be told where S3 is.
    table = managed.cursor(ArrowCursor).execute(AGENTS).as_arrow()
    assert table["useragent"].to_pylist() == ["aws-cli", ODD, "aws-cli"]
    table = managed.cursor(ArrowCursor).execute(FEW).as_arrow()
    assert table.num_rows == 3_000 and table["n"][2_999].as_py() == 3_000
    table = managed.cursor(ArrowCursor).execute(TYPES).as_arrow()
    assert table["no_number"][0].as_py() is None and math.isnan(table["nan"][0].as_py()), table
    assert table["day"][0].as_py() == datetime.date(2024, 5, 1), table["day"]
    cancelled = with_files.cursor()
    threading.Timer(0.5, cancelled.cancel).start()
    try:
        cancelled.execute(ENDLESS)
        raise AssertionError("it must be cancelled")
    except pyathena.OperationalError as error:
        assert "cancel" in str(error), error
    del os.environ["AWS_ENDPOINT_URL"]


def alchemy(url):
    """SQLAlchemy: reflection and a query."""
    host = url.split("://")[1]
    engine = sqlalchemy.create_engine(
        f"awsathena+rest://:@athena.eu-central-1.amazonaws.com:443/default"
        f"?s3_staging_dir={BUCKET}&poll_interval=0.05",
        connect_args={"endpoint_url": f"http://{host}"})
    inspector = sqlalchemy.inspect(engine)
    assert "default" in inspector.get_schema_names()
    assert {"events", "cloudtrail_logs"} <= set(inspector.get_table_names())
    assert inspector.has_table("events") and not inspector.has_table("nothing")
    table = sqlalchemy.Table("cloudtrail_logs", sqlalchemy.MetaData(), autoload_with=engine)
    assert isinstance(table.c.eventname.type, sqlalchemy.types.String), table.c.eventname.type
    with engine.connect() as connection:
        query = sqlalchemy.select(table.c.eventname).where(table.c.useragent == ODD)
        assert connection.execute(query).fetchall() == [("PutObject",)]
        whole = connection.execute(sqlalchemy.select(table).limit(1)).fetchone()
        assert len(whole) == len(table.c)


def wrangler(url):
    """awswrangler: data frames by the file on S3, and by the API alone."""
    awswrangler.config.athena_endpoint_url = url
    awswrangler.config.s3_endpoint_url = url
    described = awswrangler.athena.describe_table(
        "cloudtrail_logs", database="default", s3_output=BUCKET,
        athena_query_wait_polling_delay=0.05)
    types = dict(zip(described["Column Name"], described["Type"]))
    assert types["eventname"] == "varchar" and types["useridentity"].startswith("row("), described
    ways = [{"s3_output": BUCKET}, {}, {"workgroup": "managed"},
            {"s3_output": BUCKET, "keep_files": False}]
    for way in ways:
        def read(sql, **more):
            return awswrangler.athena.read_sql_query(
                sql, database="default", ctas_approach=False,
                athena_query_wait_polling_delay=0.05, **way, **more)

        frame = read(TYPES)
        assert frame["l"][0] == -9007199254740993 and frame["dec"][0] == decimal.Decimal("12.50")
        assert frame["day"][0] == datetime.date(2024, 5, 1), frame["day"]
        assert frame["at"][0] == datetime.datetime(2024, 5, 1, 1, 2, 3, 4000)
        assert frame["missing"].isna()[0] and frame["no_number"].isna()[0]
        assert frame["list"][0] == "[1, 2]" and frame["map"][0] == "{k=v}", frame
        frame = read(FEW)
        assert len(frame) == 3_000 and int(frame["n"].sum()) == 4_501_500
        frame = read("SELECT useragent FROM cloudtrail_logs WHERE eventname = ?",
                     params=["'PutObject'"], paramstyle="qmark")
        assert frame["useragent"].tolist() == [ODD], frame
        frame = read("SELECT eventname FROM cloudtrail_logs WHERE eventname = :name",
                     params={"name": "GetObject"})
        assert frame["eventname"].tolist() == ["GetObject"], frame
        assert read("SELECT 1 AS a WHERE false").shape == (0, 1)
        chunks = list(read(FEW, chunksize=900))
        assert [len(chunk) for chunk in chunks] == [900] * 3 + [300]
    frame = read(MANY)
    assert len(frame) == 100_000 and int(frame["n"].sum()) == 5_000_050_000
    left = boto3.client("s3", endpoint_url=url).list_objects_v2(Bucket="my-results")
    kept = left["KeyCount"]
    read("SELECT 1 AS a")
    left = boto3.client("s3", endpoint_url=url).list_objects_v2(Bucket="my-results")
    assert left["KeyCount"] == kept, "`keep_files=False` leaves none"
    try:
        read("SELECT nothing FROM events")
        raise AssertionError("it must fail")
    except awswrangler.exceptions.QueryFailed as error:
        assert "nothing" in str(error), error


def by_key(traillake, lake, state):
    """All of them with an access key; with one that is not valid, Athena's own error and S3's."""
    valid, wrong = issued(traillake, state, "key")
    with Server(traillake, lake, state, options=()) as server:
        os.environ["AWS_ENDPOINT_URL"] = server.url

        def connect(made):
            return pyathena.connect(s3_staging_dir=BUCKET, poll_interval=0.05, **key_of(made))

        assert connect(valid).cursor().execute("SELECT 1 AS a").fetchall() == [(1,)]
        frame = connect(valid).cursor(PandasCursor).execute(AGENTS).as_pandas()
        assert list(frame["useragent"]) == ["aws-cli", ODD, "aws-cli"]
        user = ":".join(urllib.parse.quote_plus(valid[part]) for part in ("id", "secret"))
        engine = sqlalchemy.create_engine(
            f"awsathena+rest://{user}@athena.eu-central-1.amazonaws.com:443/default"
            f"?s3_staging_dir={BUCKET}&poll_interval=0.05")
        with engine.connect() as connection:
            count = connection.execute(sqlalchemy.text("SELECT count(*) FROM events"))
            assert count.scalar() == 3
        awswrangler.config.athena_endpoint_url = server.url
        awswrangler.config.s3_endpoint_url = server.url
        frame = awswrangler.athena.read_sql_query(
            AGENTS, database="default", ctas_approach=False, s3_output=BUCKET,
            athena_query_wait_polling_delay=0.05,
            boto3_session=boto3.Session(region_name="eu-central-1", **key_of(valid)))
        assert list(frame["useragent"]) == ["aws-cli", ODD, "aws-cli"]
        for about, made in wrong.items():
            try:
                connect(made).cursor().execute("SELECT 1")
                raise AssertionError(about)
            except pyathena.DatabaseError as error:
                expected = "` ended at " if about == "ended" else "the signature does not match"
                assert "UnrecognizedClientException" in str(error), (about, error)
                assert expected in str(error), (about, error)
            try:
                boto3.client("s3", **key_of(made)).list_objects_v2(Bucket="my-results")
                raise AssertionError(about)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "AccessDenied", (about, error)
        del os.environ["AWS_ENDPOINT_URL"]


def presigned(traillake, lake, state):
    """Who has the URL of a result fetches it without keys, while it is good and as it was signed."""
    ana, bob = (made(traillake, state, "key", name) for name in ("ana", "bob"))
    with Server(traillake, lake, state, options=()) as server:
        athena = boto3.client("athena", endpoint_url=server.url, **key_of(ana))
        found = finished(athena, FEW, ResultConfiguration={"OutputLocation": BUCKET})
        bucket, key = found["ResultConfiguration"]["OutputLocation"][5:].split("/", 1)

        def url(method="get_object", whose=ana, seconds=60, version="s3v4"):
            s3 = boto3.client("s3", endpoint_url=server.url, **key_of(whose),
                              config=Config(signature_version=version))
            return s3.generate_presigned_url(method, Params={"Bucket": bucket, "Key": key},
                                             ExpiresIn=seconds)

        good, short = url(), url(seconds=1)
        status, headers, whole = fetched(good)
        assert (status, headers["Content-Length"]) == (200, str(len(whole))), whole
        assert whole.startswith('"n","t"\n"1","row 1"\n') and whole.count("\n") == 3_001, whole
        for asked, part in [("1-9", whole[1:10]), (f"{len(whole) - 5}-", whole[-5:]),
                            ("-5", whole[-5:])]:
            status, headers, text = fetched(good, headers={"Range": f"bytes={asked}"})
            assert (status, text) == (206, part), (asked, status, text)
            assert headers["Content-Range"].endswith(f"/{len(whole)}"), headers["Content-Range"]
        status, headers, _ = fetched(url("head_object"), method="HEAD")
        assert (status, headers["Content-Length"]) == (200, str(len(whole)))
        frame = pandas.read_csv(good)
        assert (len(frame), int(frame["n"].sum())) == (3_000, 4_501_500), frame
        # DuckDB asks for the head first, which was not signed, then for a range of two bytes.
        rows = duck.connect().execute(f"SELECT count(*), sum(n::bigint) FROM read_csv('{good}')")
        assert rows.fetchall() == [(3_000, 4_501_500)]
        time.sleep(2.1)
        for address, method, expected, word in [
            (short, "GET", 403, "is good for 1 s"),
            (good.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), "GET", 403, "does not match"),
            (good.replace(".csv?", ".txt?"), "GET", 403, "does not match"),
            (good.replace("X-Amz-Signature=", "X-Amz-Signature=0"), "GET", 403, "malformed"),
            (good.split("&X-Amz-Signature")[0], "GET", 403, "no credentials"),
            (url(whose=bob), "GET", 404, "NoSuchKey"),
            (url(version="s3"), "GET", 403, "version 2"),
            (url(seconds=8 * 24 * 3600), "GET", 403, "604800"),
            (good, "HEAD", 403, ""),
            (good, "PUT", 403, "files of results alone"),
            (good, "DELETE", 403, "files of results alone"),
        ]:
            status, _, text = fetched(address, method)
            assert status == expected and word in text, (method, address, status, text)
        assert fetched(good)[::2] == (200, whole), "nothing of that changed it"


def fetched(url, method="GET", headers=None):
    """What a URL is answered with: the status, the headers and the text."""
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        reply = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        reply = error
    with reply:
        return reply.status, reply.headers, reply.read().decode()


def main():
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(sys.argv[1], folder)
        with Server(sys.argv[1], lake, os.path.join(folder, "state")) as server:
            for test in [boto, pyathena_cursors, alchemy, wrangler]:
                began = time.monotonic()
                test(server.url)
                print(f"{test.__name__}: ok, {time.monotonic() - began:.1f} s")
        by_key(sys.argv[1], lake, os.path.join(folder, "closed"))
        print("by_key: ok")
        presigned(sys.argv[1], lake, os.path.join(folder, "presigned"))
        print("presigned: ok")


main()
