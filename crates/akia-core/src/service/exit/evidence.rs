//! What is known of a key's use, and which ways off it that speaks for.
//!
//! User agents: the AWS SDKs and Tools Reference Guide (`exec-env/`, `os/`), and what the programs named here send. A user agent
//! can be set by whoever signs, so that it is a hint; where a key was delivered to is a fact.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::super::source::is_private;
use super::way::Way;

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Evidence {
    /// The kinds of places that hold it, as words: `profile`, `kubernetes`, `github-actions` …
    pub places: Vec<String>,
    /// The user agents of its requests, and how often each.
    pub agents: BTreeMap<String, usize>,
    /// Where its requests came from, and how often.
    pub addresses: BTreeMap<String, usize>,
    /// How many of its requests came through an endpoint of a VPC.
    pub through_endpoints: usize,
}

/// How well a way fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Something speaks for it.
    Possible,
    /// Much does.
    Likely,
    /// It is used there.
    Clear,
}

impl Fit {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Clear => "clear",
        }
    }
}

/// A way, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Which.
    pub way: Way,
    /// How well.
    pub fit: Fit,
    /// Why, the weightiest first.
    pub reasons: Vec<String>,
}

/// From this weight on a way is clear, or likely.
const CLEAR: u32 = 80;
const LIKELY: u32 = 50;
/// So many public addresses are machines that somebody can name.
const FEW: usize = 3;

/// What a kind of place says of where the key is used: weight and reason.
const PLACES: &[(&[&str], Way, u32, &str)] = &[
    (&["github-actions", "github"], Way::GitHub, 100, "it is a secret of GitHub Actions"),
    (&["gitlab-ci", "gitlab"], Way::GitLab, 100, "it is a variable of GitLab CI"),
    (&["circleci"], Way::CircleCi, 100, "it is a variable of CircleCI"),
    (&["terraform-cloud"], Way::TerraformCloud, 100, "it is a variable of HCP Terraform"),
    (&["kubernetes"], Way::PodIdentity, 85, "it is a secret of a Kubernetes cluster (where that is EKS)"),
    (&["kubernetes"], Way::Irsa, 80, "it is a secret of a Kubernetes cluster"),
    (&["ec2"], Way::Ec2, 100, "it is on an EC2 instance"),
    (&["ecs"], Way::Ecs, 100, "it is in an ECS task"),
    (&["lambda"], Way::Lambda, 100, "it is in a Lambda function"),
    (
        &["secrets-manager", "ssm-parameter"],
        Way::Ec2,
        40,
        "who reads it there has a role of AWS already, which can have the rights",
    ),
    (
        &["secrets-manager", "ssm-parameter"],
        Way::Ecs,
        40,
        "who reads it there has a role of AWS already, which can have the rights",
    ),
    (
        &["secrets-manager", "ssm-parameter"],
        Way::Lambda,
        40,
        "who reads it there has a role of AWS already, which can have the rights",
    ),
    (
        &["jenkins", "azure-devops", "vault", "env-file", "file"],
        Way::RolesAnywhere,
        45,
        "it is kept on a machine of one's own",
    ),
    (&["jenkins", "env-file", "file"], Way::Ec2, 30, "it is kept on a machine (where that is an EC2 instance)"),
    (&["profile", "keychain"], Way::IdentityCenter, 45, "it is in the AWS files or keychain of a person's machine"),
    (&["profile", "keychain"], Way::AwsLogin, 40, "it is in the AWS files or keychain of a person's machine"),
    (&["profile"], Way::RolesAnywhere, 30, "it is in the AWS files of a machine (where no person works)"),
];

/// What a part of a user agent says, in lower case.
const AGENTS: &[(&[&str], Way, u32, &str)] = &[
    (&["exec-env/aws_lambda"], Way::Lambda, 95, "a Lambda function signs with it"),
    (&["exec-env/aws_ecs"], Way::Ecs, 95, "an ECS task signs with it"),
    (&["configure-aws-credentials-for-github-actions"], Way::GitHub, 95, "GitHub's action for AWS signs with it"),
    (&["-azure"], Way::GitHub, 55, "a machine with Azure's kernel signs with it, as GitHub's hosted runners are"),
    (&["gitlab"], Way::GitLab, 60, "its user agent names GitLab"),
    (&["circleci"], Way::CircleCi, 60, "its user agent names CircleCI"),
    (&["terraform"], Way::TerraformCloud, 40, "Terraform signs with it (where that runs in HCP Terraform)"),
    (KUBERNETES, Way::PodIdentity, 80, "a controller of a Kubernetes cluster signs with it (where that is EKS)"),
    (KUBERNETES, Way::Irsa, 75, "a controller of a Kubernetes cluster signs with it"),
    (&[".amzn"], Way::Ec2, 70, "a machine with Amazon's kernel signs with it"),
    (PERSONS, Way::IdentityCenter, 60, "a person's machine (macOS or Windows) signs with it"),
    (PERSONS, Way::AwsLogin, 55, "a person's machine (macOS or Windows) signs with it"),
];

const KUBERNETES: &[&str] = &[
    "kubernetes",
    "external-dns",
    "external-secrets",
    "cluster-autoscaler",
    "cert-manager",
    "aws-load-balancer-controller",
    "ebs-csi",
    "karpenter",
    "velero",
];
const PERSONS: &[&str] = &["os/macos", "darwin", "os/windows", " windows/"];

/// The ways that something speaks for, the best first. Where nothing does, Roles Anywhere: it asks only for a machine.
#[must_use]
pub fn rank(evidence: &Evidence) -> Vec<Ranked> {
    let mut found: BTreeMap<Way, Vec<(u32, String)>> = BTreeMap::new();
    for (words, way, weight, reason) in PLACES {
        if evidence.places.iter().any(|place| words.contains(&place.as_str())) {
            found.entry(*way).or_default().push((*weight, (*reason).to_owned()));
        }
    }
    for (parts, way, weight, reason) in AGENTS {
        let said = evidence.agents.iter().filter(|(agent, _)| says(agent, parts, *way));
        let calls: usize = said.map(|(_, calls)| calls).sum();
        if calls > 0 {
            found.entry(*way).or_default().push((*weight, format!("{reason} ({})", calls_words(calls))));
        }
    }
    by_address(evidence, &mut found);
    if found.is_empty() {
        let reason = "nothing tells where it is used; this way asks only for a machine that can keep a certificate";
        found.insert(Way::RolesAnywhere, vec![(0, reason.to_owned())]);
    }
    let mut ranked: Vec<(u32, Ranked)> = found
        .into_iter()
        .map(|(way, mut reasons)| {
            reasons.sort_by_key(|one| std::cmp::Reverse(one.0));
            // Several hints make more than one of them, and do not make a fact.
            let heaviest = reasons.first().map_or(0, |one| one.0);
            let more: u32 = reasons.iter().skip(1).map(|one| one.0 / 4).sum();
            let weight = heaviest + more;
            let fit = match weight {
                CLEAR.. => Fit::Clear,
                LIKELY.. => Fit::Likely,
                _ => Fit::Possible,
            };
            (weight, Ranked { way, fit, reasons: reasons.into_iter().map(|one| one.1).collect() })
        })
        .collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.way.cmp(&b.1.way)));
    ranked.into_iter().map(|(_, one)| one).collect()
}

/// A container and a function have the kernel of the machine below them: theirs is no instance of one's own.
fn says(agent: &str, parts: &[&str], way: Way) -> bool {
    let agent = agent.to_lowercase();
    let is_hosted = agent.contains("exec-env/aws_");
    parts.iter().any(|part| agent.contains(part)) && !(way == Way::Ec2 && is_hosted)
}

fn by_address(evidence: &Evidence, found: &mut BTreeMap<Way, Vec<(u32, String)>>) {
    // The rest are names of services that call on. No request comes to AWS from a loopback address, but to an emulator.
    let parsed = evidence.addresses.keys().filter_map(|address| address.parse().ok());
    let parsed: Vec<IpAddr> = parsed.filter(|address: &IpAddr| !address.is_loopback()).collect();
    let private = parsed.iter().filter(|address| is_private(**address)).count();
    let public = parsed.len() - private;
    if private > 0 || evidence.through_endpoints > 0 {
        let reason = "its requests come through an endpoint of a VPC";
        for (way, weight) in [(Way::Ec2, 45), (Way::Ecs, 40)] {
            found.entry(way).or_default().push((weight, reason.to_owned()));
        }
    }
    if (1..=FEW).contains(&public) {
        let reason = match public {
            1 => "its requests come from one public address".to_owned(),
            count => format!("its requests come from {count} public addresses"),
        };
        found.entry(Way::RolesAnywhere).or_default().push((40, reason));
    }
}

fn calls_words(calls: usize) -> String {
    if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(places: &[&str], agents: &[&str], addresses: &[&str]) -> Evidence {
        let counted = |texts: &[&str]| texts.iter().map(|text| ((*text).to_owned(), 7)).collect();
        Evidence {
            places: places.iter().map(|&place| place.to_owned()).collect(),
            agents: counted(agents),
            addresses: counted(addresses),
            through_endpoints: 0,
        }
    }

    fn best(evidence: &Evidence) -> (Way, Fit) {
        let ranked = rank(evidence);
        (ranked[0].way, ranked[0].fit)
    }

    /// A case for each way, from what such a program really sends.
    #[test]
    fn each_way_is_found_by_what_tells_of_it() {
        let sdk = |rest: &str| format!("aws-sdk-python/1.34 md/Botocore#1.34 {rest}");
        let lambda = sdk("os/linux#5.10.226-236.879.amzn2.x86_64 exec-env/AWS_Lambda_python3.12");
        let ecs = sdk("os/linux#5.10.226-214.880.amzn2.x86_64 exec-env/AWS_ECS_FARGATE");
        let ec2 = sdk("ua/2.0 os/linux#6.1.112-124.190.amzn2023.x86_64 lang/python#3.9");
        let person = sdk("os/macos#24.1.0 md/arch#arm64");
        for (evidence, way, fit) in [
            (evidence(&[], &[&lambda], &["54.10.1.2"]), Way::Lambda, Fit::Clear),
            (evidence(&[], &[&ecs], &["10.1.2.3"]), Way::Ecs, Fit::Clear),
            (evidence(&[], &[&ec2], &["10.1.2.3"]), Way::Ec2, Fit::Clear),
            (evidence(&[], &[&ec2], &[]), Way::Ec2, Fit::Likely),
            (evidence(&["kubernetes"], &[], &[]), Way::PodIdentity, Fit::Clear),
            (evidence(&["github-actions"], &["aws-cli/2 os/linux#6.5.0-1025-azure"], &[]), Way::GitHub, Fit::Clear),
            (evidence(&[], &["aws-cli/2 os/linux#6.5.0-1025-azure"], &[]), Way::GitHub, Fit::Likely),
            (evidence(&["gitlab-ci"], &[], &["203.0.113.7"]), Way::GitLab, Fit::Clear),
            (evidence(&["circleci"], &[], &[]), Way::CircleCi, Fit::Clear),
            (
                evidence(&["terraform-cloud"], &["APN/1.0 HashiCorp/1.0 Terraform/1.9.5"], &[]),
                Way::TerraformCloud,
                Fit::Clear,
            ),
            (evidence(&["env-file"], &["curl/8"], &["203.0.113.7"]), Way::RolesAnywhere, Fit::Likely),
            (evidence(&["profile"], &[&person], &["203.0.113.7"]), Way::IdentityCenter, Fit::Likely),
            (evidence(&[], &[], &[]), Way::RolesAnywhere, Fit::Possible),
        ] {
            assert_eq!(best(&evidence), (way, fit), "{evidence:?}: {:?}", rank(&evidence));
        }
        let kubernetes = rank(&evidence(&[], &["external-dns/0.14 aws-sdk-go/1.44"], &[]));
        assert_eq!(kubernetes.iter().map(|one| one.way).collect::<Vec<_>>(), [Way::PodIdentity, Way::Irsa]);
    }

    #[test]
    fn what_is_not_known_speaks_for_nothing() {
        let ranked = rank(&evidence(&["a-new-kind"], &["curl/8"], &["athena.amazonaws.com", "AWS Internal"]));
        assert_eq!((ranked.len(), ranked[0].fit), (1, Fit::Possible));
        assert!(ranked[0].reasons[0].starts_with("nothing tells"), "{ranked:?}");
        let crowd: Vec<String> = (0..30).map(|n| format!("203.0.113.{n}")).collect();
        let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
        assert!(
            rank(&evidence(&[], &[], &crowd))[0].reasons[0].starts_with("nothing tells"),
            "many addresses tell nothing"
        );
    }

    #[test]
    fn a_function_is_not_taken_for_an_instance() {
        let lambda = "aws-sdk-js/3 os/linux#5.10.226.amzn2.x86_64 exec-env/AWS_Lambda_nodejs20.x";
        assert!(rank(&evidence(&[], &[lambda], &[])).iter().all(|one| one.way != Way::Ec2));
    }
}
