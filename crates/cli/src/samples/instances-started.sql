-- title: Instances started
-- question: Who started how many instances of which type, and where?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       recipientAccountId AS account,
       awsRegion,
       requestParameters['instanceType'] AS type,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       sum(json_array_length(json_extract(responseElements['instancesSet'], '$.items')))
         AS instances,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4
ORDER BY last DESC, who, awsRegion, type
LIMIT 100
