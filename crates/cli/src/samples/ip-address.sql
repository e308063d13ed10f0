-- title: What came from an address
-- question: Who called from this address, and what did they call?
-- parameter ip (text): the address as CloudTrail spells it
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       userIdentity.accessKeyId AS access_key,
       eventSource,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE sourceIPAddress = :ip
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY first, who, eventSource
