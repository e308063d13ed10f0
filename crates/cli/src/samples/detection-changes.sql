-- title: Alarms and detection switched off
-- question: Who removed alarms, rules, findings or detectors that would have warned?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventSource,
       eventName,
       coalesce(requestParameters['detectorId'], requestParameters['alarmNames'],
                requestParameters['name'], requestParameters['ruleName'],
                requestParameters['configRuleName'], requestParameters['topicArn']) AS target,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource IN ('guardduty.amazonaws.com', 'securityhub.amazonaws.com',
                      'inspector2.amazonaws.com', 'macie2.amazonaws.com',
                      'access-analyzer.amazonaws.com', 'config.amazonaws.com',
                      'monitoring.amazonaws.com', 'events.amazonaws.com', 'sns.amazonaws.com')
  AND regexp_like(eventName, '^(Delete|Disable|Stop|Archive|Disassociate|Remove|CreateFilter'
                             || '|UpdateDetector|Unsubscribe)')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
