-- title: Failed sign-ins
-- question: From which addresses did sign-ins to the console fail, and did one of them succeed?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT sourceIPAddress,
       count_if(responseElements['ConsoleLogin'] = 'Failure') AS failed,
       count_if(responseElements['ConsoleLogin'] = 'Success') AS succeeded,
       count(DISTINCT coalesce(userIdentity.arn, userIdentity.userName)) AS users,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND eventTime >= :since
GROUP BY sourceIPAddress
HAVING count_if(responseElements['ConsoleLogin'] = 'Failure') > 0
ORDER BY failed DESC, sourceIPAddress
LIMIT 100
