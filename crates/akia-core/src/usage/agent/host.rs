//! What a user agent tells of the machine: its system, its kernel, and where it runs.

use serde::{Deserialize, Serialize};

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Linux, whatever it runs on.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
    /// A telephone.
    Mobile,
}

impl System {
    /// Its name for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Macos => "macOS",
            Self::Windows => "Windows",
            Self::Mobile => "a telephone",
        }
    }

    /// Reads how a system names itself; anything behind its name is left to the caller.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
        if begins(&["linux"]) {
            Some(Self::Linux)
        } else if begins(&["macos", "darwin", "mac_os", "mac os", "macintosh", "osx"]) {
            Some(Self::Macos)
        } else if begins(&["windows", "microsoft_windows", "win32", "mingw"]) {
            Some(Self::Windows)
        } else if begins(&["ios", "android", "iphone", "ipad"]) {
            Some(Self::Mobile)
        } else {
            None
        }
    }
}

/// What a kernel's name says about where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// A kernel that is made for EC2: Amazon Linux's, or Ubuntu's `-aws`. Containers and functions on AWS have it, too.
    Aws,
    /// A kernel made for Azure: GitHub's hosted runners have it.
    Azure,
    /// A kernel made for Google Cloud.
    GoogleCloud,
    /// Linux in Windows, on somebody's desk.
    Wsl,
    /// The machine in which a desktop runs containers.
    DesktopContainer,
}

impl Ground {
    /// Reads the release of a kernel.
    pub(super) fn of(kernel: &str) -> Option<Self> {
        let kernel = kernel.to_ascii_lowercase();
        let has = |word: &str| kernel.contains(word);
        if has("microsoft") {
            Some(Self::Wsl)
        } else if has("linuxkit") || has("orbstack") || has("-moby") {
            Some(Self::DesktopContainer)
        } else if has(".amzn") || kernel.ends_with("-aws") || has("-aws-") || has("bottlerocket") {
            Some(Self::Aws)
        } else if kernel.ends_with("-azure") || has("-azure-") {
            Some(Self::Azure)
        } else if kernel.ends_with("-gcp") || kernel.ends_with("-gke") {
            Some(Self::GoogleCloud)
        } else {
            None
        }
    }
}

/// Where a program says that it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// A Lambda function, with its runtime.
    Lambda(String),
    /// A container on Fargate.
    Fargate,
    /// A container on ECS's own machines. CodeBuild says so, too.
    EcsOnEc2,
    /// An EC2 instance.
    Ec2,
    /// A shell in the console.
    CloudShell,
    /// A build or pipeline, by name.
    Pipeline(String),
    /// A cluster of Kubernetes.
    Kubernetes,
    /// A container, somewhere.
    Container,
    /// Any other, by its own name.
    Other(String),
}

impl Environment {
    /// Reads what stands behind `exec-env/`.
    pub(super) fn parse(name: &str) -> Self {
        if let Some(runtime) = name.strip_prefix("AWS_Lambda_") {
            return Self::Lambda(runtime.to_owned());
        }
        match name {
            "AWS_ECS_FARGATE" => Self::Fargate,
            "AWS_ECS_EC2" => Self::EcsOnEc2,
            "EC2" | "AWS_EC2" => Self::Ec2,
            "CloudShell" => Self::CloudShell,
            _ => pipeline(name).map_or_else(|| Self::Other(name.to_owned()), |name| Self::Pipeline(name.to_owned())),
        }
    }
}

impl std::fmt::Display for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lambda(runtime) => write!(formatter, "Lambda ({runtime})"),
            Self::Fargate => formatter.write_str("ECS on Fargate"),
            Self::EcsOnEc2 => formatter.write_str("ECS on EC2, or CodeBuild"),
            Self::Ec2 => formatter.write_str("EC2"),
            Self::CloudShell => formatter.write_str("CloudShell"),
            Self::Pipeline(name) | Self::Other(name) => formatter.write_str(name),
            Self::Kubernetes => formatter.write_str("Kubernetes"),
            Self::Container => formatter.write_str("a container"),
        }
    }
}

/// The pipelines that name themselves, in an execution environment, an app id or a token.
pub(super) fn pipeline(text: &str) -> Option<&'static str> {
    const PIPELINES: [(&str, &str); 9] = [
        ("github", "GitHub Actions"),
        ("configure-aws-credentials", "GitHub Actions"),
        ("gitlab", "GitLab CI"),
        ("codebuild", "CodeBuild"),
        ("jenkins", "Jenkins"),
        ("circleci", "CircleCI"),
        ("buildkite", "Buildkite"),
        ("bitbucket", "Bitbucket Pipelines"),
        ("azure-pipelines", "Azure Pipelines"),
    ];
    let text = text.to_ascii_lowercase();
    PIPELINES.into_iter().find(|(word, _)| text.contains(word)).map(|(_, name)| name)
}
