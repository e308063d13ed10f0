-- title: What a role did
-- question: What was done in this role, by which of its sessions, and from where?
-- parameter role (text): the ARN of the role
-- parameter since (time, default 1970-01-01): how far back to look
SELECT userIdentity.arn AS session,
       sourceIPAddress,
       eventSource,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE userIdentity.sessionContext.sessionIssuer.arn = :role
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4
ORDER BY first, session, eventSource, eventName
