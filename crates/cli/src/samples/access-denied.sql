-- title: Who was refused
-- question: Who tried what they were not allowed to do?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       eventSource,
       eventName,
       errorCode,
       count(*) AS events,
       max(eventTime) AS last
FROM events
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation',
                    'Client.UnauthorizedOperation', 'AuthorizationError', 'Forbidden')
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4
ORDER BY events DESC, who, eventSource, eventName
LIMIT 100
