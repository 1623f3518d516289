//! AWS, as akia sees it: callers, calls, credentials and errors.
//!
//! No type of the AWS SDK leaves this module, except the HTTP client, clock and sleep that [`AwsOptions`] takes for
//! tests. No error holds a secret or the body of an answer.

mod account;
mod authorization;
mod caller;
mod client;
mod cloudtrail;
mod config_service;
mod credentials;
mod endpoint;
mod error;
mod event_rules;
mod http;
mod identity;
mod messages;
mod options;
mod organizations;
mod pace;
mod probe;
mod queue;
mod s3;
mod security_hub;
mod signed;
mod user_policies;
mod wallet;
mod web;

pub use account::{RawReport, ReportRequest};
pub use authorization::Authorization;
pub use caller::{Answered, AssumeRole, Caller, KeyChange, MfaToken, NewKey, Simulated, Simulation, User};
pub use client::Aws;
pub use cloudtrail::{CreateEvidence, KeyEvents};
pub use config_service::{Evaluated, MemberRule};
pub use credentials::Credentials;
pub(crate) use endpoint::is_this_machine;
pub use endpoint::{EndpointHost, EndpointHostError, ForeignEndpoint, SetBy};
pub(crate) use error::clean;
pub use error::{AwsError, Call};
pub use http::Calls;
pub(crate) use http::read_ca_bundle;
pub use identity::{CallerIdentity, IdentityKind};
pub(crate) use messages::{Mail, TopicMessage};
pub use options::{
    AwsOptions, EndpointError, EnvironmentEndpoints, OptionsError, Proxies, Service, Target, parse_endpoint,
};
pub use organizations::{AccountState, Member, Unit};
pub use probe::Right;
pub use queue::{QueueDepth, QueueMessage, QueueUrl, QueueUrlError};
pub use s3::{ObjectLock, ObjectVersion, Put, Retention};
pub use security_hub::{Imported, RefusedFinding};
pub use wallet::{CredentialsError, MfaPrompt, NoCode, Wallet, environment_credentials};
pub(crate) use web::{WebAnswer, WebFault, WebRequest};
