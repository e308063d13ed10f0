-- title: Who touched a bucket
-- question: Did anybody touch this bucket, who, and what did they do?
-- parameter bucket (text): the name of the bucket
-- parameter since (time, default 1970-01-01): how far back to look
SELECT CASE
         WHEN userIdentity.accountId IN ('ANONYMOUS_PRINCIPAL', 'anonymous')
           OR userIdentity.principalId IN ('ANONYMOUS_PRINCIPAL', 'anonymous') THEN 'anonymous'
         WHEN userIdentity.type = 'AWSService' THEN 'AWS service'
         WHEN userIdentity.accountId <> recipientAccountId THEN 'another account'
         WHEN userIdentity.type = 'IAMUser' THEN 'IAM user'
         WHEN userIdentity.type = 'AssumedRole' THEN 'assumed role'
         WHEN userIdentity.type = 'Root' THEN 'root'
         ELSE userIdentity.type
       END AS caller,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn,
                userIdentity.invokedBy, userIdentity.accountId, userIdentity.principalId) AS who,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventTime >= :since
  AND (requestParameters['bucketName'] = :bucket
       -- The bucket's own host: bucket `a` is not meant by that of bucket `a.s3-b`.
       OR any_match(ARRAY[requestParameters['Host'], tlsDetails.clientProvidedHostHeader],
                    host -> host = :bucket
                         OR starts_with(host, :bucket || '.bucket.vpce-')
                         OR (starts_with(host, :bucket || '.s3')
                             AND strpos(substr(host, length(:bucket) + 2), '.s3') = 0))
       -- The ARN in any partition: aws, aws-cn, aws-us-gov, …
       OR any_match(resources, r -> split_part(r.ARN, ':', 3) = 's3'
                                AND split_part(split_part(r.ARN, ':', 6), '/', 1) = :bucket))
GROUP BY 1, 2, 3
ORDER BY last DESC, events DESC, who, eventName
