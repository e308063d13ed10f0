-- title: Buckets opened to everybody
-- question: Who made which bucket public, or took away what keeps it private?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       requestParameters['bucketName'] AS bucket,
       coalesce(requestParameters['bucketPolicy'], requestParameters['AccessControlPolicy'],
                requestParameters['x-amz-acl'],
                requestParameters['PublicAccessBlockConfiguration']) AS what,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource = 's3.amazonaws.com'
  AND (eventName = 'DeleteBucketPublicAccessBlock'
       OR eventName = 'DeleteAccountPublicAccessBlock'
       OR (eventName IN ('PutBucketPublicAccessBlock', 'PutAccountPublicAccessBlock')
           AND requestParameters['PublicAccessBlockConfiguration'] LIKE '%false%')
       OR (eventName = 'PutBucketPolicy'
           AND regexp_like(requestParameters['bucketPolicy'],
                           '"Principal":("\*"|\{"AWS":\[?"\*"\]?\})'))
       OR (eventName IN ('PutBucketAcl', 'PutObjectAcl')
           AND (requestParameters['x-amz-acl'] LIKE 'public-read%'
                OR requestParameters['AccessControlPolicy'] LIKE '%/groups/global/A%')))
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
