-- title: What was deleted
-- question: Who deleted or terminated what, and how much of it?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       eventSource,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE (eventName LIKE 'Delete%' OR eventName LIKE 'Terminate%'
       OR eventName = 'ScheduleKeyDeletion')
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY last DESC, who, eventSource, eventName
LIMIT 100
