-- title: Who read secrets
-- question: Who read secrets, parameters or passwords, or used keys to decrypt?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       eventName,
       coalesce(requestParameters['secretId'], requestParameters['name'],
                requestParameters['instanceId'], requestParameters['keyId']) AS target,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       max(eventTime) AS last
FROM events
WHERE eventName IN ('GetSecretValue', 'BatchGetSecretValue', 'ListSecrets', 'GetParameter',
                    'GetParameters', 'GetParametersByPath', 'GetPasswordData', 'Decrypt')
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY last DESC, who, target
LIMIT 100
