-- title: Commands and sessions on instances
-- question: Who ran commands on instances or opened a session to them?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventSource,
       eventName,
       coalesce(requestParameters['target'], requestParameters['instanceIds'],
                requestParameters['instanceId'], requestParameters['targets'],
                requestParameters['cluster']) AS target,
       requestParameters['documentName'] AS document,
       sourceIPAddress,
       errorCode
FROM events
WHERE ((eventSource = 'ssm.amazonaws.com'
        AND eventName IN ('SendCommand', 'StartSession', 'ResumeSession', 'StartAutomationExecution'))
       OR (eventSource = 'ec2-instance-connect.amazonaws.com'
           AND eventName IN ('SendSSHPublicKey', 'SendSerialConsoleSSHPublicKey', 'OpenTunnel'))
       OR (eventSource = 'ecs.amazonaws.com' AND eventName = 'ExecuteCommand'))
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
