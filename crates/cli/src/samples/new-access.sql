-- title: New ways in
-- question: Who gave access to whom: new users, keys, passwords, policies, trust?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       coalesce(requestParameters['userName'], requestParameters['roleName'],
                requestParameters['groupName'], requestParameters['policyName']) AS target,
       coalesce(requestParameters['policyArn'], requestParameters['policyName']) AS policy,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateUser', 'CreateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile',
                    'CreateRole', 'UpdateAssumeRolePolicy', 'AttachUserPolicy',
                    'AttachRolePolicy', 'AttachGroupPolicy', 'PutUserPolicy', 'PutRolePolicy',
                    'PutGroupPolicy', 'AddUserToGroup', 'CreatePolicyVersion',
                    'SetDefaultPolicyVersion', 'CreateSAMLProvider', 'CreateOpenIDConnectProvider',
                    'DeactivateMFADevice')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
