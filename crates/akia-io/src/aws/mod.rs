//! AWS, as akia sees it: callers, calls, credentials and errors.
//!
//! No type of the AWS SDK leaves this module, except the HTTP client, clock and sleep that [`AwsOptions`] takes for
//! tests. No error holds a secret or the body of an answer.

mod account;
mod authorization;
mod autoscaling;
mod caller;
mod client;
mod cloudformation;
mod cloudtrail;
mod codebuild;
mod config_service;
mod credentials;
mod ebs;
mod ec2;
mod ecs;
mod elasticbeanstalk;
mod endpoint;
mod error;
mod event_rules;
mod groups;
mod http;
mod identity;
mod instance;
mod lambda;
mod messages;
mod options;
mod organizations;
mod pace;
mod probe;
mod probe_get;
mod queue;
mod reading;
mod roots;
mod s3;
mod secrets_manager;
mod security_hub;
mod signed;
mod ssm;
mod unlogged;
mod user_making;
mod user_policies;
mod wallet;
mod web;
mod xml;

pub use account::{RawReport, ReportRequest};
pub use authorization::Authorization;
pub use caller::{Answered, AssumeRole, Caller, Fact, KeyChange, MfaToken, NewKey, Simulated, Simulation, User};
pub use client::Aws;
pub(crate) use client::authority;
pub use cloudtrail::{CreateEvidence, HistoryEvent, HistoryPart, KeyEvents};
pub use config_service::{Evaluated, MemberRule};
pub use credentials::Credentials;
pub(crate) use ebs::{BlockFault, From as ListFrom, ListedBlock};
pub(crate) use ec2::Instance;
pub use ec2::{ImageDisk, Snapshot};
pub(crate) use ecs::Variable;
pub(crate) use endpoint::is_this_machine;
pub use endpoint::{EndpointHost, EndpointHostError, ForeignEndpoint, SetBy};
pub(crate) use error::clean;
pub use error::{AwsError, Call};
pub use groups::Group;
pub use http::Calls;
pub(crate) use http::read_ca_bundle;
pub use identity::{CallerIdentity, IdentityKind};
pub use instance::instance_id;
pub(crate) use messages::{Mail, TopicMessage};
pub use options::{
    AwsOptions, EndpointError, EnvironmentEndpoints, OptionsError, Proxies, Service, Target, parse_endpoint,
};
pub use organizations::{AccountState, Member, Unit};
pub(crate) use pace::Paces;
pub use probe::Right;
pub use queue::{QueueDepth, QueueMessage, QueueUrl, QueueUrlError};
pub(crate) use reading::{may_pass, pause};
pub(crate) use roots::Roots;
pub use s3::{ObjectLock, ObjectVersion, Put, Retention};
pub(crate) use secrets_manager::{CURRENT, DescribedSecret, PENDING, PREVIOUS, SecretVersion};
pub use security_hub::{Imported, RefusedFinding};
pub(crate) use ssm::{ClearParameter, ParameterTraits, ParameterWrite};
pub use wallet::{CredentialsError, MfaPrompt, NoCode, Wallet, environment_credentials};
pub(crate) use web::{WebAnswer, WebFault, WebRequest};
