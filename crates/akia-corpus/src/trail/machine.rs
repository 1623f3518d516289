//! Machines with the programs on them, as user agents tell of them.

use crate::Dice;

/// A machine: the user agents of its programs. `{command}` stands for the command of the AWS CLI that was called.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) agents: Vec<String>,
}

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Mac,
    Windows,
    /// Linux on a desk.
    Desktop,
    /// Linux in Windows.
    Wsl,
    /// A container on a Mac or on Windows.
    DevContainer,
    /// A server of somebody's own.
    Server,
    Ec2Amazon,
    Ec2Ubuntu,
    Fargate,
    Lambda,
    /// A runner of GitHub, on Azure.
    Runner,
}

impl Host {
    /// `os/…` as botocore tells it.
    fn os(self, dice: &mut Dice) -> String {
        let n = |dice: &mut Dice, from: usize, to: usize| from + dice.below(to - from);
        match self {
            Self::Mac => format!("os/macos#{}.{}.0", n(dice, 23, 26), n(dice, 0, 7)),
            Self::Windows => format!("os/windows#{}", dice.one(&["10", "11"])),
            Self::Desktop => format!("os/linux#6.{}.0-{}-generic", dice.one(&["8", "11", "14"]), n(dice, 31, 88)),
            Self::Wsl => {
                format!("os/linux#{}-microsoft-standard-WSL2", dice.one(&["5.15.167.4", "6.6.87.2", "5.15.153.1"]))
            }
            Self::DevContainer => format!("os/linux#6.{}.{}-linuxkit", n(dice, 6, 12), n(dice, 10, 40)),
            Self::Server => format!("os/linux#5.{}.0-{}-generic", dice.one(&["4", "15"]), n(dice, 100, 190)),
            Self::Ec2Amazon => format!("os/linux#6.1.{}-{}.amzn2023.x86_64", n(dice, 79, 150), n(dice, 90, 180)),
            Self::Ec2Ubuntu => format!("os/linux#6.8.0-{}-aws", n(dice, 1009, 1040)),
            Self::Fargate => format!("os/linux#5.10.{}-{}.amzn2.x86_64", n(dice, 200, 240), n(dice, 200, 240)),
            Self::Lambda => format!("os/linux#5.10.{}-{}.amzn2.x86_64", n(dice, 200, 240), n(dice, 900, 999)),
            Self::Runner => "os/linux#6.11.0-1018-azure".to_owned(),
        }
    }

    fn arch(self, dice: &mut Dice) -> &'static str {
        match self {
            Self::Mac if dice.below(5) > 0 => "arm64",
            Self::Windows => "amd64",
            Self::DevContainer => "aarch64",
            _ => "x86_64",
        }
    }

    fn environment(self, language: &str) -> String {
        match self {
            Self::Fargate => " exec-env/AWS_ECS_FARGATE".to_owned(),
            Self::Lambda => format!(" exec-env/AWS_Lambda_{language}"),
            _ => String::new(),
        }
    }
}

/// Programs that call AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Cli2,
    Cli1,
    Boto3,
    Terraform,
    JavaScript,
    Go,
    Java,
}

impl Machine {
    pub(super) fn new(host: Host, programs: &[Program], dice: &mut Dice) -> Self {
        let (os, arch) = (host.os(dice), host.arch(dice));
        Self { agents: programs.iter().map(|program| agent(*program, host, &os, arch, dice)).collect() }
    }

    /// The same machine after its programs were renewed.
    pub(super) fn renewed(&self, dice: &mut Dice) -> Self {
        let minor = 29 + dice.below(4);
        let renew = |agent: &String| match agent.split_once("aws-cli/2.") {
            Some((before, after)) => {
                let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
                format!("{before}aws-cli/2.{minor}.0 {rest}")
            }
            None => agent.clone(),
        };
        Self { agents: self.agents.iter().map(renew).collect() }
    }
}

/// Forms of user agents as CloudTrail has them; the AWS CLI's stand in brackets where it says so.
fn agent(program: Program, host: Host, os: &str, arch: &str, dice: &mut Dice) -> String {
    let minor = |dice: &mut Dice, from: usize, to: usize| from + dice.below(to - from);
    match program {
        Program::Cli2 => {
            let (cli, python, crt) = (minor(dice, 15, 29), minor(dice, 5, 9), minor(dice, 19, 27));
            format!(
                "[aws-cli/2.{cli}.{} md/awscrt#0.{crt}.19 ua/2.1 {os} md/arch#{arch} lang/python#3.11.{python} md/pyimpl#CPython{} m/E,b cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#{{command}}]",
                minor(dice, 0, 40),
                host.environment("python3.12"),
            )
        }
        Program::Cli1 => {
            let core = minor(dice, 20, 40);
            format!(
                "aws-cli/1.{}.0 md/Botocore#1.{core}.0 ua/2.0 {os} md/arch#{arch} lang/python#3.10.12 md/pyimpl#CPython{} cfg/retry-mode#legacy botocore/1.{core}.0",
                core - 2,
                host.environment("python3.10"),
            )
        }
        Program::Boto3 => {
            let core = minor(dice, 28, 40);
            format!(
                "Boto3/1.{core}.{0} md/Botocore#1.{core}.{0} ua/2.0 {os} md/arch#{arch} lang/python#3.{1}.{2} md/pyimpl#CPython{3} cfg/retry-mode#legacy Botocore/1.{core}.{0}",
                minor(dice, 0, 150),
                minor(dice, 9, 14),
                minor(dice, 0, 12),
                host.environment("python3.12"),
            )
        }
        Program::Terraform => {
            let (family, system, arch) = go(host, arch);
            format!(
                "APN/1.0 HashiCorp/1.0 Terraform/1.{}.{} (+https://www.terraform.io) terraform-provider-aws/5.{}.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.3 os/{family} lang/go#1.22.5 md/GOOS#{system} md/GOARCH#{arch} api/ec2#1.173.0",
                minor(dice, 5, 12),
                minor(dice, 0, 8),
                minor(dice, 31, 90),
            )
        }
        Program::JavaScript => format!(
            "aws-sdk-js/3.{}.0 ua/2.1 {os} lang/js md/nodejs#20.{}.0 api/s3#3.621.0{}",
            minor(dice, 540, 800),
            minor(dice, 9, 18),
            host.environment("nodejs20.x"),
        ),
        Program::Go => {
            let (family, system, arch) = go(host, arch);
            format!(
                "aws-sdk-go-v2/1.{}.0 os/{family} lang/go#1.22.{} md/GOOS#{system} md/GOARCH#{arch} api/s3#1.58.2{}",
                minor(dice, 24, 39),
                minor(dice, 0, 9),
                host.environment("provided.al2023"),
            )
        }
        Program::Java => format!(
            "aws-sdk-java/2.{}.11 Linux/{} OpenJDK_64-Bit_Server_VM/17.0.{}+7 Java/17.0.10 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy{}",
            minor(dice, 20, 31),
            os.rsplit_once('#').map_or("", |(_, kernel)| kernel),
            minor(dice, 5, 13),
            host.environment("java17"),
        ),
    }
}

/// The system and the processor, in Go's words.
fn go(host: Host, arch: &str) -> (&'static str, &'static str, &'static str) {
    let (family, system) = match host {
        Host::Mac => ("macos", "darwin"),
        Host::Windows => ("windows", "windows"),
        _ => ("linux", "linux"),
    };
    (family, system, if matches!(arch, "arm64" | "aarch64") { "arm64" } else { "amd64" })
}
