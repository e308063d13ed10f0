-- title: Addresses that somebody never used before
-- question: From which addresses did users and roles act for the first time since then?
-- parameter since (time, default 7d): what counts as new
WITH used AS (
  SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS who,
         sourceIPAddress,
         count(*) AS events,
         count(errorCode) AS denied_or_failed,
         min(eventTime) AS first
  FROM events
  WHERE userIdentity.arn IS NOT NULL
    AND regexp_like(sourceIPAddress, '^[0-9a-f:.]+$')
  GROUP BY 1, 2
)
SELECT who, sourceIPAddress, events, denied_or_failed, first
FROM used
WHERE first >= :since
ORDER BY first DESC, who, sourceIPAddress
LIMIT 1000
