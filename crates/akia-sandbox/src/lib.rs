//! A small AWS for tests, demonstrations and practice: IAM, STS, CloudTrail's `LookupEvents`, and what
//! Organizations tells.
//!
//! It speaks the real protocols, checks signatures, evaluates policies, and does what networks and eventually
//! consistent services do to a caller. It is served over HTTP ([`Sandbox::serve`]) or mounted into the AWS SDK
//! ([`Sandbox::connector`]).
//!
//! Invariant: it shares no type with the rest of akia, so that one misunderstanding of AWS cannot hide in both. With
//! a seed and a manual clock, the same calls get the same answers. `docs/sandbox.md` says what is like AWS and what not.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use akia_sandbox::Sandbox;
//! let sandbox = Sandbox::builder().seed(1).build();
//! let alice = sandbox.add_user("alice", "/")?;
//! alice.attach_policy("AdministratorAccess")?;
//! let key = alice.add_access_key(sandbox.now())?;
//! let server = sandbox.serve("127.0.0.1:0".parse()?).await?;
//! println!("aws --endpoint-url {} iam list-users  # as {}", server.url(), key.id);
//! server.shutdown().await;
//! # Ok(()) }
//! ```

mod actions;
mod clock;
mod connector;
mod estate;
mod failure;
mod fault;
mod log;
mod managed;
mod mint;
mod organization;
mod policy;
mod propagation;
mod query;
mod report;
mod sandbox;
mod server;
mod service;
mod sigv4;
mod state;
mod totp;
mod xml;

pub use clock::Clock;
pub use connector::Connector;
pub use estate::EstateSpec;
pub use fault::{Fault, FaultKind};
pub use log::{Call, Outcome};
pub use organization::MemberSpec;
pub use propagation::Propagation;
pub use sandbox::{
    Account, AccountSpec, Builder, KeyInfo, KeyPair, LastUsed, Partition, RoleSpec, Sandbox, SetupError, User,
};
pub use server::Server;
