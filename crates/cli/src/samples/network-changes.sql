-- title: Changes of the network
-- question: Who changed network ACLs, routes, gateways, peerings, endpoints or flow logs?
-- parameter since (time, default 1970-01-01): how far back to look
SELECT eventTime,
       coalesce(userIdentity.arn, userIdentity.invokedBy) AS who,
       awsRegion,
       eventName,
       coalesce(requestParameters['networkAclId'], requestParameters['routeTableId'],
                requestParameters['vpcPeeringConnectionId'],
                requestParameters['internetGatewayId'], requestParameters['vpcId']) AS target,
       coalesce(requestParameters['cidrBlock'],
                requestParameters['destinationCidrBlock']) AS network,
       errorCode
FROM events
WHERE eventSource = 'ec2.amazonaws.com'
  AND readOnly = false
  AND regexp_like(eventName, 'NetworkAcl|Route|InternetGateway|NatGateway|TransitGateway'
                             || '|VpcPeering|VpcEndpoint|VpnConnection|FlowLogs')
  AND eventTime >= :since
ORDER BY eventTime DESC, eventID
LIMIT 1000
