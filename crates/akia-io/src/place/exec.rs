//! A program that keeps the key: `docs/place-protocol.md` is the protocol that it speaks.
//!
//! One run for one operation: a JSON object on its standard input, one on its standard output. The key goes in on standard input and
//! nowhere else.

use std::process::Stdio;
use std::time::Duration;

use akia_core::place::ExecPlace;
use akia_core::{AccessKeyId, SecretAccessKey};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use super::written::{digest, redact, request_text};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};
use crate::rotate::last_line;

const PROTOCOL: &str = "akia-place/1";
/// What is read of a program's answer and of its words, in bytes.
const LONGEST: u64 = 64 * 1024;

pub(super) struct ProgramPlace<'p> {
    pub(super) place: &'p ExecPlace,
}

/// What a program is asked; the key of a delivery is added where it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    protocol: &'static str,
    operation: &'a str,
    /// For the digest of a key: always the same for one place, so that the digest is the mark of the key.
    salt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<ExpectedText<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExpectedText<'a> {
    access_key_ids: &'a [AccessKeyId],
    mark: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    protocol: String,
    held: Option<Word>,
    access_key_id: Option<AccessKeyId>,
    secret_access_key: Option<String>,
    digest: Option<String>,
    mark: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Word {
    Nothing,
    Pair,
    Digest,
    Sealed,
}

/// What stands there, as the program says it.
enum Said {
    Nothing,
    Pair(KeyPair),
    Digest { id: AccessKeyId, digest: String },
    Sealed { id: Option<AccessKeyId>, mark: String },
}

impl PlaceKind for ProgramPlace<'_> {
    fn preflight<'a>(&'a self, _places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            self.ask("preflight", None, None).await?;
            Ok(Ready::default())
        }
        .boxed()
    }

    fn read<'a>(&'a self, _places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            Ok(match self.ask("read", None, None).await? {
                Said::Nothing => Held::Nothing,
                Said::Pair(pair) => Held::Pair(pair),
                Said::Digest { id, digest } => Held::Sealed { id: Some(id), mark: Some(digest) },
                Said::Sealed { id, mark } => Held::Sealed { id, mark: Some(mark) },
            })
        }
        .boxed()
    }

    fn deliver<'a>(
        &'a self,
        _places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>> {
        async move {
            let ours = digest(&self.salt(), pair);
            let refuse = |id: Option<&AccessKeyId>| refuse_unexpected(self.place, id, &pair.id, expected.keys);
            let mut before = None;
            match self.ask("read", None, None).await? {
                Said::Nothing => refuse(None)?,
                Said::Pair(found) if found.matches(pair) => return Ok(None),
                Said::Pair(found) => refuse(Some(&found.id))?,
                Said::Digest { digest, .. } if digest == ours => return Ok(Some(ours)),
                Said::Digest { id, .. } => refuse(Some(&id))?,
                Said::Sealed { id, mark } => {
                    if expected.mark.is_some_and(|expected| expected != mark) {
                        return Err(PlaceError::Changed { place: self.place.to_string() });
                    }
                    if id.is_some() {
                        refuse(id.as_ref())?;
                    }
                    before = Some(mark);
                }
            }
            match self.ask("deliver", Some(pair), Some(expected)).await? {
                Said::Pair(found) if found.matches(pair) => Ok(None),
                Said::Digest { id, digest } if id == pair.id && digest == ours => Ok(Some(ours)),
                Said::Sealed { id, mark }
                    if id.as_ref().is_none_or(|id| *id == pair.id) && before != Some(mark.clone()) =>
                {
                    Ok(Some(mark))
                }
                Said::Nothing | Said::Pair(_) | Said::Digest { .. } | Said::Sealed { .. } => {
                    Err(PlaceError::ReadBack { place: self.place.to_string() })
                }
            }
        }
        .boxed()
    }
}

impl ProgramPlace<'_> {
    fn salt(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(format!("{PROTOCOL} {}", self.place)))
    }

    /// Runs the program once.
    async fn ask(
        &self,
        operation: &str,
        pair: Option<&KeyPair>,
        expected: Option<Expected<'_>>,
    ) -> Result<Said, PlaceError> {
        let place = || self.place.to_string();
        let expected = expected.map(|expected| ExpectedText { access_key_ids: expected.keys, mark: expected.mark });
        let request = Request { protocol: PROTOCOL, operation, salt: self.salt(), expected };
        let unreadable = |reason: &str| PlaceError::Unreadable { place: place(), reason: reason.to_owned() };
        let text = request_text(&request, pair).ok_or_else(|| unreadable("the request cannot be written"))?;
        let program = self.place.command.program();
        let mut command = tokio::process::Command::new(program);
        command.args(self.place.command.arguments()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| PlaceError::NoAccess {
            place: place(),
            reason: format!("{program} cannot be run: {error}"),
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            let write = async {
                // One that ends without reading closes the pipe; what it says tells more than that.
                if let Some(mut stdin) = stdin {
                    drop(stdin.write_all(text.as_bytes()).await);
                }
            };
            let ((), answer, words) = tokio::join!(write, all_of(stdout), all_of(stderr));
            (child.wait().await, answer, words)
        };
        let patience = Duration::from_secs(self.place.timeout_seconds.seconds());
        let unavailable = |reason: String| PlaceError::Unavailable { place: place(), reason };
        let (status, answer, words) = tokio::time::timeout(patience, talk)
            .await
            .map_err(|_| unavailable(format!("{operation} has not ended within {} s", patience.as_secs())))?;
        let redacted = |text: &str| pair.map_or(text.to_owned(), |pair| redact(pair, text));
        let status = status.map_err(|error| unavailable(format!("it cannot be waited for: {error}")))?;
        if !status.success() {
            let line = last_line(&redacted(&String::from_utf8_lossy(&words)));
            return Err(unavailable(format!("{operation} failed ({status}){line}")));
        }
        // The parser's words may repeat a secret: they are not passed on.
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|_| unreadable(&format!("what {operation} answers is not of the protocol {PROTOCOL}")))?;
        if answer.protocol != PROTOCOL {
            return Err(unreadable(&format!("it does not speak {PROTOCOL}")));
        }
        if let Some(error) = &answer.error {
            let reason = format!("{operation}{}", last_line(&redacted(error)));
            return Err(PlaceError::Refused { place: place(), reason });
        }
        answer.said().map_err(|lacks| unreadable(&format!("what {operation} answers lacks {lacks}")))
    }
}

impl Answer {
    fn said(self) -> Result<Said, &'static str> {
        Ok(match self.held.ok_or("held")? {
            Word::Nothing => Said::Nothing,
            Word::Pair => {
                let id = self.access_key_id.ok_or("accessKeyId")?;
                let secret = SecretAccessKey::parse(self.secret_access_key.ok_or("secretAccessKey")?);
                Said::Pair(KeyPair { id, secret: secret.map_err(|_| "a whole secretAccessKey")? })
            }
            Word::Digest => {
                let digest = self.digest.ok_or("digest")?.to_ascii_lowercase();
                Said::Digest { id: self.access_key_id.ok_or("accessKeyId")?, digest }
            }
            Word::Sealed => Said::Sealed { id: self.access_key_id, mark: self.mark.ok_or("mark")? },
        })
    }
}

/// What a program writes, up to a limit; the rest is read away, so that it does not wait for us.
async fn all_of(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::new());
    if let Some(mut pipe) = pipe {
        drop((&mut pipe).take(LONGEST).read_to_end(&mut bytes).await);
        drop(tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await);
    }
    bytes
}
