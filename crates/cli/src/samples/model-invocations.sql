-- title: Calls of models
-- question: Who calls which model of Bedrock, how often, and from where?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       awsRegion,
       eventName,
       coalesce(requestParameters['modelId'], requestParameters['agentId']) AS model,
       count(*) AS events,
       count(errorCode) AS denied_or_failed,
       count(DISTINCT sourceIPAddress) AS addresses,
       min(eventTime) AS first,
       max(eventTime) AS last
FROM events
WHERE eventSource = 'bedrock.amazonaws.com'
  AND regexp_like(eventName, '^(Invoke|Converse|Retrieve|PutFoundationModelEntitlement)')
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4
ORDER BY last DESC, who, model
LIMIT 100
