-- title: Old TLS
-- question: Who still calls with TLS 1.0 or 1.1, and with which tool?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT coalesce(userIdentity.arn, userIdentity.invokedBy, userIdentity.accountId) AS who,
       tlsDetails.tlsVersion,
       eventSource,
       userAgent,
       count(*) AS events,
       max(eventTime) AS last
FROM events
WHERE tlsDetails.tlsVersion IN ('TLSv1', 'TLSv1.0', 'TLSv1.1')
  AND eventTime >= :since
GROUP BY 1, 2, 3, 4
ORDER BY events DESC, who, eventSource, userAgent
LIMIT 100
