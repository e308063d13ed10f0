-- title: Snapshots and images given away
-- question: Who shared a snapshot or an image, which one, and with whom?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       coalesce(requestParameters['snapshotId'], requestParameters['imageId'],
                requestParameters['dBSnapshotIdentifier'],
                requestParameters['dBClusterSnapshotIdentifier'],
                requestParameters['snapshotIdentifier']) AS target,
       coalesce(json_extract(requestParameters['createVolumePermission'], '$.add'),
                json_extract(requestParameters['launchPermission'], '$.add'),
                json_parse(requestParameters['valuesToAdd'])) AS shared_with,
       requestParameters['accountWithRestoreAccess'] AS account,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventName IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute',
                    'ModifyDBClusterSnapshotAttribute', 'AuthorizeSnapshotAccess')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
