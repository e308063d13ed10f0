-- title: Changes made by hand
-- question: What was changed in the console, and not by a pipeline?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.userName) AS who,
       eventSource,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE sessionCredentialFromConsole = 'true'
  AND readOnly = false
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY last DESC, who, eventSource, eventName
LIMIT 100
