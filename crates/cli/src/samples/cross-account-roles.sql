-- title: Roles taken from other accounts
-- question: Which other accounts took on roles here, which roles, and from where?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT userIdentity.accountId AS from_account,
       recipientAccountId AS account,
       requestParameters['roleArn'] AS role,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       array_agg(DISTINCT sourceIPAddress ORDER BY sourceIPAddress) AS addresses,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND userIdentity.accountId <> recipientAccountId
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY last DESC, from_account, role
LIMIT 100
