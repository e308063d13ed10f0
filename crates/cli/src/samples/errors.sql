-- title: What fails
-- question: Which calls fail most often, and with which error?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventSource,
       eventName,
       errorCode,
       count(*) AS events,
       count(DISTINCT userIdentity.arn) AS principals,
       max(eventTime) AS last
FROM events
WHERE errorCode IS NOT NULL
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY events DESC, eventSource, eventName, errorCode
LIMIT 100
