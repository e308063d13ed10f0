-- title: Whose calls fail
-- question: Which principals fail most, with which errors, and on how many different calls?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       count(errorCode) AS denied_or_failed,
       count(*) AS events,
       count(DISTINCT CASE WHEN errorCode IS NOT NULL THEN eventName END) AS failed_kinds,
       array_agg(DISTINCT errorCode ORDER BY errorCode)
         FILTER (WHERE errorCode IS NOT NULL) AS errors,
       max(CASE WHEN errorCode IS NOT NULL THEN eventTime END) AS last
FROM events
WHERE eventTime >= :since
GROUP BY 1
HAVING count(errorCode) > 0
ORDER BY denied_or_failed DESC, who
LIMIT 100
