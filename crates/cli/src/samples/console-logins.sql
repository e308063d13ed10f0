-- title: Console sign-ins
-- question: Who signed in to the console, did it succeed, and was a second factor used?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       recipientAccountId AS account,
       coalesce(userIdentity.arn, userIdentity.userName, userIdentity.principalId) AS who,
       responseElements['ConsoleLogin'] AS result,
       additionalEventData['MFAUsed'] AS mfa,
       sourceIPAddress,
       errorMessage
FROM events
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
