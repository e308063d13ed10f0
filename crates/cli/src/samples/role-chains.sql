-- title: Who assumed which role
-- question: Which roles were assumed, by whom, and from where?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT requestParameters['roleArn'] AS role,
       userIdentity.type AS type,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn,
                userIdentity.invokedBy, userIdentity.principalId) AS who,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       count(DISTINCT sourceIPAddress) AS addresses,
       max(eventTime) AS last
FROM events
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName IN ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY events DESC, role, who
LIMIT 100
