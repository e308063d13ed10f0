-- title: Which services are used
-- question: Which services are called, by how many principals, and with how many changes?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventSource,
       count(*) AS events,
       count_if(NOT readOnly) AS changes,
       count(errorCode) AS denied_or_failed,
       count(DISTINCT coalesce(userIdentity.sessionContext.sessionIssuer.arn,
                               userIdentity.arn)) AS principals,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventTime >= :since
GROUP BY eventSource
ORDER BY events DESC, eventSource
