"""Statements of Trino's SQL that sqlglot reads, one a line: a peer's opinion of the grammar.

usage: statements.py COUNT SEED

Every statement is generated from a grammar over CloudTrail's columns, with types in mind, so that
Trino would run it. It is printed as generated and, where that differs, once more as sqlglot
writes it: two spellings of one tree. A statement that sqlglot does not read is a fault of this
generator and ends the run. The same seed gives the same statements.
"""

import random
import sys

import sqlglot

TEXTS = ["eventID", "eventName", "userIdentity.type", "userIdentity.arn", "year",
         "userIdentity.sessionContext.sessionIssuer.arn", "sessionCredentialFromConsole",
         "element_at(requestParameters, 'bucketName')", "requestParameters['key']",
         "element_at(resources, 1).arn"]
LITERALS = ["'GetObject'", "'s3.amazonaws.com'", "''", "'it''s'", "'arn:aws:iam::1:role/x'",
            "U&'\\0041'"]
PATTERNS = ["'Get%'", "'%Object'", "'%'", "'_et%'", "'%\"bucketName\":\"b1\"%'"]
TIMES = ["TIMESTAMP '2023-01-01 00:00:00'", "TIMESTAMP '2023-01-01 00:00:00.000 UTC'",
         "DATE '2023-01-01'", "now()", "current_timestamp", "from_iso8601_timestamp('2023-01-01T00:00:00Z')"]
UNITS = ["second", "minute", "hour", "day", "week", "month", "year"]


class Grammar:
    """One method a sort of expression; `depth` bounds how far it nests."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.qualifier = ""

    def pick(self, *options):
        option = self.random.choice(options)
        return option() if callable(option) else option

    def maybe(self, text, chance=0.5):
        return text() if self.random.random() < chance and callable(text) else (
            text if not callable(text) and self.random.random() < chance else "")

    def case(self, word):
        """Names are case-insensitive."""
        return self.pick(word, word, word.lower(), word.upper())

    # Expressions by type.

    def text(self, depth):
        if depth <= 0:
            return self.pick(self.random.choice(TEXTS), self.random.choice(TEXTS[:4]),
                             self.random.choice(LITERALS))
        inner, number = lambda: self.text(depth - 1), lambda: self.bigint(depth - 1)
        return self.pick(
            inner,
            lambda: f"{self.case('lower')}({inner()})",
            lambda: f"upper({inner()})",
            lambda: f"{inner()} || {inner()}",
            lambda: f"concat({inner()}, {inner()})",
            lambda: f"substr({inner()}, 1, 3)",
            lambda: f"substring({inner()} FROM 2 FOR 3)",
            lambda: f"replace({inner()}, 'a')",
            lambda: f"regexp_replace({inner()}, '[0-9]+', '')",
            lambda: f"regexp_extract({inner()}, '[a-z]+')",
            lambda: f"split_part({inner()}, ':', 2)",
            lambda: f"trim({inner()})",
            lambda: f"trim(BOTH 'x' FROM {inner()})",
            lambda: f"coalesce({inner()}, {inner()})",
            lambda: f"nullif({inner()}, '')",
            lambda: f"CAST({number()} AS varchar)",
            lambda: f"TRY_CAST({inner()} AS varchar(10))",
            lambda: f"json_extract_scalar({self.json(depth - 1)}, '$.a.b[0]')",
            lambda: f"json_format({self.json(depth - 1)})",
            lambda: f"array_join({self.texts(depth - 1)}, ',')",
            lambda: f"element_at({self.texts(depth - 1)}, 1)",
            lambda: f"date_format({self.time(depth - 1)}, '%Y-%m-%d %H:%i:%s')",
            lambda: f"IF({self.boolean(depth - 1)}, {inner()}, {inner()})",
            lambda: f"CASE WHEN {self.boolean(depth - 1)} THEN {inner()} ELSE {inner()} END",
            lambda: f"CASE {inner()} WHEN 'a' THEN {inner()} END",
            lambda: f"TRY({inner()})",
            lambda: f"CAST(ROW({inner()}, 1) AS ROW(a varchar, b integer)).a",
            lambda: f"to_hex(sha256(to_utf8({inner()})))",
        )

    def bigint(self, depth):
        if depth <= 0:
            return self.pick("bytes", "1", "42", "-7", "bytes")
        inner, text = lambda: self.bigint(depth - 1), lambda: self.text(depth - 1)
        return self.pick(
            inner,
            lambda: f"({inner()} {self.pick('+', '-', '*')} {inner()})",
            lambda: f"({inner()} / 2)",
            lambda: f"({inner()} % 7)",
            lambda: f"length({text()})",
            lambda: f"strpos({text()}, 'a')",
            lambda: f"position('a' IN {text()})",
            lambda: f"cardinality({self.texts(depth - 1)})",
            lambda: "cardinality(requestParameters)",
            lambda: f"abs({inner()})",
            lambda: f"TRY_CAST({text()} AS bigint)",
            lambda: f"coalesce({inner()}, 0)",
            lambda: f"date_diff('{self.random.choice(UNITS)}', {self.time(depth - 1)}, {self.time(depth - 1)})",
            lambda: f"{self.pick('year', 'month', 'day', 'hour', 'day_of_week')}({self.time(depth - 1)})",
            lambda: f"EXTRACT({self.pick('YEAR', 'DAY', 'HOUR', 'DOW')} FROM {self.time(depth - 1)})",
            lambda: f"IF({self.boolean(depth - 1)}, {inner()})",
            lambda: f"greatest({inner()}, {inner()})",
            lambda: f"json_array_length({self.json(depth - 1)})",
            lambda: f"TRY({inner()} / {inner()})",
            lambda: f"CAST(round({inner()} * 1.5e0) AS bigint)",
        )

    def time(self, depth):
        if depth <= 0:
            return self.pick("eventTime", "eventTime", self.random.choice(TIMES[:2]))
        inner = lambda: self.time(depth - 1)
        return self.pick(
            inner,
            lambda: self.random.choice(TIMES[3:]),
            lambda: f"date_add('{self.random.choice(UNITS)}', -1, {inner()})",
            lambda: f"date_trunc('{self.random.choice(UNITS[2:])}', {inner()})",
            lambda: f"({inner()} {self.pick('+', '-')} INTERVAL '{self.random.randint(1, 90)}' {self.pick('DAY', 'HOUR', 'MINUTE', 'MONTH', 'YEAR', 'SECOND')})",
            lambda: f"CAST({inner()} AS timestamp)",
            lambda: f"CAST({inner()} AS timestamp(6))",
            lambda: f"{inner()} AT TIME ZONE 'UTC'",
            lambda: f"from_unixtime(to_unixtime({inner()}))",
            lambda: f"CAST('2023-01-01 00:00:00' AS timestamp)",
        )

    def json(self, depth):
        return self.pick(
            "requestParameters",
            "element_at(requestParameters, 'nested')",
            "JSON '{\"a\": [1, 2]}'",
            lambda: "json_parse('{\"a\":{\"b\":[1]}}')",
            lambda: "json_extract(requestParameters, '$.nested')",
            lambda: f"CAST({self.texts(depth - 1)} AS JSON)" if depth > 0 else "requestParameters",
        )

    def texts(self, depth):
        """array(varchar)"""
        if depth <= 0:
            return self.pick("map_keys(requestParameters)", "ARRAY['a', 'b']",
                             "map_values(requestParameters)", "transform(resources, r -> r.arn)")
        inner = lambda: self.texts(depth - 1)
        name = self.pick("x", "e", "v")
        return self.pick(
            inner,
            lambda: f"ARRAY[{self.text(depth - 1)}, {self.text(depth - 1)}]",
            lambda: f"split({self.text(depth - 1)}, ',')",
            lambda: f"filter({inner()}, {name} -> {name} LIKE {self.random.choice(PATTERNS)})",
            lambda: f"transform({inner()}, {name} -> upper({name}))",
            lambda: f"transform({inner()}, ({name}) -> {name} || '!')",
            lambda: f"array_distinct({inner()})",
            lambda: f"array_sort({inner()})",
            lambda: f"slice({inner()}, 1, 2)",
            lambda: f"({inner()} || {inner()})",
            lambda: f"regexp_extract_all({self.text(depth - 1)}, '[a-z]+')",
            lambda: "CAST(json_parse('[\"a\"]') AS ARRAY(varchar))",
        )

    def boolean(self, depth):
        if depth <= 0:
            return self.pick(
                "readOnly", "readOnly = false", "readOnly IS NOT NULL",
                lambda: f"{self.random.choice(TEXTS)} = {self.random.choice(LITERALS)}",
                "eventTime > '2023-01-01 00:00:00'", "bytes > 10",
                "sessionCredentialFromConsole = 'true'")
        inner = lambda: self.boolean(depth - 1)
        text, number = lambda: self.text(depth - 1), lambda: self.bigint(depth - 1)
        time = lambda: self.time(depth - 1)
        negated = self.maybe("NOT ", 0.3)
        return self.pick(
            lambda: f"({inner()} AND {inner()})",
            lambda: f"({inner()} OR {inner()})",
            lambda: f"NOT ({inner()})",
            lambda: f"{text()} {self.comparison()} {text()}",
            lambda: f"{number()} {self.comparison()} {number()}",
            lambda: f"{time()} {self.comparison()} {time()}",
            lambda: f"{text()} {negated}LIKE {self.random.choice(PATTERNS)}",
            lambda: f"{text()} {negated}LIKE 'a#_%' ESCAPE '#'",
            lambda: f"{text()} {negated}IN ({text()}, {text()}, 'x')",
            lambda: f"{number()} {negated}BETWEEN {number()} AND {number()}",
            lambda: f"eventTime {negated}BETWEEN '2023-01-01' AND '2023-02-01 10:00:00'",
            lambda: f"{text()} IS {negated}NULL",
            lambda: f"{text()} IS {negated}DISTINCT FROM {text()}",
            lambda: f"regexp_like({text()}, '^(Get|Put)')",
            lambda: f"contains({self.texts(depth - 1)}, {text()})",
            lambda: f"any_match({self.texts(depth - 1)}, v -> v {self.comparison()} 'a')",
            lambda: "any_match(resources, r -> r.type = 'AWS::S3::Object' AND r.arn LIKE 'arn:%')",
            lambda: f"all_match({self.texts(depth - 1)}, v -> length(v) > 2)",
            lambda: f"none_match({self.texts(depth - 1)}, (v) -> v = {text()})",
            lambda: f"starts_with({text()}, 'a')",
            lambda: f"(eventID, bytes) = ({text()}, {number()})",
            lambda: f"(eventID, bytes) {negated}IN (({text()}, 1), ('b', {number()}))",
            lambda: f"eventID {negated}IN (SELECT eventID FROM events WHERE readOnly)",
            lambda: f"(eventID, eventName) IN (SELECT eventID, eventName FROM events)",
            lambda: f"{negated}EXISTS (SELECT 1 FROM events inside WHERE inside.eventID = 'e1')",
            lambda: f"bytes {self.comparison()} {self.pick('ALL', 'ANY', 'SOME')} (SELECT bytes FROM events WHERE readOnly)",
            lambda: f"bytes = (SELECT max(bytes) FROM events)",
            lambda: f"'AWS::S3::Object' {negated}IN (SELECT r.type FROM UNNEST(resources) AS r(a, type, arn))",
            lambda: f"{negated}EXISTS (SELECT 1 FROM UNNEST(map_keys(requestParameters)) AS u(k) WHERE k LIKE 'b%')",
            lambda: f"TRY({inner()})",
            lambda: f"coalesce({inner()}, false)",
        )

    def comparison(self):
        return self.random.choice(["=", "<>", "!=", "<", "<=", ">", ">="])

    def any(self, depth):
        return self.pick(lambda: self.text(depth), lambda: self.text(depth),
                         lambda: self.bigint(depth), lambda: self.boolean(depth),
                         lambda: self.time(depth), lambda: self.texts(depth),
                         "requestParameters", "userIdentity", "resources")

    def aggregate(self, depth):
        text, number = lambda: self.text(depth - 1), lambda: self.bigint(depth - 1)
        call = self.pick(
            "count(*)", "COUNT(*)", "count(1)",
            lambda: f"count({text()})",
            lambda: f"count(DISTINCT {text()})",
            lambda: f"{self.pick('sum', 'avg', 'min', 'max')}({number()})",
            lambda: f"{self.pick('min', 'max')}({self.time(depth - 1)})",
            lambda: f"arbitrary({text()})",
            lambda: f"approx_distinct({text()})",
            lambda: f"max_by({text()}, eventTime)",
            lambda: f"count_if({self.boolean(depth - 1)})",
            lambda: f"array_agg({text()})",
            lambda: f"array_agg({text()} ORDER BY eventTime DESC)",
            lambda: f"array_agg(DISTINCT {text()})",
            lambda: f"bool_or({self.boolean(depth - 1)})",
            lambda: f"listagg({text()}, ',') WITHIN GROUP (ORDER BY eventID)",
            lambda: f"approx_percentile({number()}, 0.5)",
            lambda: f"map_agg(eventID, {number()})",
        )
        plain = "DISTINCT" not in call and "WITHIN" not in call
        return call + (self.maybe(lambda: f" FILTER (WHERE {self.boolean(1)})", 0.2) if plain else "")

    def window(self, depth):
        call = self.pick(
            "row_number()", "rank()", "dense_rank()", "percent_rank()", "ntile(4)",
            lambda: f"lag({self.text(depth - 1)})",
            lambda: f"lead({self.bigint(depth - 1)}, 2, 0)",
            lambda: f"first_value({self.text(depth - 1)}){self.maybe(' IGNORE NULLS', 0.3)}",
            lambda: f"last_value({self.bigint(depth - 1)})",
            lambda: f"nth_value({self.text(depth - 1)}, 2)",
        )
        over = f"({self.maybe('PARTITION BY userIdentity.type ', 0.5)}ORDER BY eventTime{self.maybe(' DESC', 0.3)}, eventID)"
        if self.random.random() < 0.4:
            call = self.pick("count(*)", lambda: f"sum({self.bigint(depth - 1)})", lambda: f"max({self.text(depth - 1)})")
            frame = self.pick("", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
                              " ROWS UNBOUNDED PRECEDING",
                              " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                              " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING")
            over = f"(PARTITION BY eventName ORDER BY eventTime{frame})"
        return f"{call} OVER {over}"

    # Queries.

    def relation(self):
        """A relation that has the columns of events, once."""
        return self.pick(
            "events", "events", self.case("events"), "events e", "events AS e",
            "(SELECT * FROM events) AS e", "(SELECT * FROM events WHERE readOnly)",
            "\"events\"")

    def source(self):
        """What stands after FROM; every column of events is there, unambiguously."""
        events = self.relation()
        return self.pick(
            events, events, events,
            f"{events} CROSS JOIN UNNEST(map_keys(requestParameters)) AS u(k)",
            f"{events} CROSS JOIN UNNEST(requestParameters) AS u(k, v)",
            f"{events}, UNNEST(resources) AS r(account, kind, name)",
            f"{events} LEFT JOIN UNNEST(resources) AS r(account, kind, name) ON TRUE",
            f"{events} CROSS JOIN UNNEST(ARRAY[1, 2], ARRAY['a']) WITH ORDINALITY AS u(a, b, n)",
            f"{events} CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.instancesSet.items') AS ARRAY(ROW(instanceId varchar)))) AS u(instance)",
            f"{events} CROSS JOIN (VALUES (1, 'a'), (2, 'b')) AS w (x, y)",
            f"{events} CROSS JOIN LATERAL (SELECT lower(eventName) AS lowered)",
            f"{events} JOIN (SELECT eventID AS other, bytes AS size FROM events) AS o ON o.other = eventID",
            f"{events} LEFT JOIN (SELECT eventID AS other FROM events WHERE readOnly) AS o ON other = eventID AND bytes > 1",
            f"{events} FULL OUTER JOIN (SELECT eventName AS other FROM events) AS o ON o.other = eventName",
            f"{events} JOIN (SELECT eventID, count(*) AS n FROM events GROUP BY eventID) AS o USING (eventID)",
            f"events TABLESAMPLE BERNOULLI (100)",
        )

    def tail(self, order):
        return (self.maybe(f" ORDER BY {order}", 0.5)
                + self.pick("", "", " LIMIT 5", " LIMIT ALL", " OFFSET 1 ROWS", " OFFSET 1 LIMIT 3",
                            " FETCH FIRST 2 ROWS ONLY", " OFFSET 1 FETCH NEXT ROW ONLY"))

    def order(self, width):
        key = str(self.random.randint(1, width))
        return key + self.pick("", " ASC", " DESC", " DESC NULLS FIRST", " NULLS LAST")

    def plain(self):
        width = self.random.randint(1, 4)
        items = [self.any(2) if self.random.random() < 0.8 else self.window(2) for _ in range(width)]
        items = [item + self.maybe(f" AS c{at}", 0.4) for at, item in enumerate(items)]
        if self.random.random() < 0.1:
            items, width = ["*"], 1
        distinct = self.maybe("DISTINCT ", 0.1)
        where = self.maybe(lambda: f" WHERE {self.boolean(2)}", 0.7)
        return f"SELECT {distinct}{', '.join(items)} FROM {self.source()}{where}{self.tail(self.order(width))}"

    def grouped(self):
        keys = [self.pick(lambda: self.text(1), lambda: f"date_trunc('day', eventTime)",
                          "readOnly", "userIdentity.type", "eventName", "requestParameters")
                for _ in range(self.random.randint(1, 2))]
        items = keys + [self.aggregate(2) for _ in range(self.random.randint(1, 3))]
        by = self.pick(", ".join(keys), ", ".join(str(at + 1) for at in range(len(keys))))
        if self.random.random() < 0.2:
            keys = ["eventName", "readOnly"]
            items = keys + [self.aggregate(1)]
            by = self.pick("ROLLUP (eventName, readOnly)", "CUBE (eventName, readOnly)",
                           "GROUPING SETS ((eventName), (readOnly), ())",
                           "GROUPING SETS ((eventName, readOnly), ())", "eventName, ROLLUP (readOnly)")
        where = self.maybe(lambda: f" WHERE {self.boolean(2)}", 0.5)
        having = self.maybe(lambda: f" HAVING {self.pick('count(*) > 1', 'max(bytes) < 100', 'count(DISTINCT eventID) >= 1')}", 0.3)
        return (f"SELECT {', '.join(items)} FROM {self.source()}{where} GROUP BY {by}{having}"
                f"{self.tail(self.order(len(items)))}")

    def total(self):
        items = [self.aggregate(2) for _ in range(self.random.randint(1, 4))]
        return f"SELECT {', '.join(items)} FROM {self.source()} WHERE {self.boolean(2)}"

    def combined(self):
        operator = self.pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "UNION DISTINCT",
                             "INTERSECT ALL", "EXCEPT ALL")
        left, right = (f"SELECT {self.text(1)}, {self.bigint(1)} FROM {self.relation()}" for _ in range(2))
        return f"{left} {operator} {right}{self.tail(self.order(2))}"

    def with_query(self):
        inner = self.pick(f"SELECT eventID AS id, {self.text(1)} AS t, {self.bigint(1)} AS n FROM events WHERE {self.boolean(1)}",
                          "SELECT eventName, max(eventTime), count(*) FROM events GROUP BY eventName")
        main = self.pick("SELECT id, t, n FROM c", "SELECT t, sum(n) FROM c GROUP BY t HAVING sum(n) > 0",
                         "SELECT a.id, b.t FROM c a JOIN c b ON a.id = b.id",
                         "SELECT e.eventID, c.n FROM events e LEFT JOIN c ON c.id = e.eventID")
        return f"WITH c (id, t, n) AS ({inner}) {main}"

    def correlated(self):
        return self.pick(
            "SELECT o.eventID, (SELECT max(i.bytes) FROM events i WHERE i.eventName = o.eventName) FROM events o",
            "SELECT o.eventID FROM events o WHERE EXISTS (SELECT 1 FROM events i WHERE i.eventID = o.eventID AND i.readOnly)",
            "SELECT o.eventID FROM events o WHERE o.bytes > (SELECT avg(i.bytes) FROM events i WHERE i.readOnly = o.readOnly)",
            "SELECT o.eventID FROM events o WHERE o.eventName NOT IN (SELECT i.eventName FROM events i WHERE i.eventID = o.eventID)",
            "SELECT EXISTS (SELECT 1 FROM events WHERE readOnly), eventID FROM events",
            f"SELECT eventID, (SELECT count(*) FROM UNNEST(resources) AS r(a, t, n) WHERE {self.pick('t', 'a', 'n')} IS NOT NULL) FROM events",
        )

    def rare(self):
        return self.pick(
            lambda: f"VALUES ({self.random.randint(1, 9)}, 'a'), (2, 'b')", "VALUES 1, 2, 3", "TABLE events",
            "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4) SELECT n FROM t",
            "SELECT n FROM UNNEST(sequence(1, 5)) AS t(n)",
            "SELECT * FROM UNNEST(ARRAY[ROW('a', 1), ROW('b', 2)]) AS t (x, y)",
            "SELECT rank() OVER w FROM events WINDOW w AS (ORDER BY eventTime)",
            lambda: f"SELECT {self.any(3)}, {self.any(3)} FROM events",
            "SELECT CAST(NULL AS MAP(varchar, ARRAY(ROW(a integer, b varchar))))",
            "SELECT CAST('10.0.0.1' AS IPADDRESS), CAST('a' AS VARBINARY), CAST(1 AS DECIMAL(10, 2))",
            "SELECT X'65683F', 1e3, 1.5, DATE '2023-01-01', TIME '01:02:03'",
            "SELECT e.* FROM events e", "SELECT 1",
            "SELECT INTERVAL '3' DAY, INTERVAL '2' MONTH",
            "SELECT CURRENT_USER, CURRENT_DATE, LOCALTIMESTAMP",
            lambda: f"SELECT eventID FROM events WHERE {self.boolean(3)}",
        )

    def statement(self):
        return self.pick(self.plain, self.plain, self.plain, self.grouped, self.grouped, self.total,
                         self.combined, self.with_query, self.correlated, self.rare)


def main(count, seed):
    grammar = Grammar(seed)
    seen = set()
    while len(seen) < count:
        statement = grammar.statement()
        respelled = sqlglot.parse_one(statement, read="trino").sql(dialect="trino")
        for spelling in (statement, respelled):
            if spelling not in seen:
                seen.add(spelling)
                print(spelling)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
