-- title: Who looked around
-- question: Who made many different kinds of read calls within one hour?
-- parameter kinds (number, default 10): how many different calls in an hour are suspicious
-- parameter since (time, default 1970-01-01): how far back to look
SELECT date_trunc('hour', eventTime) AS hour,
       coalesce(userIdentity.arn, userIdentity.accountId) AS who,
       sourceIPAddress,
       count(DISTINCT eventName) AS kinds,
       count(*) AS events,
       count(errorCode) AS denied_or_failed
FROM events
WHERE readOnly = true
  AND userIdentity.type <> 'AWSService'
  AND eventTime >= :since
GROUP BY 1, 2, 3
HAVING count(DISTINCT eventName) >= :kinds
ORDER BY kinds DESC, hour, who
LIMIT 100
