-- title: New credentials
-- question: Who created access keys or other long-lived credentials, and for whom?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventName,
       coalesce(requestParameters['userName'], userIdentity.userName) AS for_user,
       coalesce(json_extract_scalar(responseElements['accessKey'], '$.accessKeyId'),
                json_extract_scalar(responseElements['sSHPublicKey'], '$.sSHPublicKeyId'),
                json_extract_scalar(responseElements['certificate'], '$.certificateId'),
                json_extract_scalar(responseElements['serviceSpecificCredential'],
                                    '$.serviceSpecificCredentialId')) AS credential,
       sourceIPAddress,
       errorCode
FROM events
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateAccessKey', 'CreateServiceSpecificCredential', 'UploadSSHPublicKey',
                    'UploadSigningCertificate', 'CreateLoginProfile')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
