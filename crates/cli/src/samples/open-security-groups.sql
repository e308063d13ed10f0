-- title: Security groups open to the world
-- question: Who let everybody in, to which security group and which ports?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       awsRegion,
       eventName,
       coalesce(requestParameters['groupId'], requestParameters['groupName'],
                json_extract_scalar(requestParameters['ModifySecurityGroupRulesRequest'],
                                    '$.GroupId')) AS security_group,
       coalesce(requestParameters['ipPermissions'],
                requestParameters['ModifySecurityGroupRulesRequest']) AS rules,
       errorCode
FROM events
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules')
  AND (requestParameters['ipPermissions'] LIKE '%"0.0.0.0/0"%'
       OR requestParameters['ipPermissions'] LIKE '%"::/0"%'
       OR requestParameters['ModifySecurityGroupRulesRequest'] LIKE '%"0.0.0.0/0"%'
       OR requestParameters['ModifySecurityGroupRulesRequest'] LIKE '%"::/0"%')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
