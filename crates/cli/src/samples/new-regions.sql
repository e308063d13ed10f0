-- title: Regions that were never used before
-- question: In which regions did an account become active since then, and who began it?
-- parameter since (time, default 7d): what counts as new
WITH used AS (
  SELECT recipientAccountId AS account,
         awsRegion,
         min(eventTime) AS first,
         min_by(coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId),
                eventTime) AS began,
         count(*) AS events,
         count_if(NOT readOnly) AS changes
  FROM events
  GROUP BY 1, 2
)
SELECT account, awsRegion, first, began, events, changes
FROM used
WHERE first >= :since
ORDER BY first DESC, account, awsRegion
