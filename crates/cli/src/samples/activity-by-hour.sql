-- title: When somebody is active
-- question: At which hours does this user or role act, and is the latest activity unusual?
-- parameter who (text): a user name, role name or ARN
-- parameter since (time, default 1970-01-01): how far back to look
SELECT hour(eventTime) AS hour_utc,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       count(DISTINCT date(eventTime)) AS days,
       count(DISTINCT sourceIPAddress) AS addresses,
       max(eventTime) AS last
FROM events
WHERE (userIdentity.arn = :who
       OR userIdentity.userName = :who
       OR userIdentity.sessionContext.sessionIssuer.arn = :who
       OR userIdentity.sessionContext.sessionIssuer.userName = :who)
  AND eventTime >= :since
GROUP BY 1
ORDER BY hour_utc
