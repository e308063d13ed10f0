-- title: What happened to a resource
-- question: Who touched this resource, how, and when?
-- parameter arn (text): the ARN of the resource
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       eventSource,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE any_match(resources, r -> r.arn = :arn)
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY first, who, eventName
