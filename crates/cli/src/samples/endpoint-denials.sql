-- title: Refused at a VPC endpoint
-- question: Who was refused by the policy of a VPC endpoint, and what did they want?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT vpcEndpointId,
       coalesce(userIdentity.arn, userIdentity.accountId) AS who,
       eventSource,
       eventName,
       sourceIPAddress,
       count(*) AS events,
       max(eventTime) AS last
FROM events
WHERE eventCategory = 'NetworkActivity'
  AND errorCode = 'VpceAccessDenied'
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4, 5
ORDER BY last DESC, vpcEndpointId, who, eventName
LIMIT 100
