-- title: Changes of Lambda functions
-- question: Who created or changed a function, its code, its rights or who may call it?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       regexp_replace(eventName, '[0-9].*$') AS call,
       coalesce(requestParameters['functionName'], requestParameters['layerName']) AS function,
       requestParameters['role'] AS role,
       requestParameters['principal'] AS may_call,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource = 'lambda.amazonaws.com'
  AND regexp_like(eventName, '^(Create|Update|Delete|Add|Remove|Put|Publish)')
  AND managementEvent
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
