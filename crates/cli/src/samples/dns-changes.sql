-- title: Changes of names
-- question: Who changed DNS records, hosted zones or the registration of a domain?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       eventSource,
       eventName,
       coalesce(requestParameters['hostedZoneId'], requestParameters['domainName'],
                requestParameters['name']) AS target,
       json_extract(requestParameters['changeBatch'], '$.changes') AS changes,
       errorCode
FROM events
WHERE eventSource IN ('route53.amazonaws.com', 'route53domains.amazonaws.com')
  AND readOnly = false
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
