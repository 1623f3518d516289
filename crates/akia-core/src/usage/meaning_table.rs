//! The tables behind [`meaning`](super::meaning()): where the name of an event is not the name of an action.
//!
//! Sources, where a row does not say another: the Service Authorization Reference and, for S3, "Required permissions for Amazon S3 API
//! operations" in its user guide; for the rest the permissions that the API reference of the service gives with the call.

/// What an event stands for where its name does not say it.
#[derive(Debug)]
pub(super) struct Row {
    /// The service, as in the event.
    pub(super) service: &'static str,
    /// The event, without a version of the API.
    pub(super) event: &'static str,
    /// What is asked for.
    pub(super) asked: Asked,
    /// Why, in a few words.
    pub(super) why: &'static str,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// All of these.
    All(&'static [&'static str]),
    /// Some of these: which, the event does not say.
    Some(&'static [&'static str]),
    /// Nothing.
    Nothing,
}

const fn needs(service: &'static str, event: &'static str, actions: &'static [&'static str], why: &'static str) -> Row {
    Row { service, event, asked: Asked::All(actions), why }
}

const fn some(service: &'static str, event: &'static str, actions: &'static [&'static str], why: &'static str) -> Row {
    Row { service, event, asked: Asked::Some(actions), why }
}

const fn free(service: &'static str, event: &'static str, why: &'static str) -> Row {
    Row { service, event, asked: Asked::Nothing, why }
}

const PARTIQL: &[&str] =
    &["dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLSelect", "dynamodb:PartiQLUpdate"];

/// Sorted by service and event.
pub(super) const ROWS: &[Row] = &[
    needs(
        "apigateway",
        "DisablePortal",
        &["apigateway:DELETE"],
        "API Gateway knows the methods of HTTP; this call's is not the one that its name says",
    ),
    needs(
        "apigateway",
        "ImportApi",
        &["apigateway:PUT"],
        "API Gateway knows the methods of HTTP; this call's is not the one that its name says",
    ),
    needs(
        "apigateway",
        "ImportDocumentationParts",
        &["apigateway:PUT"],
        "API Gateway knows the methods of HTTP; this call's is not the one that its name says",
    ),
    needs(
        "apigateway",
        "PreviewPortal",
        &["apigateway:POST"],
        "API Gateway knows the methods of HTTP; this call's is not the one that its name says",
    ),
    needs(
        "apigateway",
        "PublishPortal",
        &["apigateway:POST"],
        "API Gateway knows the methods of HTTP; this call's is not the one that its name says",
    ),
    needs(
        "apigateway",
        "RejectDomainNameAccessAssociation",
        &["apigateway:POST"],
        "API Gateway knows the methods of HTTP; this call's is not the one that its name says",
    ),
    needs(
        "apigateway",
        "TagResource",
        &["apigateway:PUT", "apigateway:POST"],
        "PUT for REST APIs, POST for the others, and the name is one",
    ),
    needs("bedrock", "Converse", &["bedrock:InvokeModel"], "a conversation invokes the model"),
    needs("bedrock", "ConverseStream", &["bedrock:InvokeModelWithResponseStream"], "a conversation invokes the model"),
    needs("budgets", "CreateBudget", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "CreateNotification", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "CreateSubscriber", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "DeleteBudget", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "DeleteNotification", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "DeleteSubscriber", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "DescribeBudget", &["budgets:ViewBudget"], "budgets know one permission to read them"),
    needs(
        "budgets",
        "DescribeBudgetNotificationsForAccount",
        &["budgets:ViewBudget"],
        "budgets know one permission to read them",
    ),
    needs(
        "budgets",
        "DescribeBudgetPerformanceHistory",
        &["budgets:ViewBudget"],
        "budgets know one permission to read them",
    ),
    needs("budgets", "DescribeBudgets", &["budgets:ViewBudget"], "budgets know one permission to read them"),
    needs(
        "budgets",
        "DescribeNotificationsForBudget",
        &["budgets:ViewBudget"],
        "budgets know one permission to read them",
    ),
    needs(
        "budgets",
        "DescribeSubscribersForNotification",
        &["budgets:ViewBudget"],
        "budgets know one permission to read them",
    ),
    needs("budgets", "UpdateBudget", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "UpdateNotification", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs("budgets", "UpdateSubscriber", &["budgets:ModifyBudget"], "budgets know one permission to change them"),
    needs(
        "cloudfront",
        "CreateDistributionWithTags",
        &["cloudfront:CreateDistribution", "cloudfront:TagResource"],
        "tags are asked about apart",
    ),
    needs(
        "cloudfront",
        "CreateStreamingDistributionWithTags",
        &["cloudfront:CreateStreamingDistribution", "cloudfront:TagResource"],
        "tags are asked about apart",
    ),
    some("dynamodb", "BatchExecuteStatement", PARTIQL, "the statements are not logged"),
    some("dynamodb", "ExecuteStatement", PARTIQL, "the statement is not logged"),
    some("dynamodb", "ExecuteTransaction", PARTIQL, "the statements are not logged"),
    needs("dynamodb", "TransactGetItems", &["dynamodb:GetItem"], "each item is asked about"),
    some(
        "dynamodb",
        "TransactWriteItems",
        &["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        "each item is asked about, by what happens to it",
    ),
    needs("kms", "ReEncrypt", &["kms:ReEncryptFrom", "kms:ReEncryptTo"], "both keys are asked about"),
    needs("lambda", "GetLayerVersionByArn", &["lambda:GetLayerVersion"], "the same, by ARN"),
    needs("lambda", "Invoke", &["lambda:InvokeFunction"], "the permission has the longer name"),
    needs("lambda", "InvokeAsync", &["lambda:InvokeFunction"], "the permission is that of Invoke"),
    needs("lambda", "InvokeWithResponseStream", &["lambda:InvokeFunction"], "the permission is that of Invoke"),
    needs("s3", "CompleteMultipartUpload", &["s3:PutObject"], "an upload in parts is a put"),
    needs("s3", "CopyObject", &["s3:GetObject", "s3:PutObject"], "the source is read, the copy is written"),
    needs("s3", "CreateMultipartUpload", &["s3:PutObject"], "an upload in parts is a put"),
    needs("s3", "DeleteAccountPublicAccessBlock", &["s3:PutAccountPublicAccessBlock"], "deleting is putting nothing"),
    needs(
        "s3",
        "DeleteBucketAnalyticsConfiguration",
        &["s3:PutAnalyticsConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs("s3", "DeleteBucketCors", &["s3:PutBucketCORS"], "deleting is putting nothing"),
    needs(
        "s3",
        "DeleteBucketEncryption",
        &["s3:PutEncryptionConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "DeleteBucketIntelligentTieringConfiguration",
        &["s3:PutIntelligentTieringConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "DeleteBucketInventoryConfiguration",
        &["s3:PutInventoryConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "DeleteBucketLifecycle",
        &["s3:PutLifecycleConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "DeleteBucketLifecycleConfiguration",
        &["s3:PutLifecycleConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "DeleteBucketMetricsConfiguration",
        &["s3:PutMetricsConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs("s3", "DeleteBucketOwnershipControls", &["s3:PutBucketOwnershipControls"], "deleting is putting nothing"),
    needs("s3", "DeleteBucketPublicAccessBlock", &["s3:PutBucketPublicAccessBlock"], "deleting is putting nothing"),
    needs(
        "s3",
        "DeleteBucketReplication",
        &["s3:PutReplicationConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs("s3", "DeleteBucketTagging", &["s3:PutBucketTagging"], "deleting is putting nothing"),
    needs("s3", "DeleteMultipleObjects", &["s3:DeleteObject"], "each object is asked about"),
    needs("s3", "DeleteObjects", &["s3:DeleteObject"], "each object is asked about"),
    needs("s3", "DeletePublicAccessBlock", &["s3:PutBucketPublicAccessBlock"], "deleting is putting nothing"),
    needs(
        "s3",
        "GetBucketAccelerateConfiguration",
        &["s3:GetAccelerateConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketAnalyticsConfiguration",
        &["s3:GetAnalyticsConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketEncryption",
        &["s3:GetEncryptionConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketIntelligentTieringConfiguration",
        &["s3:GetIntelligentTieringConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketInventoryConfiguration",
        &["s3:GetInventoryConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketLifecycle",
        &["s3:GetLifecycleConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketLifecycleConfiguration",
        &["s3:GetLifecycleConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketMetricsConfiguration",
        &["s3:GetMetricsConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "GetBucketNotificationConfiguration",
        &["s3:GetBucketNotification"],
        "the permission has the shorter name",
    ),
    needs(
        "s3",
        "GetBucketReplication",
        &["s3:GetReplicationConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs("s3", "GetObjectAttributes", &["s3:GetObject", "s3:GetObjectAttributes"], "both are asked about"),
    needs(
        "s3",
        "GetObjectLockConfiguration",
        &["s3:GetBucketObjectLockConfiguration"],
        "the configuration is the bucket's",
    ),
    needs(
        "s3",
        "GetPublicAccessBlock",
        &["s3:GetBucketPublicAccessBlock"],
        "the block of a bucket; that of an account is GetAccountPublicAccessBlock",
    ),
    needs("s3", "HeadBucket", &["s3:ListBucket"], "whether there is a bucket is told to who may list it"),
    needs("s3", "HeadObject", &["s3:GetObject"], "a head is a get without the body"),
    needs("s3", "InitiateMultipartUpload", &["s3:PutObject"], "an upload in parts is a put"),
    needs(
        "s3",
        "ListBucketAnalyticsConfigurations",
        &["s3:GetAnalyticsConfiguration"],
        "a list is read with the permission for one",
    ),
    needs(
        "s3",
        "ListBucketIntelligentTieringConfigurations",
        &["s3:GetIntelligentTieringConfiguration"],
        "a list is read with the permission for one",
    ),
    needs(
        "s3",
        "ListBucketInventoryConfigurations",
        &["s3:GetInventoryConfiguration"],
        "a list is read with the permission for one",
    ),
    needs(
        "s3",
        "ListBucketMetricsConfigurations",
        &["s3:GetMetricsConfiguration"],
        "a list is read with the permission for one",
    ),
    needs("s3", "ListBuckets", &["s3:ListAllMyBuckets"], "the permission is older than the call"),
    needs(
        "s3",
        "ListDirectoryBuckets",
        &["s3express:ListAllMyDirectoryBuckets"],
        "the permission is named after that for buckets",
    ),
    needs(
        "s3",
        "ListMultipartUploads",
        &["s3:ListBucketMultipartUploads"],
        "uploads are listed with the permission for the bucket",
    ),
    needs(
        "s3",
        "ListObjectVersions",
        &["s3:ListBucketVersions"],
        "versions are listed with the permission for the bucket",
    ),
    needs("s3", "ListObjects", &["s3:ListBucket"], "objects are listed with the permission for the bucket"),
    needs("s3", "ListObjectsV2", &["s3:ListBucket"], "objects are listed with the permission for the bucket"),
    needs("s3", "ListParts", &["s3:ListMultipartUploadParts"], "the permission has the longer name"),
    needs("s3", "PostObject", &["s3:PutObject"], "a form that uploads is a put"),
    needs(
        "s3",
        "PutBucketAccelerateConfiguration",
        &["s3:PutAccelerateConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketAnalyticsConfiguration",
        &["s3:PutAnalyticsConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketEncryption",
        &["s3:PutEncryptionConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketIntelligentTieringConfiguration",
        &["s3:PutIntelligentTieringConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketInventoryConfiguration",
        &["s3:PutInventoryConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketLifecycle",
        &["s3:PutLifecycleConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketLifecycleConfiguration",
        &["s3:PutLifecycleConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketMetricsConfiguration",
        &["s3:PutMetricsConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutBucketNotificationConfiguration",
        &["s3:PutBucketNotification"],
        "the permission has the shorter name",
    ),
    needs(
        "s3",
        "PutBucketReplication",
        &["s3:PutReplicationConfiguration"],
        "S3 names the permission after the configuration",
    ),
    needs(
        "s3",
        "PutObjectLockConfiguration",
        &["s3:PutBucketObjectLockConfiguration"],
        "the configuration is the bucket's",
    ),
    needs(
        "s3",
        "PutPublicAccessBlock",
        &["s3:PutBucketPublicAccessBlock"],
        "the block of a bucket; that of an account is PutAccountPublicAccessBlock",
    ),
    needs("s3", "SelectObjectContent", &["s3:GetObject"], "a selection reads the object"),
    needs("s3", "UploadPart", &["s3:PutObject"], "an upload in parts is a put"),
    needs("s3", "UploadPartCopy", &["s3:GetObject", "s3:PutObject"], "the source is read, the part is written"),
    needs("signin", "SwitchRole", &["sts:AssumeRole"], "the console assumes the role"),
    needs("sns", "PublishBatch", &["sns:Publish"], "each message is asked about"),
    needs("sqs", "ChangeMessageVisibilityBatch", &["sqs:ChangeMessageVisibility"], "each message is asked about"),
    needs("sqs", "DeleteMessageBatch", &["sqs:DeleteMessage"], "each message is asked about"),
    needs("sqs", "SendMessageBatch", &["sqs:SendMessage"], "each message is asked about"),
    free("sts", "GetCallerIdentity", "AWS asks no permission, and none can be denied (STS API Reference)"),
    free("sts", "GetSessionToken", "AWS asks no permission (STS API Reference)"),
    needs("timestream", "Query", &["timestream:Select"], "the permission is named after the statement"),
];

/// Services of events that policies know by another name, or by several, the likeliest first. All others are known by their own.
/// Sorted.
pub(super) const PREFIXES: &[(&str, &[&str])] = &[
    ("a2i-runtime.sagemaker", &["sagemaker"]),
    ("admin.wickr", &["wickr"]),
    ("agreement-marketplace", &["aws-marketplace"]),
    ("api.detective", &["detective"]),
    ("api.ecr", &["ecr"]),
    ("api.ecr-public", &["ecr-public"]),
    ("api.iotdeviceadvisor", &["iotdeviceadvisor"]),
    ("api.iotmanagedintegrations", &["iotmanagedintegrations"]),
    ("api.iotwireless", &["iotwireless"]),
    ("api.mediatailor", &["mediatailor"]),
    ("api.pricing", &["pricing"]),
    ("api.sagemaker", &["sagemaker"]),
    ("api.tunneling.iot", &["iot"]),
    ("appconfigdata", &["appconfig"]),
    ("appstream2", &["appstream"]),
    ("autoscaling", &["autoscaling", "application-autoscaling", "autoscaling-plans"]),
    ("bedrock-agent", &["bedrock"]),
    ("bedrock-agent-runtime", &["bedrock"]),
    ("bedrock-agentcore-control", &["bedrock-agentcore"]),
    ("bedrock-data-automation", &["bedrock"]),
    ("bedrock-data-automation-runtime", &["bedrock"]),
    ("bedrock-runtime", &["bedrock"]),
    ("cassandra-streams", &["cassandra"]),
    ("catalog.marketplace", &["aws-marketplace"]),
    ("cloudcontrolapi", &["cloudformation"]),
    ("cloudhsmv2", &["cloudhsm"]),
    ("cloudsearchdomain", &["cloudsearch"]),
    ("contact-lens", &["connect"]),
    ("controlplane.payment-cryptography", &["payment-cryptography"]),
    ("data-ats.iot", &["iot"]),
    ("data-signer", &["signer"]),
    ("data.iot", &["iot"]),
    ("data.jobs.iot", &["iotjobsdata"]),
    ("data.mediastore", &["mediastore"]),
    ("data.qapps", &["qapps"]),
    ("dataplane.payment-cryptography", &["payment-cryptography"]),
    ("deployment-marketplace", &["aws-marketplace"]),
    ("edge.sagemaker", &["sagemaker"]),
    ("email", &["ses"]),
    ("entitlement.marketplace", &["aws-marketplace"]),
    ("eventsv2", &["events"]),
    ("featurestore-runtime.sagemaker", &["sagemaker"]),
    ("forecastquery", &["forecast"]),
    ("identity-chime", &["chime"]),
    ("ingest.timestream", &["timestream"]),
    ("iotdata", &["iot"]),
    ("ivsrealtime", &["ivs"]),
    ("mail-manager", &["ses"]),
    ("media-pipelines-chime", &["chime"]),
    ("meetings-chime", &["chime"]),
    ("memory-db", &["memorydb"]),
    ("messaging-chime", &["chime"]),
    ("metering.marketplace", &["aws-marketplace"]),
    ("metrics.sagemaker", &["sagemaker"]),
    ("migrationhub-config", &["mgh"]),
    ("models-v2-lex", &["lex"]),
    ("models.lex", &["lex"]),
    ("monitoring", &["cloudwatch"]),
    ("mturk-requester", &["mechanicalturk"]),
    ("oidc", &["sso-oauth"]),
    ("partnercentral-account", &["partnercentral"]),
    ("partnercentral-benefits", &["partnercentral"]),
    ("partnercentral-channel", &["partnercentral"]),
    ("partnercentral-selling", &["partnercentral"]),
    ("personalize-events", &["personalize"]),
    ("personalize-runtime", &["personalize"]),
    ("pinpoint", &["mobiletargeting"]),
    ("query.timestream", &["timestream"]),
    ("reporting-marketplace", &["aws-marketplace"]),
    ("runtime-v2-lex", &["lex"]),
    ("runtime.lex", &["lex"]),
    ("runtime.sagemaker", &["sagemaker"]),
    ("s3", &["s3", "s3express", "s3-outposts", "s3-object-lambda"]),
    ("s3-control", &["s3"]),
    ("servicecatalog-appregistry", &["servicecatalog"]),
    ("sms-voice.pinpoint", &["sms-voice"]),
    ("streams.dynamodb", &["dynamodb"]),
    ("tagging", &["tag"]),
    ("voice-chime", &["chime"]),
];

/// Services whose events ask for nothing unless a row says so: signing in comes before there is anybody to permit something to.
pub(super) const FREE: &[(&str, &str)] = &[("signin", "signing in to the console takes no permission")];

/// API Gateway knows the methods of HTTP as actions. How its calls begin, and the method.
pub(super) const METHODS: &[(&str, &str)] = &[
    ("Create", "POST"),
    ("Delete", "DELETE"),
    ("Export", "GET"),
    ("Flush", "DELETE"),
    ("Generate", "POST"),
    ("Get", "GET"),
    ("Import", "POST"),
    ("List", "GET"),
    ("Put", "PUT"),
    ("Reimport", "PUT"),
    ("Reset", "DELETE"),
    ("Test", "POST"),
    ("Untag", "DELETE"),
    ("Update", "PATCH"),
];
