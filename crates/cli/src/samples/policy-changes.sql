-- title: Changes of IAM policies
-- question: Who changed what somebody may do, and to what?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       coalesce(requestParameters['userName'], requestParameters['roleName'],
                requestParameters['groupName']) AS target,
       coalesce(requestParameters['policyArn'], requestParameters['policyName']) AS policy,
       requestParameters['policyDocument'] AS document,
       errorCode
FROM events
WHERE eventSource = 'iam.amazonaws.com'
  AND (eventName LIKE 'Attach%Policy' OR eventName LIKE 'Detach%Policy'
       OR eventName IN ('PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'CreatePolicy',
                        'CreatePolicyVersion', 'SetDefaultPolicyVersion', 'DeletePolicy',
                        'DeletePolicyVersion', 'DeleteUserPolicy', 'DeleteRolePolicy',
                        'DeleteGroupPolicy', 'PutUserPermissionsBoundary',
                        'PutRolePermissionsBoundary', 'DeleteUserPermissionsBoundary',
                        'DeleteRolePermissionsBoundary'))
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
