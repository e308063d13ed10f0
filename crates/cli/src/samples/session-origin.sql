-- title: Where a temporary key came from
-- question: Whose is this temporary key: who took on which role, from where, and when?
-- parameter key (text): the temporary access key id, ASIA…
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       userIdentity.accessKeyId AS with_key,
       eventName,
       requestParameters['roleArn'] AS role,
       requestParameters['roleSessionName'] AS session,
       sourceIPAddress,
       json_extract_scalar(responseElements['credentials'], '$.expiration') AS until
FROM events
WHERE eventSource = 'sts.amazonaws.com'
  AND json_extract_scalar(responseElements['credentials'], '$.accessKeyId') = :key
ORDER BY eventTime, eventID
