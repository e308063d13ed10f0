-- title: Credentials of instances used elsewhere
-- question: Were an instance's credentials used from more than one address?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT split_part(userIdentity.principalId, ':', 2) AS instance,
       userIdentity.sessionContext.sessionIssuer.arn AS role,
       userIdentity.accessKeyId AS access_key,
       count(DISTINCT sourceIPAddress) AS addresses,
       array_agg(DISTINCT sourceIPAddress ORDER BY sourceIPAddress) AS used_from,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE userIdentity.type = 'AssumedRole'
  AND regexp_like(userIdentity.principalId, ':i-[0-9a-f]+$')
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(sourceIPAddress, '^[0-9a-f:.]+$')
  AND eventTime >= :since
GROUP BY 1, 2, 3
HAVING count(DISTINCT sourceIPAddress) > 1
ORDER BY addresses DESC, instance
LIMIT 100
