-- title: Second factors taken away
-- question: Who removed, replaced or added a second factor, and whose?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       requestParameters['userName'] AS for_user,
       requestParameters['serialNumber'] AS device,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeactivateMFADevice', 'DeleteVirtualMFADevice', 'EnableMFADevice',
                    'ResyncMFADevice')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
