//! User agents, as CloudTrail has them.
//!
//! A user agent is what the program says of itself: evidence, and no proof. Forms:
//! - the older one of botocore and the AWS CLI: `aws-cli/2.11.2 Python/3.11.2 Linux/4.14.255 exec-env/CloudShell exe/x86_64.amzn.2 command/s3.ls`;
//! - the one that all SDKs share now: `Boto3/1.35.0 md/Botocore#1.35.0 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12 …`, where `#`
//!   stands before values (in Rust's and Java's also `/`);
//! - words of old SDKs: `aws-sdk-go/1.44 (go1.19; linux; amd64)`, `aws-sdk-ruby3/3.171 ruby/3.2.2 x86_64-linux`;
//! - names of services: `config.amazonaws.com`.
//!
//! CloudTrail sets brackets around those of S3 and some others. The grammar is in the source of botocore and of the SDK for Rust
//! (`useragent.py`, `aws_runtime::user_agent`).

mod host;
mod program;

use serde::{Deserialize, Serialize};

pub use host::{Environment, Ground, System};
pub use program::Kind;
use program::{KNOWN, Known};

/// What a user agent tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Agent {
    /// The program, as people call it; where nothing is known, its first token's name.
    pub program: String,
    /// What sort it is of.
    pub kind: Kind,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The library that it calls AWS with, where it is another than the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The operating system of who called; none where AWS's own servers called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<System>,
    /// The release of its kernel, or the version of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The processor: `x86_64` or `arm64`, or another word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// What the kernel's name says of where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// Where the program says that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The distribution, as in `kali.2026`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// The name that its owner has given the application (`sdk_ua_app_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The session of the AWS CLI: one terminal of one machine, until it rests for half an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

impl Agent {
    /// Reads a user agent. Any text gives one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Some(service) = service(text) {
            return Self::named(service, Kind::AwsService);
        }
        let (tokens, comments) = tokens(text);
        let mut agent = named(text, &tokens);
        for token in &tokens {
            agent.take(token);
        }
        for comment in &comments {
            agent.take_comment(comment);
        }
        if agent.program == "AWS console" {
            // AWS's own server called; what it runs on is not who clicked.
            (agent.system, agent.kernel, agent.ground, agent.processor) = (None, None, None, None);
        }
        agent.ground = agent.kernel.as_deref().and_then(Ground::of);
        let is_kali = |text: &str| text.to_ascii_lowercase().contains("kali");
        if agent.distribution.is_none() && agent.kernel.as_deref().is_some_and(is_kali) {
            agent.distribution = Some("kali".to_owned());
        }
        agent
    }

    /// Whether tools of attackers are behind it, or a system that is made for them.
    #[must_use]
    pub fn is_offensive(&self) -> bool {
        self.kind == Kind::Offence || self.distribution.as_deref().is_some_and(|name| name.starts_with("kali"))
    }

    /// The machine as far as it is told: system, kernel and processor, in words. None where no system is told.
    #[must_use]
    pub fn machine(&self) -> Option<String> {
        let words = [Some(self.system?.as_str()), self.kernel.as_deref(), self.processor.as_deref()];
        Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn named(program: &str, kind: Kind) -> Self {
        Self {
            program: program.to_owned(),
            kind,
            version: None,
            library: None,
            system: None,
            kernel: None,
            processor: None,
            ground: None,
            environment: None,
            distribution: None,
            app: None,
            session: None,
        }
    }

    fn take(&mut self, token: &str) {
        let (name, value) = token.split_once(['/', '#']).unwrap_or((token, ""));
        match name {
            "os" | "OS" => {
                let (system, release) = system(value);
                self.runs(system, release);
            }
            "md" => self.take_metadata(value),
            "exec-env" => self.environment = Some(Environment::parse(value)),
            "app" => {
                self.app = Some(value.to_owned());
                if let Some(name) = host::pipeline(value) {
                    self.environment.get_or_insert_with(|| Environment::Pipeline(name.to_owned()));
                }
            }
            "sid" => self.session = Some(value.to_owned()),
            // Installers of the AWS CLI before it told md/installer: exe/x86_64.amzn.2, docker/x86_64.
            "exe" | "source" | "docker" if !value.is_empty() => {
                let (processor, distribution) = value.split_once('.').unwrap_or((value, ""));
                self.works_on(processor);
                if !distribution.is_empty() {
                    self.distribution = Some(distribution.to_owned());
                }
                if name == "docker" {
                    self.environment.get_or_insert(Environment::Container);
                }
            }
            "Linux" | "Darwin" | "Windows" | "Mac_OS_X" | "linux" | "darwin" | "win32" if !value.is_empty() => {
                // What SDK v2 for JavaScript writes behind the system is the version of Node.js.
                self.runs(name, if value.starts_with('v') { "" } else { value });
            }
            "configure-aws-credentials-for-github-actions" => {
                self.environment.get_or_insert_with(|| Environment::Pipeline("GitHub Actions".to_owned()));
            }
            "elbv2.k8s.aws" | "amazon-vpc-cni-k8s" | "kubernetes" | "karpenter" | "cluster-autoscaler" => {
                self.environment.get_or_insert(Environment::Kubernetes);
            }
            // Windows_10/10.0 of Java, x86_64-linux and arm64-darwin23 of Ruby.
            _ if name.starts_with("Windows_") => self.runs("windows", value),
            _ => {
                if let Some((processor, system)) = name.split_once('-')
                    && matches!(processor, "x86_64" | "arm64" | "aarch64" | "x64")
                    && System::parse(system).is_some()
                {
                    self.runs(system, "");
                    self.works_on(processor);
                }
            }
        }
    }

    fn take_metadata(&mut self, value: &str) {
        let (name, value) = value.split_once(['#', '/']).unwrap_or((value, ""));
        match name {
            "arch" | "ARCH" | "GOARCH" => self.works_on(value),
            "GOOS" if self.system.is_none() => self.runs(value, ""),
            "distrib" => self.distribution = Some(value.to_owned()),
            _ => {}
        }
    }

    /// `go1.19.3; darwin; arm64`, `Mac OS X/10.14.6`, `Macintosh; Intel Mac OS X 10_15_7`.
    fn take_comment(&mut self, comment: &str) {
        for word in comment.split(';').map(str::trim) {
            let (name, release) = word.split_once('/').unwrap_or((word, ""));
            if System::parse(name).is_some() && self.system.is_none() {
                self.runs(name, release);
            } else if name == "X11" && self.system.is_none() {
                self.runs("linux", "");
            } else if matches!(name, "amd64" | "arm64" | "x86_64" | "aarch64") {
                self.works_on(name);
            }
        }
    }

    fn runs(&mut self, system: &str, release: &str) {
        if let Some(system) = System::parse(system) {
            self.system = Some(system);
            if !release.is_empty() {
                self.kernel = Some(release.to_owned());
            }
        }
    }

    fn works_on(&mut self, processor: &str) {
        let processor = match processor.to_ascii_lowercase().as_str() {
            "amd64" | "x64" | "x86_64" => "x86_64".to_owned(),
            "arm64" | "aarch64" => "arm64".to_owned(),
            other => other.to_owned(),
        };
        self.processor = Some(processor).filter(|processor| !processor.is_empty());
    }
}

/// The name of an AWS service that stands in the place of a user agent. The console's are people's.
fn service(text: &str) -> Option<&str> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let is_service = text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn");
    let is_console = ["console.", "signin."].iter().any(|name| text.starts_with(name));
    (is_name && is_service && !is_console).then_some(text)
}

/// System and release behind `os/`: `linux#6.1`, `macos/1.15` of Rust, `Linux_5.15.0-76-generic_#83-Ubuntu…` and
/// `Microsoft_Windows_10.0.17763` of .NET.
fn system(value: &str) -> (&str, &str) {
    if let Some(release) = value.strip_prefix("Microsoft_Windows_") {
        return ("windows", release.trim_start_matches("NT_"));
    }
    if let Some((system @ ("Linux" | "Darwin"), rest)) = value.split_once('_') {
        // Names of kernels have underscores, too: x86_64.
        let end = ["_#", "_Darwin"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
        return (system, &rest[..end]);
    }
    value.split_once(['#', '/']).unwrap_or((value, ""))
}

/// Words outside of parentheses, and what stands in those.
fn tokens(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut tokens, mut comments, mut rest) = (Vec::new(), Vec::new(), text);
    while !rest.is_empty() {
        let (words, after) = rest.split_once('(').unwrap_or((rest, ""));
        tokens.extend(
            words.split_ascii_whitespace().map(|word| word.trim_end_matches(',')).filter(|word| !word.is_empty()),
        );
        let (comment, after) = after.split_once(')').unwrap_or((after, ""));
        if !comment.is_empty() {
            comments.push(comment);
        }
        rest = after;
    }
    (tokens, comments)
}

/// The program with its version, and the library beneath it.
fn named(text: &str, tokens: &[&str]) -> Agent {
    let lower = text.to_ascii_lowercase();
    let words: Vec<String> = tokens.iter().map(|token| token.to_ascii_lowercase()).collect();
    // A name of two words begins the text; others begin a token.
    let found = |known: &&Known| {
        let is_phrase = known.begins.contains(' ');
        if is_phrase {
            lower.starts_with(known.begins)
        } else {
            words.iter().any(|word| word.starts_with(known.begins))
        }
    };
    let version = |begins: &str| {
        let token = tokens.iter().zip(&words).find(|(_, word)| word.starts_with(begins)).map(|(token, _)| *token);
        let version = token.and_then(|token| token.split_once('/')).map(|(_, version)| version)?;
        Some(version.to_owned()).filter(|version| !version.is_empty())
    };
    let Some(program) = KNOWN.iter().find(found) else {
        let first = tokens.first().copied().unwrap_or_default();
        let (name, version) = first.split_once('/').unwrap_or((first, ""));
        let name = if name.is_empty() { "unknown" } else { name };
        let mut agent = Agent::named(name, Kind::Other);
        agent.version = Some(version.to_owned()).filter(|version| !version.is_empty());
        return agent;
    };
    let mut agent = Agent::named(program.name, program.kind);
    agent.version = match program.begins.split_once(' ') {
        None => version(program.begins),
        Some(_) => lower[program.begins.len()..]
            .strip_prefix('/')
            .and_then(|rest| rest.split([' ', '(']).next())
            .filter(|version| !version.is_empty())
            .map(str::to_owned),
    };
    if program.wraps {
        let library = KNOWN.iter().filter(|known| !known.wraps).find(found);
        agent.library = library.map(|library| library.name.to_owned());
    }
    agent
}

#[cfg(test)]
mod tests;
