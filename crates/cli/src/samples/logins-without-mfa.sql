-- title: Sign-ins without a second factor
-- question: Which sign-ins to the console succeeded without a second factor?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       recipientAccountId AS account,
       userIdentity.type AS type,
       coalesce(userIdentity.arn, userIdentity.userName, userIdentity.principalId) AS who,
       sourceIPAddress,
       userAgent
FROM events
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND responseElements['ConsoleLogin'] = 'Success'
  AND additionalEventData['MFAUsed'] = 'No'
  AND userIdentity.type IN ('IAMUser', 'Root')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
