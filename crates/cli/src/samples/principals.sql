-- title: Who is active
-- question: Which users and roles acted, how much, and since when?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT recipientAccountId AS account,
       userIdentity.type AS type,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn,
                userIdentity.invokedBy, userIdentity.accountId) AS who,
       count(*) AS events,
       count(DISTINCT sourceIPAddress) AS addresses,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY events DESC, who
LIMIT 100
