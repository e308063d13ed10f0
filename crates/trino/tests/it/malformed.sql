SELECT eventName FROM events WHERE eventName = "AssumeRole"
--!text stands in single quotes: 'AssumeRole'
----
SELECT eventName FROM events WHERE eventName IN ("AssumeRole", "GetObject")
--!text stands in single quotes: 'AssumeRole'
----
SELECT eventName FROM events WHERE eventName == 'x'
--!write `=`
----
SELECT eventName FROM events WHERE eventName = 'x' && readOnly
--!write `AND`
----
SELECT eventName FROM events WHERE errorCode = NULL
----
SELECT eventName eventID FROM events, WHERE 1 = 1
----
SELECT eventName eventID readOnly FROM events
--!a comma is missing
----
SELECT eventName
eventID
readOnly FROM events
----
SELECT eventName, count(*) FROM events GROUP BY eventName WHERE 1=1
--!`WHERE` belongs before `GROUP BY`
----
SELECT eventName FROM events ORDER BY eventName WHERE eventName = 'x'
--!`WHERE` belongs before `ORDER BY`
----
SELECT eventName FROM events LIMIT 10 WHERE eventName = 'x'
--!`WHERE` belongs before `LIMIT`
----
SELECT eventName FROM events LIMIT 10 ORDER BY 1
--!`ORDER BY` belongs before `LIMIT`
----
SELECT eventName FROM events HAVING count(*) > 1
----
SELECT eventName FROM events WHERE count(*) > 1
--!HAVING
----
SELECT FROM events
----
SELECT eventName events
----
SELECT * FORM events
--!did you mean `FROM`
----
SELCT * FROM events
--!did you mean `SELECT`
----
SELECT * FROM events WERE eventName = 'x'
--!did you mean `WHERE`
----
SELECT * FROM events WHERE eventName = 'x
----
SELECT (1 + 2
----
SELECT 1 +
----
SELECT * FROM events WHERE eventName LIKE
----
SELECT * FROM events WHERE eventName IN ()
----
SELECT * FROM events WHERE eventName IN 'x'
----
SELECT * FROM events WHERE eventName BETWEEN 1
----
SELECT CASE WHEN 1=1 THEN 2 FROM events
----
SELECT count( FROM events
----
SELECT * FROM
----
SELECT * FROM events e JOIN events f
--!CROSS JOIN
----
SELECT * FROM events e JOIN events f ON
----
SELECT * FROM events e JOIN events f ON e.eventID = f.eventID WHERE eventID = 'x'
----
SELECT nosuch FROM events
--!column `nosuch` does not exist
----
SELECT e.nosuch FROM events e
----
SELECT x.eventID FROM events e
----
SELECT nosuch(eventID) FROM events
----
SELECT userIdentity.nosuch FROM events
--!no field `nosuch`
----
SELECT userIdentity.nosuch.deeper FROM events
----
SELECT element_at(resources,1).nosuch FROM events
----
SELECT sum(eventName) FROM events
--!`sum` does not take values of these types
----
SELECT eventName + 1 FROM events
--!varchar + bigint
----
SELECT eventName > 1 FROM events
----
SELECT eventName = 1 FROM events
----
SELECT bytes = 'abc' FROM events
----
SELECT lower(1)
----
SELECT lower()
----
SELECT lower('a', 'b')
--!`lower` takes
----
SELECT abs('x')
----
SELECT NOT 1
----
SELECT 1 AND 2
----
SELECT IF('x', 1, 2)
----
SELECT eventID FROM events WHERE eventID
----
SELECT eventID FROM events WHERE bytes
--!a condition is a boolean, not bigint
----
SELECT coalesce(1, 'x')
----
SELECT ARRAY[1, 'x']
----
SELECT 1, 2 UNION SELECT 1
--!different number of columns
----
SELECT eventID IN (1, 2) FROM events
----
SELECT eventTime > 5 FROM events
----
SELECT eventTime > 'garbage' FROM events
----
SELECT CAST('x' AS bigint)
----
SELECT CAST(1 AS nosuch)
----
SELECT CAST(resources AS bigint) FROM events
----
SELECT 1/0
--!division by zero
----
SELECT date_add('fortnight', 1, eventTime) FROM events
----
SELECT date_add('day', eventTime, 1) FROM events
----
SELECT date_trunc('foo', eventTime) FROM events
----
SELECT element_at(eventName, 1) FROM events
----
SELECT eventName[1] FROM events
----
SELECT resources.arn FROM events
----
SELECT resources['arn'] FROM events
----
SELECT max(count(*)) FROM events
----
SELECT count(count(*)) FROM events
----
SELECT row_number() FROM events
--!window function
----
SELECT count(*) FROM events WHERE row_number() OVER () = 1
----
SELECT eventID, count(*) FROM events GROUP BY 3
--!no item 3
----
SELECT eventID FROM events ORDER BY 5
--!no item 5
----
SELECT eventID FROM events ORDER BY nosuch
----
SELECT eventID FROM events GROUP BY eventName
----
SELECT * FROM events GROUP BY eventName
----
SELECT (SELECT eventID FROM events)
--!more than one row
----
SELECT (SELECT 1, 2)
--!one column
----
SELECT eventID FROM events WHERE eventID IN (SELECT eventID, eventName FROM events)
----
SELECT * FROM events e, events e
--!two relations are called `e`
----
SELECT * FROM nosuch
--!table `nosuch` does not exist
----
SELECT * FROM a.b.c.d
----
WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a
----
WITH a(x, y) AS (SELECT 1) SELECT * FROM a
----
SELECT * FROM (SELECT 1) t(a, b)
----
SELECT * FROM (VALUES (1, 2), (3)) t
----
SELECT transform(ARRAY[1], x -> y)
----
SELECT transform(ARRAY[1])
----
SELECT x -> x + 1
--!column `x` does not exist
----
SELECT any_match(eventName, x -> x = 'a') FROM events
----
SELECT regexp_like(eventName, '(') FROM events
----
SELECT requestParameters + 1 FROM events
----
SELECT sum(requestParameters) FROM events
----
SELECT userIdentity = 'x' FROM events
----
SELECT userIdentity LIKE 'x' FROM events
----
SELECT approx_percentile(eventName, 0.5) FROM events
----
SELECT eventID FROM events LIMIT 'x'
----
SELECT eventID FROM events LIMIT -1
----
SELECT eventID FROM events LIMIT 1.5
----
SELECT eventID FROM events OFFSET -1
----
SELECT INTERVAL 'x' DAY
----
SELECT INTERVAL '1' FORTNIGHT
--!no unit
----
SELECT DATE 'x'
----
SELECT TIMESTAMP 'x'
----
SELECT DATE '2020-13-01'
----
SELECT 'a' LIKE 1
----
SELECT 1 LIKE 'a'
----
SELECT eventID FROM events WHERE eventName LIKE 'x' ESCAPE 'ab'
----
SELECT * FROM events CROSS JOIN
----
SELECT a.* FROM events e
----
SELECT events.eventID FROM events e
----
SELECT eventName AS FROM events
----
SELECT select FROM events
----
SELECT "eventName FROM events
----
SELECT /* unclosed FROM events
----
SELECT eventName FROM events;SELECT 1
----
SELECT eventName FROM events WHERE a = b = c
----
SELECT eventName FROM events WHERE eventName is 'x'
----
SELECT eventName FROM events WHERE eventName not 'x'
----
SELECT eventName FROM events WHERE eventName = 'a' OR 'b'
----
SELECT eventName FROM events where eventTime between '2023-01-01' and
----
SELECT eventName FROM events WHERE AND eventName = 'x'
----
SELECT eventName FROM events WHERE eventName = 'it's'
----
SELECT eventName FROM events WHERE eventName := 'x'
--!write `=`
----
SELECT eventName FROM events WHERE eventName = ‘x’
----
SELECT eventName FROM events WHERE eventName =< 'x'
--!write `<=`
----
SELECT eventName FROM events WHERE eventName => 'x'
----
SELECT eventName FROM events WHERE eventName <>
----
SELECT eventName FROM events WHERE eventName contains 'x'
----
SELECT eventName FROM events WHERE eventName starts with 'x'
----
SELECT eventName FROM events UNION
----
SELECT eventName FROM events GROUP eventName
----
SELECT eventName FROM events ORDER eventName
----
SELECT eventName, FROM events
--!remove the comma
----
SELECT eventName FROM events GROUP BY eventName,
----
SELECT eventName FROM {table}
----
SELECT eventName FROM ${EDS_ID}
----
SELECT eventName FROM <your-event-data-store-id> WHERE 1 = 1
--!placeholder
----
SELECT eventName FROM $EDS_ID
----
SELECT eventName FROM EDS_ID
----
SELECT eventName FROM [events]
----
SELECT eventName FROM event-data-store-id
----
SELECT date_format(eventTime) FROM events
----
SELECT approx_distinct() FROM events
----
SELECT count(DISTINCT) FROM events
----
SELECT try()
----
SELECT eventName FROM events WHERE eventName = #x
----
SELECT eventName FROM events WHERE eventName = 'x' ; DROP TABLE events
----
SELECT * FROM events MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)
--!MATCH_RECOGNIZE is not supported
----
SELECT * FROM events PIVOT (count(*) FOR eventName IN ('a'))
--!PIVOT is not supported
----
SELECT * FROM read_csv('x')
----
SELECT eventName INTO x FROM events
--!SELECT INTO is not supported
----
SELECT * FROM events FOR UPDATE
--!FOR UPDATE is not supported
----
SELECT eventName FROM events WHERE CURRENT OF c
----
SELECT :x
----
SELECT ?
----
SELECT map_keys(eventName) FROM events
----
SELECT cardinality(eventName) FROM events
----
SELECT min_by(eventName) FROM events
----
SELECT count(*, 1) FROM events
----
SELECT sum(DISTINCT) FROM events
----
SELECT sum(bytes) OVER (ORDER BY) FROM events
----
SELECT sum(bytes) OVER w FROM events
----
SELECT lag(bytes) FROM events
--!window function
----
SELECT sum(bytes) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM events
----
SELECT grouping(eventName) FROM events
----
SELECT eventName FROM events WHERE EXISTS (eventName)
----
SELECT eventName FROM events WHERE NOT
----
SELECT eventName FROM events WHERE eventID = ANY ('a')
----
SELECT eventName FROM events e WHERE e = 'x'
----
SELECT JSON 'x'
----
SELECT json_parse('x')
----
SELECT from_iso8601_timestamp('x')
----
SELECT from_iso8601_timestamp(eventTime) FROM events
----
SELECT date_parse('x', '%Y')
----
SELECT to_unixtime('x')
----
SELECT substr(eventName, 'x') FROM events
----
SELECT nullif(1, 'x')
----
SELECT eventTime - 7 FROM events
----
SELECT eventTime - '7 days' FROM events
----
SELECT -eventName FROM events
----
SELECT -'x'
----
SELECT - true
----
SELECT eventName AT TIME ZONE 'UTC' FROM events
----
SELECT eventTime AT TIME ZONE 'Mars' FROM events
----
SELECT EXTRACT(fortnight FROM eventTime) FROM events
----
SELECT EXTRACT(year FROM eventName) FROM events
----
SELECT * FROM events TABLESAMPLE BERNOULLI (101)
--!0 to 100
----
SELECT * FROM events TABLESAMPLE (10 ROWS)
----
SELECT eventID FROM events GROUP BY eventID WITH ROLLUP
----
SELECT DISTINCT ON (readOnly) eventID FROM events
--!DISTINCT ON is not supported
----
SELECT TOP 5 eventID FROM events
--!LIMIT n
----
SELECT * EXCLUDE (eventID) FROM events
----
SELECT * FROM JSON_TABLE('{}', 'lax $' COLUMNS (a integer PATH 'lax $.a'))
----
SELECT * FROM TABLE(sequence(1, 5))
----
WITH FUNCTION f(x bigint) RETURNS bigint RETURN x + 1 SELECT f(1)
----
WITH SESSION a = 1 SELECT 1
----
SELECT eventID FROM events FOR VERSION AS OF 3
--!`--at`
----
SELECT eventID FROM events FOR TIMESTAMP AS OF TIMESTAMP '2020-01-01 00:00:00'
----
SELECT INTERVAL '1-2' YEAR TO MONTH
----
SELECT eventID FROM events ORDER BY readOnly FETCH FIRST 1 ROW WITH TIES
----
SELECT eventTime + 1 FROM events
----
SELECT getdate()
--!write `now()`
----
SELECT to_char(eventTime, 'YYYY') FROM events
--!date_format
----
SELECT len('a')
--!write `length(text)`
----
SELECT eventID FROM events LIMIT 1, 2
----
SELECT {'a': 1}
----
SELECT eventID FROM events WHERE eventName SIMILAR TO 'x'
--!regexp_like
----
SELECT resources[1][2] FROM events
----
SELECT ROW('a', 'b')[3]
--!from 1 to 2
----
SELECT ROW('a', 'b').c
----
SELECT * FROM UNNEST(1)
--!UNNEST takes arrays and maps
----
SELECT * FROM UNNEST(resources)
----
SELECT * FROM events CROSS JOIN UNNEST(resources) AS t(a, b)
--!2 names are given for 3 columns
----
SELECT 1 UNION ALL CORRESPONDING SELECT 2
----
SELECT eventID FROM events GROUP BY DISTINCT eventID
----
SELECT element_at(resources) FROM events
----
SELECT filter(resources, r -> r.nosuch = 1) FROM events
----
SELECT any_match(resources, r -> r.arn) FROM events
----
SELECT sum(bytes) OVER (w) FROM events WINDOW w AS (v)
----
SELECT rank() OVER (ORDER BY nosuch) FROM events
----
SELECT count(*) OVER (PARTITION BY nosuch) FROM events
----
SELECT eventID FROM events e WHERE e.eventID = f.eventID
----
SELECT (SELECT nosuch FROM events LIMIT 1)
----
SELECT eventID FROM events WHERE eventTime > INTERVAL '1' DAY
----
SELECT eventID FROM events WHERE bytes LIKE '1%'
----
SELECT eventID FROM events WHERE readOnly > 'x'
----
SELECT eventID FROM events HAVING eventID = 'x'
----
SELECT avg(eventName) FROM events
----
SELECT CAST('2023-99-99' AS timestamp)
----
SELECT CAST('x' AS boolean)
----
SELECT CAST('x' AS double)
----
SELECT CAST('x' AS ipaddress)
----
SELECT TIMESTAMP '2023-01-01' + 'x'
----
SELECT eventID FROM events WHERE EXISTS (SELECT nosuch FROM UNNEST(resources))
----
SELECT array_agg(eventID) WITHIN GROUP FROM events
----
EXPLAIN
----
EXPLAIN DROP TABLE events
----
SHOW
----
DESCRIBE
----
(SELECT 1
----
SELECT 1))
----
VALUES (1, 2), (3)
----
VALUES
----
WITH c AS SELECT 1 SELECT * FROM c
----
WITH c (SELECT 1) SELECT * FROM c
----
WITH c AS (SELECT 1)
----
SELECT CASE eventName WHEN 'a' 1 END FROM events
----
SELECT eventName FROM events WHERE eventName IN ('a' 'b')
----
SELECT eventName FROM events WHERE (eventName = 'a'
----
SELECT eventName FROM events WHERE eventName = 'a')
----
SELECT eventName. FROM events
----
SELECT .eventName FROM events
----
SELECT eventName FROM events e.x
----
SELECT eventName FROM events AS
----
SELECT * FROM events JOIN
----
SELECT U&'\ZZZZ'
