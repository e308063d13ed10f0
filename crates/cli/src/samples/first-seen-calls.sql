-- title: Calls that somebody never made before
-- question: Which principals made which calls for the first time since then?
-- parameter since (time, default 7d): what counts as new
WITH seen AS (
  SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn,
                  userIdentity.invokedBy, userIdentity.accountId) AS who,
         eventSource,
         eventName,
         count(*) AS events,
         count(errorCode) AS denied_or_failed,
         min(eventTime) AS first
  FROM events
  GROUP BY 1, 2, 3
)
SELECT who, eventSource, eventName, events, denied_or_failed, first
FROM seen
WHERE first >= :since
ORDER BY first DESC, who, eventSource, eventName
LIMIT 1000
