//! The API calls that are made, with the form of their parameters.

/// A call of the API.
#[derive(Debug)]
pub(super) struct Operation {
    /// As in `iam` of `iam.amazonaws.com`.
    pub(super) service: &'static str,
    pub(super) name: &'static str,
    /// As the AWS CLI calls it.
    pub(super) command: &'static str,
    pub(super) reads: bool,
    pub(super) takes: Takes,
}

/// What a call says it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Page,
    Bucket,
    Object,
    Instances,
    Function,
    Role,
    User,
    LogGroup,
    Secret,
    Key,
    Table,
    Queue,
    Stack,
}

const fn read(service: &'static str, name: &'static str, command: &'static str, takes: Takes) -> Operation {
    Operation { service, name, command, reads: true, takes }
}

const fn write(service: &'static str, name: &'static str, command: &'static str, takes: Takes) -> Operation {
    Operation { reads: false, ..read(service, name, command, takes) }
}

/// What people call by hand.
pub(super) const BY_HAND: [Operation; 20] = [
    read("sts", "GetCallerIdentity", "sts.get-caller-identity", Takes::Nothing),
    read("s3", "ListBuckets", "s3.ls", Takes::Nothing),
    read("s3", "ListObjects", "s3.ls", Takes::Bucket),
    read("s3", "GetBucketLocation", "s3api.get-bucket-location", Takes::Bucket),
    read("s3", "GetObject", "s3.cp", Takes::Object),
    read("ec2", "DescribeInstances", "ec2.describe-instances", Takes::Instances),
    read("ec2", "DescribeSecurityGroups", "ec2.describe-security-groups", Takes::Page),
    write("ec2", "StartInstances", "ec2.start-instances", Takes::Instances),
    read("iam", "GetUser", "iam.get-user", Takes::User),
    read("iam", "ListRoles", "iam.list-roles", Takes::Page),
    read("iam", "ListAttachedRolePolicies", "iam.list-attached-role-policies", Takes::Role),
    read("lambda", "ListFunctions20150331", "lambda.list-functions", Takes::Page),
    write("lambda", "UpdateFunctionCode20150331v2", "lambda.update-function-code", Takes::Function),
    read("logs", "DescribeLogGroups", "logs.describe-log-groups", Takes::LogGroup),
    read("logs", "FilterLogEvents", "logs.filter-log-events", Takes::LogGroup),
    read("cloudformation", "DescribeStacks", "cloudformation.describe-stacks", Takes::Stack),
    read("secretsmanager", "GetSecretValue", "secretsmanager.get-secret-value", Takes::Secret),
    read("dynamodb", "DescribeTable", "dynamodb.describe-table", Takes::Table),
    read("kms", "Decrypt", "kms.decrypt", Takes::Key),
    read("eks", "DescribeCluster", "eks.update-kubeconfig", Takes::Page),
];

/// What programs call.
pub(super) const BY_PROGRAM: [Operation; 12] = [
    write("s3", "PutObject", "s3.cp", Takes::Object),
    read("s3", "GetObject", "s3.cp", Takes::Object),
    read("s3", "ListObjects", "s3.sync", Takes::Bucket),
    read("secretsmanager", "GetSecretValue", "secretsmanager.get-secret-value", Takes::Secret),
    read("kms", "Decrypt", "kms.decrypt", Takes::Key),
    write("kms", "GenerateDataKey", "kms.generate-data-key", Takes::Key),
    write("logs", "CreateLogStream", "logs.create-log-stream", Takes::LogGroup),
    read("dynamodb", "DescribeTable", "dynamodb.describe-table", Takes::Table),
    read("sqs", "GetQueueAttributes", "sqs.get-queue-attributes", Takes::Queue),
    read("ec2", "DescribeInstances", "ec2.describe-instances", Takes::Instances),
    read("ssm", "GetParameter", "ssm.get-parameter", Takes::Page),
    read("sts", "GetCallerIdentity", "sts.get-caller-identity", Takes::Nothing),
];

/// What AWS's own services do.
pub(super) const BY_SERVICE: [Operation; 3] = [
    write("sts", "AssumeRole", "", Takes::Role),
    read("kms", "Decrypt", "", Takes::Key),
    read("s3", "GetBucketAcl", "", Takes::Bucket),
];

/// Which lists a call is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repertoire {
    Hand,
    Program,
    Service,
}

impl Repertoire {
    pub(super) fn operations(self) -> &'static [Operation] {
        match self {
            Self::Hand => &BY_HAND,
            Self::Program => &BY_PROGRAM,
            Self::Service => &BY_SERVICE,
        }
    }
}

/// Services whose calls CloudTrail writes down in us-east-1, wherever they come from.
pub(super) fn is_global(service: &str) -> bool {
    matches!(service, "iam")
}
