//! Ways from some rights of IAM to more.
//!
//! Source: Rhino Security Labs, "AWS IAM Privilege Escalation – Methods and Mitigation",
//! <https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/>, without CodeStar, which AWS has closed, and with those
//! that Datadog's <https://pathfinding.cloud/> adds for the services in wide use.

/// One way: whoever may do all of these actions can have other rights than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// `service:Name` each.
    pub actions: &'static [&'static str],
    /// What it leads to, in words.
    pub gives: &'static str,
    /// It is one only where it may be done to other users: everybody may change its own keys and password.
    pub is_of_others: bool,
}

const fn method(actions: &'static [&'static str], gives: &'static str) -> Method {
    Method { actions, gives, is_of_others: false }
}

const fn of_others(actions: &'static [&'static str], gives: &'static str) -> Method {
    Method { actions, gives, is_of_others: true }
}

/// Every one that is looked for.
pub const METHODS: &[Method] = &[
    of_others(&["iam:CreateAccessKey"], "a key of another user"),
    of_others(&["iam:CreateLoginProfile"], "a console password for another user"),
    of_others(&["iam:UpdateLoginProfile"], "another user's console password"),
    method(&["iam:AttachUserPolicy"], "any managed policy for itself"),
    method(&["iam:AttachGroupPolicy"], "any managed policy for a group of its"),
    method(&["iam:AttachRolePolicy", "sts:AssumeRole"], "any managed policy for a role that it assumes"),
    method(&["iam:PutUserPolicy"], "any policy for itself"),
    method(&["iam:PutGroupPolicy"], "any policy for a group of its"),
    method(&["iam:PutRolePolicy", "sts:AssumeRole"], "any policy for a role that it assumes"),
    method(&["iam:AddUserToGroup"], "the rights of any group"),
    method(&["iam:CreatePolicyVersion"], "another text for a policy that it has"),
    method(&["iam:SetDefaultPolicyVersion"], "an earlier text of a policy that it has"),
    method(&["iam:UpdateAssumeRolePolicy", "sts:AssumeRole"], "any role, by letting itself in"),
    method(&["iam:DeleteUserPermissionsBoundary"], "everything that its boundary keeps from it"),
    method(&["iam:PutUserPermissionsBoundary"], "everything that its boundary keeps from it"),
    method(&["iam:PassRole", "ec2:RunInstances"], "a role of instances"),
    method(&["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], "a role of functions"),
    method(&["iam:PassRole", "lambda:CreateFunction", "lambda:AddPermission"], "a role of functions"),
    method(&["iam:PassRole", "lambda:CreateFunction", "lambda:CreateEventSourceMapping"], "a role of functions"),
    method(&["lambda:UpdateFunctionCode"], "the role of a function that there is"),
    method(&["lambda:UpdateFunctionConfiguration"], "the role of a function that there is, by a layer"),
    method(&["iam:PassRole", "glue:CreateDevEndpoint"], "a role of Glue"),
    method(&["glue:UpdateDevEndpoint"], "the role of a Glue endpoint that there is"),
    method(&["iam:PassRole", "glue:CreateJob", "glue:StartJobRun"], "a role of Glue"),
    method(&["iam:PassRole", "cloudformation:CreateStack"], "a role of CloudFormation"),
    method(&["cloudformation:UpdateStack"], "the role of a stack that there is"),
    method(
        &["iam:PassRole", "datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"],
        "a role of Data Pipeline",
    ),
    method(
        &["iam:PassRole", "sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"],
        "a role of SageMaker",
    ),
    method(&["sagemaker:CreatePresignedNotebookInstanceUrl"], "the role of a notebook that there is"),
    method(&["iam:PassRole", "codebuild:CreateProject", "codebuild:StartBuild"], "a role of CodeBuild"),
    method(&["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"], "a role of ECS tasks"),
    method(&["ssm:SendCommand"], "the roles of instances that Systems Manager manages"),
    method(&["ssm:StartSession"], "the roles of instances that Systems Manager manages"),
    method(&["ec2-instance-connect:SendSSHPublicKey"], "the role of an instance that it reaches"),
];
