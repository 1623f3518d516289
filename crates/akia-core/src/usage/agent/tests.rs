//! User agents as they are in public CloudTrail records and in the tests of SDKs, and what each tells.

use super::*;

/// Program, version, library, machine, what the kernel says, environment.
fn told(text: &str) -> String {
    let agent = Agent::parse(text);
    let words = [
        Some(agent.program.clone()),
        agent.version.clone(),
        agent.library.clone().map(|library| format!("with {library}")),
        agent.machine().map(|machine| format!("on {machine}")),
        agent.ground.map(|ground| format!("{ground:?}")),
        agent.environment.as_ref().map(|environment| format!("in {environment}")),
        agent.distribution.clone().map(|name| format!("distribution {name}")),
        agent.app.clone().map(|name| format!("app {name}")),
        agent.session.clone().map(|name| format!("session {name}")),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[test]
fn each_form_is_read() {
    let table = [
        // The AWS CLI.
        (
            "[aws-cli/2.36.17 md/awscrt#0.36.0 ua/2.1 os/linux#6.19.14+kali-amd64 md/arch#x86_64 lang/python#3.14.6 md/pyimpl#CPython m/Z,g,E,C,b cfg/retry-mode#standard md/installer#exe sid/4c55b1738b6d md/distrib#kali.2026 md/prompt#off md/command#s3.ls]",
            "AWS CLI v2, 2.36.17, on Linux 6.19.14+kali-amd64 x86_64, distribution kali.2026, session 4c55b1738b6d",
        ),
        (
            "[aws-cli/2.2.27 Python/3.8.8 Darwin/22.2.0 exe/x86_64 prompt/off command/s3api.get-bucket-versioning]",
            "AWS CLI v2, 2.2.27, on macOS 22.2.0 x86_64",
        ),
        (
            "[aws-cli/2.15.34 Python/3.11.8 Linux/5.10.210-201.852.amzn2.x86_64 docker/x86_64.amzn.2 prompt/off command/s3.ls]",
            "AWS CLI v2, 2.15.34, on Linux 5.10.210-201.852.amzn2.x86_64 x86_64, Aws, in a container, distribution amzn.2",
        ),
        (
            "aws-cli/2.13.5 Python/3.11.4 Linux/4.14.255-314-253.539.amzn2.x86_64 exec-env/CloudShell exe/x86_64.amzn.2 prompt/off command/iam.create-role",
            "AWS CLI v2, 2.13.5, on Linux 4.14.255-314-253.539.amzn2.x86_64 x86_64, Aws, in CloudShell, distribution amzn.2",
        ),
        (
            "aws-cli/2.4.23 Python/3.8.8 Linux/5.10.16.3-microsoft-standard-WSL2 exe/x86_64.ubuntu.20 prompt/off command/iam.list-users",
            "AWS CLI v2, 2.4.23, on Linux 5.10.16.3-microsoft-standard-WSL2 x86_64, Wsl, distribution ubuntu.20",
        ),
        (
            "aws-cli/2.4.23 Python/3.8.8 Windows/10 exe/AMD64 prompt/off command/iam.list-users",
            "AWS CLI v2, 2.4.23, on Windows 10 x86_64",
        ),
        ("aws-cli/1.16.192 Python/2.7.10 Darwin/18.7.0 botocore/1.12.182", "AWS CLI v1, 1.16.192, on macOS 18.7.0"),
        (
            "aws-cli/1.32.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.8.0-1021-aws md/arch#x86_64 lang/python#3.10.12 md/pyimpl#CPython cfg/retry-mode#legacy botocore/1.34.0",
            "AWS CLI v1, 1.32.0, on Linux 6.8.0-1021-aws x86_64, Aws",
        ),
        (
            "aws-cli/2.34.11 md/awscrt#0.31.2 ua/2.1 os/linux#4.14.355-280.714.amzn2.x86_64 md/arch#x86_64 lang/python#3.13.11 md/pyimpl#CPython exec-env/AWS_ECS_EC2 m/b,E,W,G,Z cfg/retry-mode#standard md/installer#exe md/distrib#amzn.2023 md/prompt#off md/command#s3.sync",
            "AWS CLI v2, 2.34.11, on Linux 4.14.355-280.714.amzn2.x86_64 x86_64, Aws, in ECS on EC2, or CodeBuild, distribution amzn.2023",
        ),
        // boto3 and botocore.
        (
            "Boto3/1.29.7 md/Botocore#1.32.7 ua/2.0 os/windows#10 md/arch#amd64 lang/python#3.12.1 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.32.7",
            "boto3, 1.29.7, on Windows 10 x86_64",
        ),
        (
            "Boto3/1.17.101 Python/3.8.10 Linux/4.14.231-180.360.amzn2.x86_64 exec-env/AWS_Lambda_python3.8 Botocore/1.20.102",
            "boto3, 1.17.101, on Linux 4.14.231-180.360.amzn2.x86_64, Aws, in Lambda (python3.8)",
        ),
        (
            "Boto3/1.24.84 Python/3.8.14 Linux/4.14.225-175.364.amzn2.aarch64 Botocore/1.27.84",
            "boto3, 1.24.84, on Linux 4.14.225-175.364.amzn2.aarch64, Aws",
        ),
        (
            "Botocore/1.43.106 ua/2.1 os/linux#6.18.44-fc-v857 md/arch#x86_64 lang/python#3.11.7 md/pyimpl#CPython m/e app/gitlab-deploy",
            "botocore, 1.43.106, on Linux 6.18.44-fc-v857 x86_64, in GitLab CI, app gitlab-deploy",
        ),
        // Infrastructure.
        (
            "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+https://www.terraform.io) terraform-provider-aws/3.76.1 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go/1.44.157 (go1.19.3; darwin; arm64) HashiCorp-terraform-exec/0.17.3",
            "Terraform, 1.1.2, with SDK for Go v1, on macOS arm64",
        ),
        (
            "APN/1.0 HashiCorp/1.0 Terraform/1.3.7 (+https://www.terraform.io) terraform-provider-aws/5.57.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.1 os/linux lang/go#1.22.4 md/GOOS#linux md/GOARCH#amd64 api/lambda#1.56.1",
            "Terraform, 1.3.7, with SDK for Go v2, on Linux x86_64",
        ),
        (
            "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+https://www.terraform.io) terraform-provider-aws/3.76.1 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go/1.44.157 (go1.19.3; darwin; arm64) stratus-red-team_83c9a458-ffab-4d43-8b02-9691311e8c0a HashiCorp-terraform-exec/0.17.3",
            "Stratus Red Team, with SDK for Go v1, on macOS arm64",
        ),
        (
            "APN/1.0 Pulumi/1.0 PulumiAWS/6.13.0 aws-sdk-go-v2/1.24.1 os/macos lang/go#1.21.5 md/GOOS#darwin md/GOARCH#arm64",
            "Pulumi, 1.0, with SDK for Go v2, on macOS arm64",
        ),
        (
            "APN/1.0 HashiCorp/1.0 packer/1.9.4 aws-sdk-go/1.44.114 (go1.20.7; linux; amd64)",
            "Packer, 1.9.4, with SDK for Go v1, on Linux x86_64",
        ),
        (
            "APN/1.0 Ansible/2.15.3 Boto3/1.28.40 md/Botocore#1.31.40 ua/2.0 os/linux#5.15.0-83-generic md/arch#x86_64 lang/python#3.10.12",
            "Ansible, 2.15.3, with boto3, on Linux 5.15.0-83-generic x86_64",
        ),
        (
            "aws-sam-cli/1.115.0 Boto3/1.34.79 md/Botocore#1.34.79 ua/2.0 os/macos#23.4.0 md/arch#arm64",
            "AWS SAM CLI, 1.115.0, with boto3, on macOS 23.4.0 arm64",
        ),
        (
            "aws-cdk/2.160.0 aws-sdk-js/3.654.0 ua/2.0 os/darwin#24.0.0 lang/js md/nodejs#20.17.0",
            "AWS CDK, 2.160.0, with SDK for JavaScript v3, on macOS 24.0.0",
        ),
        // Libraries.
        (
            "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.5 md/GOOS#linux md/GOARCH#amd64 api/elasticloadbalancingv2#1.45.0 elbv2.k8s.aws/v2.13.4 m/C,E",
            "AWS Load Balancer Controller, v2.13.4, with SDK for Go v2, on Linux x86_64, in Kubernetes",
        ),
        ("aws-sdk-go/1.37.19 (go1.16; linux; amd64) S3Manager", "SDK for Go v1, 1.37.19, on Linux x86_64"),
        (
            "aws-sdk-java/1.12.277 Linux/5.4.204-124.362.amzn2int.x86_64 OpenJDK_64-Bit_Server_VM/25.342-b07 java/1.8.0_342 vendor/Oracle_Corporation cfg/retry-mode/legacy",
            "SDK for Java v1, 1.12.277, on Linux 5.4.204-124.362.amzn2int.x86_64, Aws",
        ),
        (
            "aws-sdk-java/2.25.11 Mac_OS_X/14.4 OpenJDK_64-Bit_Server_VM/17.0.10+7 Java/17.0.10 vendor/Homebrew io/sync http/Apache cfg/retry-mode/legacy",
            "SDK for Java v2, 2.25.11, on macOS 14.4",
        ),
        (
            "aws-sdk-java/2.20.0 Windows_10/10.0 OpenJDK_64-Bit_Server_VM/17.0.6+10 Java/17.0.6",
            "SDK for Java v2, 2.20.0, on Windows 10.0",
        ),
        (
            "aws-sdk-js/3.632.0 ua/2.0 os/linux#5.10.227-239.884.amzn2.x86_64 lang/js md/nodejs#20.18.0 api/connect#3.632.0 exec-env/AWS_Lambda_nodejs20.x",
            "SDK for JavaScript v3, 3.632.0, on Linux 5.10.227-239.884.amzn2.x86_64, Aws, in Lambda (nodejs20.x)",
        ),
        (
            "aws-sdk-js/3.400.0 os/win32/10.0.19045 lang/js md/nodejs/18.17.1 api/s3/3.400.0",
            "SDK for JavaScript v3, 3.400.0, on Windows 10.0.19045",
        ),
        (
            "aws-sdk-nodejs/2.320.0 linux/v8.10.0 exec-env/AWS_Lambda_nodejs8.10 callback",
            "SDK for JavaScript v2, 2.320.0, on Linux, in Lambda (nodejs8.10)",
        ),
        (
            "aws-sdk-dotnet-coreclr/3.7.305.28 ua/2.0 os/windows#10.0.22631.0 md/ARCH#X64 lang/.NET_Core#8.0.2 md/aws-sdk-dotnet-core#3.7.302.12 api/S3#3.7.305.28",
            "SDK for .NET, 3.7.305.28, on Windows 10.0.22631.0 x86_64",
        ),
        (
            "aws-sdk-dotnet-coreclr/3.7.108.0 aws-sdk-dotnet-core/3.7.108.2 .NET_Core/6.0.20 OS/Linux_5.15.0-76-generic_#83-Ubuntu_SMP_Thu_Jun_15_19:16:32_UTC_2023 ClientAsync",
            "SDK for .NET, 3.7.108.0, on Linux 5.15.0-76-generic",
        ),
        (
            "aws-sdk-dotnet-coreclr/3.3.10.3 aws-sdk-dotnet-core/3.3.24.3 .NET_Core/4.6.26628.05 OS/Darwin_17.7.0_Darwin_Kernel_Version_17.7.0:_Thu_Jun_21_22:53:14_PDT_2018;_root:xnu-4570.71.2~1/RELEASE_X86_64 ClientAsync",
            "SDK for .NET, 3.3.10.3, on macOS 17.7.0",
        ),
        (
            "AWSPowerShell.Common/4.1.268.0 .NET_Core/7.0.2 OS/Linux_4.14.255-291-231.527.amzn2.x86_64_#1_SMP_Fri_Sep_9_17:34:07_UTC_2022 exec-env/CloudShell PowerShellCore/7.-1 ClientAsync",
            "AWS Tools for PowerShell, 4.1.268.0, on Linux 4.14.255-291-231.527.amzn2.x86_64, Aws, in CloudShell",
        ),
        (
            "AWSPowerShell.Common/4.1.20.0 .NET_Core/6.0.0-rtm.21522.10 OS/Microsoft_Windows_10.0.17763 PowerShellCore/7.-1 ClientAsync",
            "AWS Tools for PowerShell, 4.1.20.0, on Windows 10.0.17763",
        ),
        (
            "aws-sdk-rust/1.3.11 ua/2.1 api/dynamodb/1.104.0 os/linux lang/rust/1.93.0 exec-env/AWS_ECS_EC2 m/E,P,z md/http#hyper-1.x",
            "SDK for Rust, 1.3.11, on Linux, in ECS on EC2, or CodeBuild",
        ),
        (
            "aws-sdk-rust/0.1 ua/0.1 api/dynamodb/123 os/macos/1.15 lang/rust/1.50.0 app/my_app",
            "SDK for Rust, 0.1, on macOS 1.15, app my_app",
        ),
        (
            "aws-sdk-php/3.212.2 OS/Linux/5.10.25-linuxkit lang/php/8.0.18 GuzzleHttp/7",
            "SDK for PHP, 3.212.2, on Linux 5.10.25-linuxkit, DesktopContainer",
        ),
        (
            "aws-sdk-php/3.297.1 OS/Linux#5.10.25-linuxkit lang/php#8.2.15",
            "SDK for PHP, 3.297.1, on Linux 5.10.25-linuxkit, DesktopContainer",
        ),
        ("aws-sdk-ruby3/3.171.0 ruby/3.2.2 x86_64-linux aws-sdk-s3/1.120.0", "SDK for Ruby, 3.171.0, on Linux x86_64"),
        ("aws-sdk-ruby2/2.0.0.rc4 ruby/1.9.3 x86_64-linux Seahorse/0.1.0", "SDK for Ruby, 2.0.0.rc4, on Linux x86_64"),
        (
            "aws-sdk-cpp/1.11.493 ua/2.1 api/S3 os/Darwin#23.6.0 lang/c++#C++11 md/aws-crt#0.19.7 md/arch#arm64 md/Clang#15.0.0",
            "SDK for C++, 1.11.493, on macOS 23.6.0 arm64",
        ),
        (
            "aws-sdk-kotlin/1.3.81 ua/2.1 api/s3#1.3.81 os/linux#6.1.0 lang/kotlin#2.0.21",
            "SDK for Kotlin, 1.3.81, on Linux 6.1.0",
        ),
        (
            "aws-sdk-swift/1.5.86 ua/2.1 api/cognito_identity_provider#1.5.86 os/ios#26.3.1 lang/swift#5.10 m/D,N,Z,b",
            "SDK for Swift, 1.5.86, on a telephone 26.3.1",
        ),
        // People at a screen.
        (
            "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10.186-157.751.amzn2int.x86_64 OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_372 vendor/Oracle_Corporation cfg/retry-mode/standard]",
            "AWS console, 0.4",
        ),
        ("AWS Internal", "AWS console"),
        ("console.amazonaws.com", "AWS console"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            "browser, 5.0, on macOS",
        ),
        ("[S3 Browser 9.5.5 https://s3browser.com]", "S3 Browser"),
        ("S3 Browser/11.7.5 (https://s3browser.com)", "S3 Browser, 11.7.5"),
        ("Cyberduck/7.1.1.31577 (Mac OS X/10.14.6) (x86_64)", "Cyberduck, 7.1.1.31577, on macOS 10.14.6 x86_64"),
        ("rclone/v1.66.0", "rclone, v1.66.0"),
        // Others.
        ("TruffleHog", "TruffleHog"),
        ("Boto3/1.35.0 md/Botocore#1.35.0 ua/2.0 os/linux#6.1.0 APN_1826889", "Prowler, with boto3, on Linux 6.1.0"),
        (
            "aws-nuke/2.25.0 aws-sdk-go/1.50.0 (go1.21.0; linux; amd64)",
            "aws-nuke, 2.25.0, with SDK for Go v1, on Linux x86_64",
        ),
        ("config.amazonaws.com", "config.amazonaws.com"),
        ("akia/0.1.0", "akia, 0.1.0"),
        ("aws-sdk-rust/1.3.9 os/linux lang/rust/1.95.0 akia-r-7f3a", "akia, with SDK for Rust, on Linux"),
        ("MyTool/7 something", "MyTool, 7"),
        ("", "unknown"),
    ];
    let wrong = table.iter().filter(|(text, expected)| told(text) != *expected);
    let wrong: Vec<String> = wrong.map(|(text, expected)| format!("{text}\n  {expected}\n  {}", told(text))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tools_of_attackers_are_named_and_others_are_not() {
    for text in [
        "TruffleHog",
        "aws-nuke/2.25.0",
        "Pacu/1.5",
        "aws-cli/2.12.0 Python/3.11.4 Linux/6.3.0-kali1-cloud-amd64 source/x86_64.kali.2023",
    ] {
        assert!(Agent::parse(text).is_offensive(), "{text}");
    }
    for text in ["aws-cli/2.15.0 Python/3.11.4 Linux/6.3.0-generic", "Terraform/1.5", "config.amazonaws.com"] {
        assert!(!Agent::parse(text).is_offensive(), "{text}");
    }
}

#[test]
fn no_text_is_too_odd() {
    for text in [
        "(",
        ")",
        "((",
        "[",
        "]",
        "[]",
        "/",
        "#",
        "os/",
        "os/#",
        "md/",
        "exec-env/",
        "(;;)",
        "aws-cli/",
        "s3 browser",
        "é/ü os/Microsoft_Windows_",
    ] {
        let agent = Agent::parse(text);
        assert!(!agent.program.is_empty(), "{text}");
    }
}
