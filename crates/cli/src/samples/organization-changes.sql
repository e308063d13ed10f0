-- title: Changes of the organization
-- question: Who changed accounts, policies or delegated administrators of the organization?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       coalesce(requestParameters['accountId'], requestParameters['targetId'],
                requestParameters['email']) AS target,
       coalesce(requestParameters['policyId'],
                requestParameters['servicePrincipal']) AS policy_or_service,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource IN ('organizations.amazonaws.com', 'account.amazonaws.com')
  AND readOnly = false
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
