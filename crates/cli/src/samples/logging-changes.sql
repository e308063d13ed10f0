-- title: Who touched the logs
-- question: Did anybody switch off, narrow or delete logging or detection?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventSource,
       eventName,
       coalesce(requestParameters['name'], requestParameters['trailName'],
                requestParameters['bucketName'], requestParameters['detectorId']) AS target,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventName IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors',
                    'PutInsightSelectors', 'DeleteEventDataStore', 'StopEventDataStoreIngestion',
                    'DeleteFlowLogs', 'DeleteLogGroup', 'DeleteLogStream', 'PutRetentionPolicy',
                    'DeleteDetector', 'UpdateDetector', 'DisableSecurityHub',
                    'StopConfigurationRecorder', 'DeleteConfigurationRecorder',
                    'DeleteDeliveryChannel', 'DeleteBucketLogging', 'DeleteConfigRule')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
