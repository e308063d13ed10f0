-- title: How much was fetched from buckets
-- question: Who fetched how many objects and bytes from which bucket?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT requestParameters['bucketName'] AS bucket,
       coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId,
                userIdentity.principalId) AS who,
       count(*) AS events,
       count(DISTINCT requestParameters['key']) AS objects,
       sum(CAST(additionalEventData['bytesTransferredOut'] AS double)) AS bytes,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'GetObject'
  AND errorCode IS NULL
  AND eventTime >= :since
GROUP BY 1, 2
ORDER BY bytes DESC, events DESC, bucket, who
LIMIT 100
