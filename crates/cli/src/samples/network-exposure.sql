-- title: What was opened to the network
-- question: Which security groups, buckets, snapshots or images were opened up, and by whom?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       coalesce(requestParameters['groupId'], requestParameters['bucketName'],
                requestParameters['snapshotId'], requestParameters['imageId'],
                requestParameters['dBSnapshotIdentifier']) AS target,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventName IN ('AuthorizeSecurityGroupIngress', 'PutBucketPolicy', 'PutBucketAcl',
                    'PutObjectAcl', 'PutBucketPublicAccessBlock', 'DeleteBucketPublicAccessBlock',
                    'PutAccountPublicAccessBlock', 'DeleteAccountPublicAccessBlock',
                    'ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute',
                    'CreateInternetGateway', 'CreateVpcPeeringConnection', 'AddPermission20150331v2')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
