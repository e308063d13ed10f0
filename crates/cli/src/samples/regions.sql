-- title: Where things happen
-- question: Which regions are used, by whom, and is any of them unusual?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT recipientAccountId AS account,
       awsRegion,
       count(*) AS events,
       count(CASE WHEN readOnly = false THEN 1 END) AS changes,
       count(DISTINCT userIdentity.arn) AS principals,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventTime >= :since
GROUP BY 1, 2
ORDER BY account, events DESC, awsRegion
