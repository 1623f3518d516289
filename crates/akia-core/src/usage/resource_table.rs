//! The tables behind [`resources`](super::resources): which parameters of which service stand for which ARN, and which parts of an ARN
//! differ with each call.
//!
//! Names of parameters are as CloudTrail writes them. The forms of ARNs are those of the Service Authorization Reference.

use std::sync::LazyLock;

/// A form of ARN that names in the parameters fill in.
#[derive(Debug)]
pub(super) struct Form {
    /// The service that is called.
    pub(super) service: &'static str,
    /// A part of the names of the calls that it holds for; all, where it is empty.
    pub(super) calls: &'static str,
    /// `{partition}`, `{region}`, `{account}`; `{parameter}`; `{*parameter}`, which is written as `*`; `{?/parameter:}`, which may be
    /// missing, and its signs with it.
    pub(super) arn: &'static str,
}

/// A parameter in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    /// Written as `*`.
    pub(super) varies: bool,
    /// May be missing.
    optional: bool,
    /// What is written in front of it.
    pub(super) before: &'a str,
    /// What is written behind it.
    pub(super) after: &'a str,
}

impl<'a> Variable<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (optional, text) = text.strip_prefix('?').map_or((false, text), |rest| (true, rest));
        let (varies, text) = text.strip_prefix('*').map_or((false, text), |rest| (true, rest));
        let is_sign = |c: char| c == ':' || c == '/';
        let name = text.trim_matches(is_sign);
        let start = text.len() - text.trim_start_matches(is_sign).len();
        Self { name, varies, optional, before: &text[..start], after: &text[start + name.len()..] }
    }

    pub(super) fn is_required(self) -> bool {
        !self.optional
    }
}

/// A form that has been read: this is asked for every event.
pub(super) struct ReadForm {
    pub(super) form: &'static Form,
    /// The parameters that it is filled with.
    pub(super) variables: Vec<Variable<'static>>,
}

/// The forms, sorted by service.
pub(super) static READ_FORMS: LazyLock<Vec<ReadForm>> = LazyLock::new(|| {
    let read = |form: &'static Form| {
        let texts = form.arn.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(text, _)| text));
        let parameters = texts.filter(|text| !matches!(*text, "partition" | "region" | "account"));
        ReadForm { form, variables: parameters.map(Variable::of).collect() }
    };
    FORMS.iter().map(read).collect()
});

const fn form(service: &'static str, arn: &'static str) -> Form {
    Form { service, calls: "", arn }
}

const fn of_calls(service: &'static str, calls: &'static str, arn: &'static str) -> Form {
    Form { service, calls, arn }
}

/// Sorted by service.
const FORMS: &[Form] = &[
    form("apigateway", "arn:{partition}:apigateway:{region}::/apis/{apiId}"),
    form("apigateway", "arn:{partition}:apigateway:{region}::/restapis/{restApiId}"),
    form("athena", "arn:{partition}:athena:{region}:{account}:workgroup/{workGroup}"),
    form(
        "autoscaling",
        "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{autoScalingGroupName}",
    ),
    form("backup", "arn:{partition}:backup:{region}:{account}:backup-vault:{backupVaultName}"),
    form("batch", "arn:{partition}:batch:{region}:{account}:job-definition/{jobDefinition}:*"),
    form("batch", "arn:{partition}:batch:{region}:{account}:job-queue/{jobQueue}"),
    form("cloudformation", "arn:{partition}:cloudformation:{region}:{account}:stack/{stackName}/*"),
    of_calls("cloudfront", "Distribution", "arn:{partition}:cloudfront::{account}:distribution/{id}"),
    of_calls("cloudfront", "Invalidation", "arn:{partition}:cloudfront::{account}:distribution/{distributionId}"),
    of_calls("cloudtrail", "Trail", "arn:{partition}:cloudtrail:{region}:{account}:trail/{name}"),
    form("cloudtrail", "arn:{partition}:cloudtrail:{region}:{account}:trail/{trailName}"),
    form("codebuild", "arn:{partition}:codebuild:{region}:{account}:project/{projectName}"),
    form("codecommit", "arn:{partition}:codecommit:{region}:{account}:{repositoryName}"),
    of_calls("codepipeline", "Pipeline", "arn:{partition}:codepipeline:{region}:{account}:{name}"),
    form("codepipeline", "arn:{partition}:codepipeline:{region}:{account}:{pipelineName}"),
    form("cognito-identity", "arn:{partition}:cognito-identity:{region}:{account}:identitypool/{identityPoolId}"),
    form("cognito-idp", "arn:{partition}:cognito-idp:{region}:{account}:userpool/{userPoolId}"),
    form("dynamodb", "arn:{partition}:dynamodb:{region}:{account}:table/{tableName}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:elastic-ip/{allocationId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:instance/{instanceId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:internet-gateway/{internetGatewayId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:key-pair/{keyName}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:natgateway/{natGatewayId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:network-interface/{networkInterfaceId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:route-table/{routeTableId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:security-group/{groupId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:subnet/{subnetId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:volume/{volumeId}"),
    form("ec2", "arn:{partition}:ec2:{region}:{account}:vpc/{vpcId}"),
    form("ec2", "arn:{partition}:ec2:{region}::image/{imageId}"),
    form("ec2", "arn:{partition}:ec2:{region}::snapshot/{snapshotId}"),
    form("ecr", "arn:{partition}:ecr:{region}:{account}:repository/{repositoryName}"),
    form("ecs", "arn:{partition}:ecs:{region}:{account}:cluster/{cluster}"),
    form("ecs", "arn:{partition}:ecs:{region}:{account}:cluster/{clusterName}"),
    form("ecs", "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{service}"),
    form("ecs", "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{serviceName}"),
    form("ecs", "arn:{partition}:ecs:{region}:{account}:task-definition/{taskDefinition}:*"),
    of_calls("eks", "Cluster", "arn:{partition}:eks:{region}:{account}:cluster/{name}"),
    form("eks", "arn:{partition}:eks:{region}:{account}:cluster/{clusterName}"),
    form("elasticache", "arn:{partition}:elasticache:{region}:{account}:cluster:{cacheClusterId}"),
    form("elasticache", "arn:{partition}:elasticache:{region}:{account}:replicationgroup:{replicationGroupId}"),
    form("elasticfilesystem", "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{fileSystemId}"),
    form("es", "arn:{partition}:es:{region}:{account}:domain/{domainName}"),
    of_calls("events", "Rule", "arn:{partition}:events:{region}:{account}:rule/{?eventBusName/}{name}"),
    of_calls("events", "Target", "arn:{partition}:events:{region}:{account}:rule/{?eventBusName/}{rule}"),
    form("firehose", "arn:{partition}:firehose:{region}:{account}:deliverystream/{deliveryStreamName}"),
    form("iam", "arn:{partition}:iam::{account}:group/{groupName}"),
    form("iam", "arn:{partition}:iam::{account}:instance-profile/{instanceProfileName}"),
    of_calls("iam", "Policy", "arn:{partition}:iam::{account}:policy/{policyName}"),
    form("iam", "arn:{partition}:iam::{account}:role/{roleName}"),
    form("iam", "arn:{partition}:iam::{account}:user/{userName}"),
    form("kinesis", "arn:{partition}:kinesis:{region}:{account}:stream/{streamName}"),
    form("kms", "arn:{partition}:kms:{region}:{account}:key/{keyId}"),
    form("kms", "arn:{partition}:kms:{region}:{account}:key/{targetKeyId}"),
    form("kms", "arn:{partition}:kms:{region}:{account}:{aliasName}"),
    form("lambda", "arn:{partition}:lambda:{region}:{account}:function:{functionName}{?:qualifier}"),
    form("logs", "arn:{partition}:logs:{region}:{account}:log-group:{logGroupName}"),
    form("logs", "arn:{partition}:logs:{region}:{account}:log-group:{logGroupName}:log-stream:{*logStreamName}"),
    form("monitoring", "arn:{partition}:cloudwatch:{region}:{account}:alarm:{alarmName}"),
    form("monitoring", "arn:{partition}:cloudwatch::{account}:dashboard/{dashboardName}"),
    form("rds", "arn:{partition}:rds:{region}:{account}:cluster:{dBClusterIdentifier}"),
    form("rds", "arn:{partition}:rds:{region}:{account}:db:{dBInstanceIdentifier}"),
    form("rds", "arn:{partition}:rds:{region}:{account}:snapshot:{dBSnapshotIdentifier}"),
    form("redshift", "arn:{partition}:redshift:{region}:{account}:cluster:{clusterIdentifier}"),
    form("route53", "arn:{partition}:route53:::hostedzone/{hostedZoneId}"),
    form("s3", "arn:{partition}:s3:::{bucketName}"),
    form("s3", "arn:{partition}:s3:::{bucketName}/{*key}"),
    form("secretsmanager", "arn:{partition}:secretsmanager:{region}:{account}:secret:{secretId}-??????"),
    of_calls(
        "secretsmanager",
        "CreateSecret",
        "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-??????",
    ),
    form("ses", "arn:{partition}:ses:{region}:{account}:identity/{emailIdentity}"),
    form("ses", "arn:{partition}:ses:{region}:{account}:identity/{identity}"),
    of_calls("sns", "CreateTopic", "arn:{partition}:sns:{region}:{account}:{name}"),
    of_calls("sqs", "CreateQueue", "arn:{partition}:sqs:{region}:{account}:{queueName}"),
    of_calls("sqs", "GetQueueUrl", "arn:{partition}:sqs:{region}:{account}:{queueName}"),
    form("sqs", "arn:{partition}:sqs:{region}:{queueUrl}"),
    // Documents of AWS have no account, or one of AWS's.
    of_calls("ssm", "Document", "arn:{partition}:ssm:{region}:*:document/{name}"),
    of_calls("ssm", "Parameter", "arn:{partition}:ssm:{region}:{account}:parameter/{name}"),
    of_calls("ssm", "ParametersByPath", "arn:{partition}:ssm:{region}:{account}:parameter/{path}"),
    form("ssm", "arn:{partition}:ssm:{region}:*:document/{documentName}"),
    of_calls("ssm", "StartSession", "arn:{partition}:ec2:{region}:{account}:instance/{target}"),
    of_calls("states", "CreateStateMachine", "arn:{partition}:states:{region}:{account}:stateMachine:{name}"),
];

/// Service, how its resource begins, and up to where it stays: what comes behind differs with each call. The first that fits counts.
pub(super) const VARYING: &[(&str, &str, &str)] = &[
    ("batch", "job-definition/", ":"),
    ("batch", "job/", ""),
    ("cloudformation", "changeSet/", "/"),
    ("cloudformation", "stack/", "/"),
    ("codebuild", "build/", ":"),
    ("ecs", "container-instance/", "/"),
    ("ecs", "task-definition/", ":"),
    ("ecs", "task/", "/"),
    ("logs", "log-group:", ":log-stream:"),
    ("s3", "accesspoint/", "/object/"),
    ("s3", "", "/"),
    ("ssm", "automation-execution/", ""),
    ("ssm", "session/", ""),
    ("states", "execution:", ":"),
    ("states", "express:", ":"),
    ("sts", "assumed-role/", "/"),
];

/// Service, call, and how the resource begins that the call makes: its id is a new one each time.
pub(super) const NEW: &[(&str, &str, &str)] = &[
    ("ec2", "RunInstances", "instance/"),
    ("ec2", "RunInstances", "network-interface/"),
    ("ec2", "RunInstances", "volume/"),
];

/// The fields of `requestParameters` that [`resources`](super::resources) may need. Sorted.
pub const PARAMETERS: &[&str] = &[
    "alarmName",
    "aliasName",
    "allocationId",
    "apiId",
    "arn",
    "autoScalingGroupName",
    "backupVaultName",
    "bucketName",
    "cacheClusterId",
    "certificateArn",
    "changeSetName",
    "cluster",
    "clusterArn",
    "clusterIdentifier",
    "clusterName",
    "dBClusterIdentifier",
    "dBInstanceIdentifier",
    "dBSnapshotIdentifier",
    "dashboardName",
    "deliveryStreamARN",
    "deliveryStreamName",
    "distributionId",
    "documentName",
    "domainName",
    "emailIdentity",
    "eventBusName",
    "eventSourceArn",
    "executionArn",
    "executionRoleArn",
    "fileSystemId",
    "functionArn",
    "functionName",
    "groupId",
    "groupName",
    "hostedZoneId",
    "iamRoleArn",
    "id",
    "identity",
    "identityPoolId",
    "imageId",
    "indexName",
    "instanceId",
    "instanceProfileName",
    "internetGatewayId",
    "invocationRoleArn",
    "jobDefinition",
    "jobQueue",
    "jobRoleArn",
    "key",
    "keyId",
    "keyName",
    "listenerArn",
    "loadBalancerArn",
    "logGroupName",
    "logStreamName",
    "name",
    "natGatewayId",
    "networkInterfaceId",
    "openIDConnectProviderArn",
    "path",
    "permissionsBoundary",
    "pipelineName",
    "policyArn",
    "policyName",
    "policySourceArn",
    "projectName",
    "qualifier",
    "queueName",
    "queueUrl",
    "registryId",
    "replicationGroupId",
    "repositoryName",
    "resource",
    "resourceARN",
    "resourceArn",
    "restApiId",
    "role",
    "roleARN",
    "roleArn",
    "roleName",
    "routeTableId",
    "rule",
    "sAMLProviderArn",
    "secretId",
    "serialNumber",
    "service",
    "serviceName",
    "serviceRole",
    "serviceRoleArn",
    "snapshotId",
    "stackName",
    "stateMachineArn",
    "streamARN",
    "streamName",
    "subnetId",
    "subscriptionArn",
    "tableArn",
    "tableName",
    "target",
    "targetArn",
    "targetGroupArn",
    "targetKeyId",
    "taskDefinition",
    "taskRoleArn",
    "topicArn",
    "trailName",
    "userName",
    "userPoolId",
    "volumeId",
    "vpcId",
    "workGroup",
    "x-amz-copy-source",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Parameters that are whole ARNs, or are asked for by name in `resource.rs`.
    const OTHERS: &[&str] = &[
        "arn",
        "certificateArn",
        "changeSetName",
        "clusterArn",
        "deliveryStreamARN",
        "eventSourceArn",
        "executionArn",
        "executionRoleArn",
        "functionArn",
        "iamRoleArn",
        "indexName",
        "invocationRoleArn",
        "jobRoleArn",
        "listenerArn",
        "loadBalancerArn",
        "openIDConnectProviderArn",
        "permissionsBoundary",
        "policyArn",
        "policySourceArn",
        "registryId",
        "resource",
        "resourceARN",
        "resourceArn",
        "role",
        "roleARN",
        "roleArn",
        "sAMLProviderArn",
        "serialNumber",
        "serviceRole",
        "serviceRoleArn",
        "stateMachineArn",
        "streamARN",
        "subscriptionArn",
        "tableArn",
        "targetArn",
        "targetGroupArn",
        "taskRoleArn",
        "topicArn",
        "x-amz-copy-source",
    ];

    #[test]
    fn the_tables_are_in_order() {
        assert!(FORMS.is_sorted_by_key(|form| form.service));
        assert!(VARYING.is_sorted_by_key(|(service, _, _)| service));
        let expected: BTreeSet<&str> = READ_FORMS
            .iter()
            .flat_map(|form| form.variables.iter().map(|one| one.name))
            .chain(OTHERS.iter().copied())
            .collect();
        assert_eq!(PARAMETERS, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn variables_of_forms_are_read() {
        let read = |text| Variable::of(text);
        let plain = Variable { name: "a", varies: false, optional: false, before: "", after: "" };
        assert_eq!(read("a"), plain);
        assert_eq!(read("*a"), Variable { varies: true, ..plain });
        assert_eq!(read("?:a"), Variable { optional: true, before: ":", ..plain });
        assert_eq!(read("?a/"), Variable { optional: true, after: "/", ..plain });
    }
}
