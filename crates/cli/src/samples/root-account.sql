-- title: What the root user did
-- question: Was the root user of any account used, and for what?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT recipientAccountId AS account,
       eventSource,
       eventName,
       sourceIPAddress,
       count(*) AS events,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE userIdentity.type = 'Root'
  AND userIdentity.invokedBy IS NULL
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4
ORDER BY last DESC, eventSource, eventName
