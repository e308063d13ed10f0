-- title: Copies of disks and databases
-- question: Who copied, exported or restored snapshots, volumes or databases?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       awsRegion,
       eventName,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventName IN ('CreateSnapshot', 'CreateSnapshots', 'CopySnapshot', 'CopyImage',
                    'CreateImage', 'ExportImage', 'CreateStoreImageTask',
                    'CreateInstanceExportTask', 'GetSnapshotBlock', 'ListSnapshotBlocks',
                    'CreateDBSnapshot', 'CopyDBSnapshot', 'CreateDBClusterSnapshot',
                    'CopyDBClusterSnapshot', 'StartExportTask', 'RestoreDBInstanceFromDBSnapshot',
                    'RestoreDBClusterFromSnapshot', 'ExportTableToPointInTime')
  AND eventTime >= :since
GROUP BY 1, 2, 3
ORDER BY last DESC, who, eventName
LIMIT 100
