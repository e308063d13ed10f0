-- title: What somebody did, step by step
-- question: What did this user, role or session do, in order?
-- parameter who (text): a user name, role name, ARN or access key id
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       eventSource,
       eventName,
       element_at(resources, 1).arn AS resource,
       requestParameters,
       sourceIPAddress,
       errorCode,
       eventID
FROM events
WHERE (userIdentity.arn = :who
       OR userIdentity.userName = :who
       OR userIdentity.accessKeyId = :who
       OR userIdentity.sessionContext.sessionIssuer.arn = :who
       OR userIdentity.sessionContext.sessionIssuer.userName = :who)
  AND eventTime >= :since
ORDER BY eventTime, eventID
LIMIT 1000
