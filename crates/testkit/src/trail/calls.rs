//! The calls a trail is made of: how often, by whom, with which parameters.

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A person or a machine, by every kind of credentials.
    Anyone,
    /// Someone at a console.
    Console,
    /// Code under a role.
    Machine,
    /// The AWS service of this name.
    Service(&'static str),
    /// Another account.
    Stranger,
    /// Nobody who signed.
    Anonymous,
    /// An identity provider's user (`WebIdentityUser`).
    WebIdentity,
    /// A user of a SAML provider (`SAMLUser`).
    Saml,
    /// No `userIdentity.type` at all, as in service events.
    Nobody,
}

/// One kind of call; texts are [templates](super::template).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub weight: u32,
    pub source: &'static str,
    pub name: &'static str,
    pub caller: Caller,
    pub read_only: bool,
    pub data: bool,
    /// Recorded in us-east-1 only.
    pub global: bool,
    pub kind: &'static str,
    pub api_version: &'static str,
    pub request: &'static str,
    pub response: &'static str,
    pub additional: &'static str,
    pub resources: &'static str,
    pub service_details: &'static str,
    /// `errorCode` and `errorMessage` of the call when it fails.
    pub error: (&'static str, &'static str),
}

const fn read(weight: u32, source: &'static str, name: &'static str) -> Call {
    Call {
        weight,
        source,
        name,
        caller: Caller::Anyone,
        read_only: true,
        data: false,
        global: false,
        kind: "AwsApiCall",
        api_version: "",
        request: "",
        response: "",
        additional: "",
        resources: "",
        service_details: "",
        error: ("AccessDenied", "User is not authorized to perform the operation"),
    }
}

const fn write(weight: u32, source: &'static str, name: &'static str) -> Call {
    Call { read_only: false, ..read(weight, source, name) }
}

impl Call {
    const fn by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }
    const fn data(self) -> Self {
        Self { data: true, ..self }
    }
    const fn global(self) -> Self {
        Self { global: true, ..self }
    }
    const fn version(self, api_version: &'static str) -> Self {
        Self { api_version, ..self }
    }
    const fn of(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }
    const fn asks(self, request: &'static str) -> Self {
        Self { request, ..self }
    }
    const fn gets(self, response: &'static str) -> Self {
        Self { response, ..self }
    }
    const fn adds(self, additional: &'static str) -> Self {
        Self { additional, ..self }
    }
    const fn on(self, resources: &'static str) -> Self {
        Self { resources, ..self }
    }
    const fn details(self, service_details: &'static str) -> Self {
        Self { service_details, ..self }
    }
    const fn fails(self, code: &'static str, message: &'static str) -> Self {
        Self { error: (code, message), ..self }
    }
}

const S3_EXTRA: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<base64>","bytesTransferredOut":<bytes>}"#;
const S3_EXTRA_FLOAT: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":<bytes>.0,"SSEApplied":"Default_SSE_S3","AuthenticationMethod":"AuthHeader","x-amz-id-2":"<base64>","bytesTransferredOut":0.0}"#;
const S3_UNSIGNED: &str = r#"{"CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0.0,"x-amz-id-2":"<base64>","bytesTransferredOut":<bytes>.0}"#;
const S3_OBJECT: &str = r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<key>"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#;
const S3_BUCKET: &str =
    r#"[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#;
const KMS_KEY: &str = r#"[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<account>:key/<kmskey>"}]"#;
const ROLE: &str = r#"[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<account>:role/<role>"}]"#;
const CREDENTIALS: &str = r#"{"credentials":{"accessKeyId":"ASIA<letters>","sessionToken":"IQoJb3JpZ2luX2VjE<base64><base64>","expiration":"<time>"},"assumedRoleUser":{"assumedRoleId":"AROA<letters>:session-<number>","arn":"arn:aws:sts::<account>:assumed-role/<role>/session-<number>"}}"#;
const EC2_OK: &str = r#"{"requestId":"<uuid>","_return":true}"#;

/// Every call of a trail. The weights follow busy accounts: most events are machines that read.
pub(crate) const CALLS: &[Call] = &[
    // Object calls, on trails that select data events.
    read(160, "s3", "GetObject")
        .data()
        .asks(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#)
        .adds(S3_EXTRA)
        .on(S3_OBJECT)
        .fails("NoSuchKey", "The specified key does not exist."),
    read(12, "s3", "GetObject")
        .data()
        .by(Caller::Stranger)
        .asks(r#"{"bucketName":"<bucket>","Host":"s3.<region>.amazonaws.com","key":"<key>"}"#)
        .adds(S3_EXTRA)
        .on(S3_OBJECT)
        .fails("AccessDenied", "Access Denied"),
    read(10, "s3", "GetObject")
        .data()
        .by(Caller::Anonymous)
        .asks(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#)
        .adds(S3_UNSIGNED)
        .on(S3_OBJECT)
        .fails("AccessDenied", "Access Denied"),
    write(110, "s3", "PutObject")
        .data()
        .asks(
            r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","x-amz-acl":"bucket-owner-full-control","x-amz-server-side-encryption":"AES256","key":"<key>"}"#,
        )
        .gets(r#"{"x-amz-server-side-encryption":"AES256"}"#)
        .adds(S3_EXTRA_FLOAT)
        .on(S3_OBJECT),
    write(60, "s3", "PutObject")
        .data()
        .by(Caller::Service("cloudtrail"))
        .asks(
            r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","x-amz-acl":"bucket-owner-full-control","key":"AWSLogs/<account>/CloudTrail/<region>/<date>/<letters>.json.gz"}"#,
        )
        .gets(r#"{"x-amz-server-side-encryption":"AES256","x-amz-expiration":"expiry-date=\"Sun, 31 Oct 2027 00:00:00 GMT\", rule-id=\"<bucket>\""}"#)
        .adds(S3_EXTRA_FLOAT)
        .on(S3_BUCKET),
    write(20, "s3", "DeleteObject")
        .data()
        .asks(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#)
        .adds(S3_EXTRA)
        .on(S3_OBJECT),
    read(40, "lambda", "Invoke")
        .data()
        .version("2015-03-31")
        .asks(r#"{"functionName":"arn:aws:lambda:<region>:<account>:function:<function>","invocationType":"Event"}"#)
        .adds(r#"{"functionVersion":"arn:aws:lambda:<region>:<account>:function:<function>:$LATEST"}"#)
        .on(r#"[{"accountId":"<account>","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:<region>:<account>:function:<function>"}]"#),
    read(60, "dynamodb", "GetItem")
        .data()
        .version("2012-08-10")
        .asks(r#"{"tableName":"<table>","key":{"id":{"s":"HIDDEN_DUE_TO_SECURITY_REASONS"}},"consistentRead":false}"#)
        .on(r#"[{"accountId":"<account>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<account>:table/<table>"}]"#)
        .fails("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded."),
    // Keys, secrets, identities.
    read(90, "kms", "Decrypt")
        .asks(r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#)
        .on(KMS_KEY),
    read(70, "kms", "GenerateDataKey")
        .by(Caller::Service("s3"))
        .asks(r#"{"keySpec":"AES_256","keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>/<key>"}}"#)
        .on(KMS_KEY),
    read(60, "sts", "AssumeRole")
        .by(Caller::Service("lambda"))
        .asks(r#"{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"<function>"}"#)
        .gets(CREDENTIALS)
        .on(ROLE),
    read(40, "sts", "AssumeRole")
        .by(Caller::Machine)
        .asks(r#"{"roleArn":"arn:aws:iam::<partner>:role/<role>","roleSessionName":"session-<number>","durationSeconds":3600,"tags":[{"key":"team","value":"platform"}]}"#)
        .gets(CREDENTIALS)
        .on(ROLE),
    read(14, "sts", "AssumeRole")
        .by(Caller::Stranger)
        .asks(r#"{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"audit","externalId":"<hex>"}"#)
        .gets(CREDENTIALS)
        .on(ROLE),
    read(14, "sts", "AssumeRoleWithWebIdentity")
        .by(Caller::WebIdentity)
        .asks(r#"{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"ci-<number>"}"#)
        .gets(CREDENTIALS)
        .on(ROLE),
    read(6, "sts", "AssumeRoleWithSAML")
        .by(Caller::Saml)
        .asks(r#"{"sAMLAssertionID":"_<uuid>","roleSessionName":"<user>","principalArn":"arn:aws:iam::<account>:saml-provider/Okta","roleArn":"arn:aws:iam::<account>:role/<role>"}"#)
        .gets(CREDENTIALS)
        .on(ROLE),
    read(40, "sts", "GetCallerIdentity"),
    read(30, "secretsmanager", "GetSecretValue")
        .asks(r#"{"secretId":"<secret>"}"#)
        .fails("ResourceNotFoundException", r"Secrets Manager can\u0027t find the specified secret."),
    // Fleets.
    read(55, "ec2", "DescribeInstances")
        .asks(r#"{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}},{"name":"tag:Name","valueSet":{"items":[{"value":"<role>"}]}}]}}"#)
        .fails("Client.UnauthorizedOperation", "You are not authorized to perform this operation."),
    read(30, "ec2", "DescribeNetworkInterfaces").asks(
        r#"{"networkInterfaceIdSet":{},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"<vpc>"}]}}]}}"#,
    ),
    read(20, "ec2", "DescribeSecurityGroups")
        .asks(r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"<group>"}]},"filterSet":{}}"#),
    write(5, "ec2", "RunInstances")
        .asks(
            r#"{"instancesSet":{"items":[{"imageId":"ami-0<hex>","minCount":1,"maxCount":1,"keyName":"ops"}]},"instanceType":"m6i.large","blockDeviceMapping":{"items":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":40,"deleteOnTermination":true,"volumeType":"gp3","encrypted":true}}]},"monitoring":{"enabled":false},"disableApiTermination":false,"clientToken":"<uuid>","networkInterfaceSet":{"items":[{"deviceIndex":0,"associatePublicIpAddress":false,"groupSet":{"items":[{"groupId":"<group>"}]}}]},"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Name","value":"<role>"},{"key":"team","value":"platform"}]}]}}"#,
        )
        .gets(
            r#"{"requestId":"<uuid>","reservationId":"r-0<hex>","ownerId":"<account>","groupSet":{},"instancesSet":{"items":[{"instanceId":"<instance>","imageId":"ami-0<hex>","instanceState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-<number>-<number>.ec2.internal","amiLaunchIndex":0,"productCodes":{},"instanceType":"m6i.large","launchTime":1718000<number>00,"placement":{"availabilityZone":"<region>a","tenancy":"default"},"vpcId":"<vpc>","privateIpAddress":"10.0.<number>.<number>","architecture":"x86_64","rootDeviceType":"ebs","virtualizationType":"hvm","hypervisor":"xen","ebsOptimized":false,"capacityReservationSpecification":{"capacityReservationPreference":"open"}}]}}"#,
        )
        .fails("Client.InstanceLimitExceeded", "You have requested more instances than your current limit allows."),
    write(5, "ec2", "TerminateInstances")
        .asks(r#"{"instancesSet":{"items":[{"instanceId":"<instance>"}]}}"#)
        .gets(r#"{"requestId":"<uuid>","instancesSet":{"items":[{"instanceId":"<instance>","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}]}}"#),
    write(4, "ec2", "AuthorizeSecurityGroupIngress")
        .asks(r#"{"groupId":"<group>","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8","description":"inside"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#)
        .gets(EC2_OK),
    write(4, "ec2", "ModifySecurityGroupRules")
        .asks(r#"{"ModifySecurityGroupRulesRequest":{"GroupId":"<group>","SecurityGroupRule":{"SecurityGroupRuleId":"sgr-0<hex>","tag":1,"SecurityGroupRule":{"CidrIpv4":"10.<number>.0.0/16","FromPort":22,"ToPort":22,"IpProtocol":"tcp"}}}}"#)
        .gets(r#"{"ModifySecurityGroupRulesResponse":{"xmlns":"http://ec2.amazonaws.com/doc/2016-11-15/","requestId":"<uuid>","return":true}}"#),
    write(30, "ssm", "UpdateInstanceInformation")
        .by(Caller::Machine)
        .asks(r#"{"instanceId":"<instance>","agentVersion":"3.3.1611.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.<number>.<number>","computerName":"ip-10-0-<number>-<number>.ec2.internal","agentName":"amazon-ssm-agent","availabilityZone":"<region>a","sSMConnectionChannel":"ssmmessages"}"#),
    read(16, "ssm", "GetParameter").asks(r#"{"name":"/<secret>/password","withDecryption":true}"#),
    read(10, "autoscaling", "DescribeAutoScalingGroups").asks(r#"{"maxRecords":100}"#),
    read(16, "elasticloadbalancing", "DescribeTargetHealth")
        .version("2015-12-01")
        .asks(r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<role>/<hex>"}"#)
        .fails("TargetGroupNotFoundException", "One or more target groups not found"),
    read(10, "rds", "DescribeDBInstances").asks(r#"{"dBInstanceIdentifier":"<table>"}"#),
    read(8, "eks", "DescribeCluster").asks(r#"{"name":"<role>"}"#),
    read(12, "ecr", "BatchGetImage")
        .asks(r#"{"repositoryName":"<function>","imageIds":[{"imageTag":"v1.<number>.<number>"}],"registryId":"<account>","acceptedMediaTypes":["application/vnd.oci.image.manifest.v1+json","application/vnd.docker.distribution.manifest.v2+json"]}"#)
        .on(r#"[{"accountId":"<account>","ARN":"arn:aws:ecr:<region>:<account>:repository/<function>"}]"#),
    write(30, "logs", "CreateLogStream")
        .by(Caller::Machine)
        .version("20140328")
        .asks(r#"{"logGroupName":"/aws/lambda/<function>","logStreamName":"<date>/[$LATEST]<hex><hex>"}"#)
        .fails("ResourceAlreadyExistsException", "The specified log stream already exists"),
    read(14, "monitoring", "DescribeAlarms").asks(r#"{"maxRecords":100,"stateValue":"ALARM","alarmTypes":["MetricAlarm"]}"#),
    read(8, "tagging", "GetResources").asks(r#"{"resourcesPerPage":100,"tagFilters":[{"key":"team","values":["platform"]}]}"#),
    write(4, "lambda", "UpdateFunctionCode20150331v2")
        .asks(r#"{"functionName":"<function>","publish":false,"dryRun":false,"s3Bucket":"<bucket>","s3Key":"<key>"}"#)
        .gets(r#"{"functionName":"<function>","functionArn":"arn:aws:lambda:<region>:<account>:function:<function>","runtime":"python3.12","role":"arn:aws:iam::<account>:role/<role>","handler":"main.handler","codeSize":<bytes>,"description":"","timeout":30,"memorySize":256,"lastModified":"<time>","codeSha256":"<base64>","version":"$LATEST","tracingConfig":{"mode":"PassThrough"},"revisionId":"<uuid>","architectures":["x86_64"]}"#),
    // Buckets.
    read(60, "s3", "GetBucketAcl")
        .by(Caller::Service("cloudtrail"))
        .asks(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","acl":""}"#)
        .adds(S3_EXTRA)
        .on(S3_BUCKET),
    read(10, "s3", "ListBuckets").asks(r#"{"Host":"s3.<region>.amazonaws.com"}"#).adds(S3_EXTRA),
    read(16, "s3", "HeadBucket")
        .asks(r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com"}"#)
        .adds(S3_EXTRA)
        .on(S3_BUCKET),
    write(2, "s3", "PutBucketPolicy")
        .asks(r#"{"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"tls","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::<bucket>","arn:aws:s3:::<bucket>/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]},"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","policy":""}"#)
        .adds(S3_EXTRA)
        .on(S3_BUCKET),
    // IAM and the console.
    read(14, "iam", "GetRole").global().version("2010-05-08").asks(r#"{"roleName":"<role>"}"#)
        .fails("NoSuchEntityException", "The role with the given name cannot be found."),
    read(8, "iam", "ListAttachedRolePolicies").global().version("2010-05-08").asks(r#"{"roleName":"<role>","maxItems":100}"#),
    write(3, "iam", "CreateRole")
        .global()
        .version("2010-05-08")
        .asks(r#"{"roleName":"<role>","path":"/","assumeRolePolicyDocument":"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \"lambda.amazonaws.com\"}, \"Action\": \"sts:AssumeRole\"}]\n}","description":"made by pipeline <number>"}"#)
        .gets(r#"{"role":{"path":"/","roleName":"<role>","roleId":"AROA<letters>","arn":"arn:aws:iam::<account>:role/<role>","createDate":"<time>","assumeRolePolicyDocument":"%7B%0A%20%20%22Version%22%3A%20%222012-10-17%22%7D"}}"#)
        .fails("EntityAlreadyExistsException", "Role with the given name already exists."),
    write(2, "iam", "CreateAccessKey")
        .global()
        .version("2010-05-08")
        .asks(r#"{"userName":"<user>"}"#)
        .gets(r#"{"accessKey":{"userName":"<user>","accessKeyId":"AKIA<letters>","status":"Active","createDate":"<time>"}}"#),
    write(3, "iam", "AttachRolePolicy")
        .global()
        .version("2010-05-08")
        .asks(r#"{"roleName":"<role>","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}"#),
    write(4, "signin", "ConsoleLogin")
        .global()
        .by(Caller::Console)
        .of("AwsConsoleSignIn")
        .gets(r#"{"ConsoleLogin":"Success"}"#)
        .adds(r#"{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs\u003d%23\u0026isauthcode\u003dtrue\u0026state\u003dhashArgsFromTB_<region>_<hex>","MobileVersion":"No","MFAUsed":"Yes"}"#)
        .fails("", "Failed authentication"),
    read(10, "cloudtrail", "LookupEvents")
        .by(Caller::Console)
        .asks(r#"{"eventCategory":"insight","maxResults":25}"#),
    read(12, "health", "DescribeEventAggregates")
        .by(Caller::Console)
        .asks(r#"{"aggregateField":"eventTypeCategory","filter":{"eventStatusCodes":["open","upcoming"],"startTimes":[{"from":"Jul 3, 2024 11:42:44 AM"}]}}"#),
    // What services say of themselves.
    write(6, "kms", "RotateKey")
        .by(Caller::Nobody)
        .of("AwsServiceEvent")
        .details(r#"{"rotationType":"AUTOMATIC","keyOrigin":"AWS_KMS","keyId":"<kmskey>"}"#)
        .on(KMS_KEY),
    read(8, "secretsmanager", "SecretVersionDeletion")
        .by(Caller::Nobody)
        .of("AwsServiceEvent")
        .adds(r#"{"SecretId":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>-AbCdEf","SecretVersionId":"<uuid>"}"#),
    write(5, "eks", "InternalFailure").by(Caller::Nobody).of("AwsServiceEvent").details(r#"{"cluster":"<role>","attempt":<number>}"#),
];

/// What stands in for a global call in a file of another region.
pub(crate) const REGIONAL: Call = read(0, "sts", "GetCallerIdentity");
