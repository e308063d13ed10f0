-- title: Changes of trust
-- question: Did anybody let a new identity provider, account or service take on roles?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventSource,
       eventName,
       coalesce(requestParameters['roleName'], requestParameters['name'], requestParameters['url'],
                requestParameters['sAMLProviderArn'],
                requestParameters['openIDConnectProviderArn']) AS target,
       coalesce(requestParameters['policyDocument'],
                requestParameters['assumeRolePolicyDocument']) AS trust,
       errorCode
FROM events
WHERE eventName IN ('CreateSAMLProvider', 'UpdateSAMLProvider', 'DeleteSAMLProvider',
                    'CreateOpenIDConnectProvider', 'UpdateOpenIDConnectProviderThumbprint',
                    'AddClientIDToOpenIDConnectProvider', 'DeleteOpenIDConnectProvider',
                    'UpdateAssumeRolePolicy', 'CreateRole', 'CreateTrustAnchor',
                    'CreateProfile', 'EnableTrustAnchor')
  AND eventSource IN ('iam.amazonaws.com', 'rolesanywhere.amazonaws.com')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
