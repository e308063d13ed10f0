-- title: What an access key did
-- question: A key leaked: what was done with it, from where, and when?
-- parameter key (text): the access key id, AKIA… or ASIA…
-- parameter since (time, default 1970-01-01): how far back to look
SELECT sourceIPAddress,
       eventSource,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE userIdentity.accessKeyId = :key
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY first, eventSource, eventName
