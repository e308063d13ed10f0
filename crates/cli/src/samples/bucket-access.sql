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
       OR requestParameters['Host'] = :bucket
       OR starts_with(requestParameters['Host'], :bucket || '.s3')
       OR tlsDetails.clientProvidedHostHeader = :bucket
       OR starts_with(tlsDetails.clientProvidedHostHeader, :bucket || '.s3')
       OR any_match(resources, r -> r.ARN = 'arn:aws:s3:::' || :bucket
                                 OR starts_with(r.ARN, 'arn:aws:s3:::' || :bucket || '/')))
GROUP BY 1, 2, 3
ORDER BY last DESC, events DESC, who, eventName
