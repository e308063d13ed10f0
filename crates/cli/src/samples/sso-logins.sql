-- title: Sign-ins through IAM Identity Center
-- question: Who signed in to the access portal, and into which account and role?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId,
                userIdentity.principalId) AS who,
       eventName,
       serviceEventDetails['account_id'] AS into_account,
       serviceEventDetails['role_name'] AS role,
       sourceIPAddress,
       coalesce(errorCode, serviceEventDetails['UserAuthentication']) AS result
FROM events
WHERE eventSource IN ('sso.amazonaws.com', 'signin.amazonaws.com')
  AND eventName IN ('Authenticate', 'Federate', 'UserAuthentication', 'CredentialVerification')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
