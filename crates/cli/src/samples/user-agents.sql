-- title: Unusual tools
-- question: Which user agents are rare, and who used them?
-- parameter most (number, default 20): how many calls still are rare
-- parameter since (time, default 1970-01-01): how far back to look
SELECT userAgent,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       array_agg(DISTINCT coalesce(userIdentity.arn, userIdentity.accountId)
                 ORDER BY coalesce(userIdentity.arn, userIdentity.accountId)) AS who,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE userAgent IS NOT NULL
  AND userAgent NOT LIKE '%.amazonaws.com'
  AND userAgent <> 'AWS Internal'
  AND eventTime >= :since
GROUP BY userAgent
HAVING count(*) <= :most
ORDER BY events, userAgent
LIMIT 100
