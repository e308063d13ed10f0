-- title: Encryption keys put at risk
-- question: Who disabled a KMS key, scheduled it for deletion, or changed who may use it?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       awsRegion,
       eventName,
       coalesce(requestParameters['keyId'], element_at(resources, 1).arn) AS key,
       requestParameters['pendingWindowInDays'] AS days_left,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('DisableKey', 'ScheduleKeyDeletion', 'CancelKeyDeletion', 'PutKeyPolicy',
                    'DisableKeyRotation', 'DeleteImportedKeyMaterial', 'CreateGrant',
                    'DeleteAlias', 'UpdateAlias', 'DeleteCustomKeyStore')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
