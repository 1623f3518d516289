//! The team's own login, by `OpenID` Connect: authorization code with PKCE, state and nonce.
//!
//! Invariant: what the crate `openidconnect` has not verified (signature, issuer, audience, expiry, nonce) is not looked at. A login
//! belongs to the browser that began it, by a cookie, and is spent with the first try to end it. Only asymmetric signatures count:
//! whoever has the provider's public key must not be able to sign with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use akia_core::settings::OidcSettings;
use akia_io::provider::{Provider, ProviderError};
use axum::http::HeaderMap;
use futures_util::future::{BoxFuture, FutureExt as _};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthorizationCode, ClaimsVerificationError, Client, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::Access;
use super::session::{Kind, cookie, draw, read, write};
use crate::DatabaseError;
use crate::sight::{Person, Role};

/// How long somebody may take at the provider.
const LOGIN_SECONDS: i64 = 10 * 60;
/// How often the provider's keys are asked for at most.
const REFRESH: Duration = Duration::from_secs(60);
/// How long they are held to be its keys.
const HELD: Duration = Duration::from_secs(3600);
/// Logins that may have begun and not ended: anybody can begin one, and each takes a row.
const MOST_PENDING: i64 = 10_000;
/// Groups of one person that are looked at.
const MOST_GROUPS: usize = 1_000;
/// Where the provider sends people back to.
const BACK: &str = "/login/oidc/back";
/// The cookie of a login that has begun.
const SECURE_COOKIE: &str = "__Host-akia-login";
/// Where there is no TLS, on this machine only.
const LOCAL_COOKIE: &str = "akia-login";

/// Signatures that count; the others, and none, do not.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// All claims besides the standard ones; the groups are among them.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Claims {
    #[serde(flatten)]
    all: BTreeMap<String, serde_json::Value>,
}

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Token = IdToken<Claims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type OidcClient = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The team's own login.
pub struct Oidc {
    settings: OidcSettings,
    issuer: IssuerUrl,
    back: RedirectUrl,
    secret: Option<Zeroizing<String>>,
    wire: Wire,
    refresh: Duration,
    known: Mutex<Option<(CoreProviderMetadata, Instant)>>,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Oidc").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Settings that no login can be made of.
#[derive(Debug, thiserror::Error)]
#[error("{address} is no address that a login could come back to or go to")]
pub struct OidcError {
    address: String,
}

/// A login that has begun.
pub(super) struct Begun {
    /// Where the browser goes.
    pub(super) url: String,
    /// What it has to bring back.
    pub(super) cookie: String,
}

/// What is kept of it meanwhile.
#[derive(Serialize, Deserialize)]
struct Pending {
    nonce: String,
    verifier: String,
    next: String,
}

/// Somebody whom the provider knows, and who has a role here.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) person: Person,
    pub(super) groups: Vec<String>,
    pub(super) next: String,
}

/// Why a login does not let somebody in.
#[derive(Debug)]
pub(super) enum Denied {
    /// It is not one that was begun here, by this browser, or what the provider says does not hold. For the log.
    NotThis(String),
    /// The provider knows them, and nothing here is for them.
    NoRole { name: String, claim: String, had: usize, wanted: Vec<String> },
    /// The provider does not answer, or not as one does. For the log.
    Silent(String),
    /// Too many have begun and not ended.
    Crowded,
    /// The server itself fails.
    Database(DatabaseError),
}

impl From<DatabaseError> for Denied {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl Oidc {
    /// A login at this provider, back to the server's public address.
    ///
    /// # Errors
    /// When one of them is no address.
    pub fn new(
        settings: OidcSettings,
        address: &str,
        secret: Option<Zeroizing<String>>,
        provider: Provider,
    ) -> Result<Self, OidcError> {
        let wrong = |address: &str| OidcError { address: address.to_owned() };
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| wrong(&settings.issuer))?;
        let back = RedirectUrl::new(format!("{address}{BACK}")).map_err(|_| wrong(address))?;
        Ok(Self { settings, issuer, back, secret, wire: Wire(provider), refresh: REFRESH, known: Mutex::new(None) })
    }

    /// Asks the provider for keys that it does not know that often, at most.
    #[must_use]
    pub fn asking_every(mut self, refresh: Duration) -> Self {
        self.refresh = refresh;
        self
    }

    /// What somebody with these groups is here: the highest role of one of them, with the units of all groups of that role.
    pub(super) fn person(&self, name: &str, groups: &[String]) -> Option<Person> {
        let fitting: Vec<_> = groups.iter().filter_map(|group| self.settings.roles.get(group)).collect();
        let role: Role = fitting.iter().map(|fitting| fitting.role).max()?;
        let mut of_role = fitting.iter().filter(|fitting| fitting.role == role).peekable();
        let mut units: Vec<String> = Vec::new();
        if of_role.clone().all(|fitting| !fitting.units.is_empty()) {
            units = of_role.by_ref().flat_map(|fitting| fitting.units.clone()).collect();
            units.sort();
            units.dedup();
        }
        Some(Person { name: name.to_owned(), role, units })
    }

    /// Begins a login that leads to `next`.
    pub(super) async fn begin(&self, access: &Access, next: &str, now: i64) -> Result<Begun, Denied> {
        if access.pending(now).await? >= MOST_PENDING {
            return Err(Denied::Crowded);
        }
        let client = self.client(&self.metadata(false).await?);
        let (challenge, verifier) = challenge()?;
        let (state, nonce) = (draw()?, draw()?);
        let (sent_state, sent_nonce) = (CsrfToken::new(state.clone()), Nonce::new(nonce.clone()));
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client.authorize_url(flow, || sent_state, || sent_nonce);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, _, _) = request.set_pkce_challenge(challenge).url();
        let pending = Pending { nonce, verifier: verifier.into_secret(), next: next.to_owned() };
        access.keep(Kind::Login, &state, "", &write(&pending)?, now, now + LOGIN_SECONDS).await?;
        let (name, secure) = names(access);
        // Lax: the provider's page leads back here, and Strict would keep the cookie from that very request.
        let cookie = format!("{name}={state}; Path=/; HttpOnly; SameSite=Lax; Max-Age={LOGIN_SECONDS}{secure}");
        Ok(Begun { url: url.into(), cookie })
    }

    /// Ends a login: whoever comes back with a code is asked after at the provider.
    pub(super) async fn finish(
        &self,
        access: &Access,
        headers: &HeaderMap,
        code: &str,
        state: &str,
        now: i64,
    ) -> Result<Known, Denied> {
        let (name, _) = names(access);
        let begun_here = cookie(headers, name).unwrap_or_default();
        if state.is_empty() || !bool::from(begun_here.as_bytes().ct_eq(state.as_bytes())) {
            return Err(Denied::NotThis("it was not begun by this browser".to_owned()));
        }
        let Some(pending) = access.spend(Kind::Login, state, now).await? else {
            return Err(Denied::NotThis("it was not begun here, or long ago, or has been ended".to_owned()));
        };
        let pending: Pending = read(&pending)?;
        if code.is_empty() {
            return Err(Denied::NotThis("the provider sent no code".to_owned()));
        }
        let metadata = self.metadata(false).await?;
        let client = self.client(&metadata);
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| Denied::Silent(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier));
        let response = request.request_async(&self.wire).boxed().await.map_err(|error| match error {
            openidconnect::RequestTokenError::ServerResponse(said) => {
                Denied::NotThis(format!("the provider does not take the code: {}", said.error()))
            }
            openidconnect::RequestTokenError::Request(error) => Denied::Silent(error.to_string()),
            openidconnect::RequestTokenError::Parse(..) | openidconnect::RequestTokenError::Other(_) => {
                Denied::NotThis("the provider's answer is none that akia understands".to_owned())
            }
        })?;
        let Some(token) = response.id_token() else {
            return Err(Denied::NotThis("the provider sent no ID token".to_owned()));
        };
        let nonce = Nonce::new(pending.nonce);
        let claims = match self.verified(token, &metadata, &nonce) {
            // It may have a new key since.
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                let metadata = self.metadata(true).await?;
                self.verified(token, &metadata, &nonce).cloned()
            }
            verified => verified.cloned(),
        };
        let claims = claims.map_err(|error| Denied::NotThis(error.to_string()))?;
        let name = self.name(&claims);
        let groups = groups(claims.additional_claims().all.get(&self.settings.groups_claim));
        match self.person(&name, &groups) {
            Some(person) => Ok(Known { person, groups, next: pending.next }),
            None => Err(Denied::NoRole {
                name,
                claim: self.settings.groups_claim.clone(),
                had: groups.len(),
                wanted: self.settings.roles.keys().cloned().collect(),
            }),
        }
    }

    /// An e-mail address that the provider vouches for, or else what the provider calls them: everything else a person may
    /// choose, and could choose the name of another.
    fn name(&self, claims: &IdTokenClaims<Claims, CoreGenderClaim>) -> String {
        match claims.email().filter(|_| claims.email_verified() == Some(true)) {
            Some(email) => email.to_string(),
            None => format!("{} of {}", claims.subject().as_str(), self.settings.issuer),
        }
    }

    fn verified<'a>(
        &self,
        token: &'a Token,
        metadata: &CoreProviderMetadata,
        nonce: &Nonce,
    ) -> Result<&'a IdTokenClaims<Claims, CoreGenderClaim>, ClaimsVerificationError> {
        let id = ClientId::new(self.settings.client_id.clone());
        // Without the client's secret: nothing that is signed with it counts.
        let verifier = IdTokenVerifier::new_public_client(id, self.issuer.clone(), metadata.jwks().clone());
        token.claims(&verifier.set_allowed_algs(ALGORITHMS), nonce)
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> OidcClient {
        let secret = self.secret.as_ref().map(|secret| ClientSecret::new(secret.to_string()));
        let id = ClientId::new(self.settings.client_id.clone());
        OidcClient::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(self.back.clone())
    }

    /// What the provider says of itself, with its keys; asked for anew when it is old, or where that may help.
    async fn metadata(&self, anew: bool) -> Result<CoreProviderMetadata, Denied> {
        let mut known = self.known.lock().await;
        if let Some((metadata, since)) = known.as_ref()
            && since.elapsed() < if anew { self.refresh } else { HELD }
        {
            return Ok(metadata.clone());
        }
        let metadata = self.discover().await.map_err(|error| Denied::Silent(error.to_string()))?;
        *known = Some((metadata.clone(), Instant::now()));
        Ok(metadata)
    }

    /// Of a type that says that it can move between threads, which the compiler cannot tell of the library's own.
    fn discover(&self) -> BoxFuture<'_, Result<CoreProviderMetadata, DiscoveryError<ProviderError>>> {
        CoreProviderMetadata::discover_async(self.issuer.clone(), &self.wire).boxed()
    }
}

/// akia's own way out, as the library wants it.
struct Wire(Provider);

impl<'c> AsyncHttpClient<'c> for Wire {
    type Error = ProviderError;
    type Future = BoxFuture<'c, Result<HttpResponse, ProviderError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        async move {
            let reply = self.0.send(request).await?;
            let mut response = axum::http::Response::builder().status(reply.status);
            if let Some(kind) = reply.content_type {
                response = response.header("content-type", kind);
            }
            response.body(reply.body).map_err(|_| ProviderError::NoAddress)
        }
        .boxed()
    }
}

fn names(access: &Access) -> (&'static str, &'static str) {
    if access.has_tls() { (SECURE_COOKIE, "; Secure") } else { (LOCAL_COOKIE, "") }
}

fn challenge() -> Result<(PkceCodeChallenge, PkceCodeVerifier), DatabaseError> {
    // 43 characters of base64url, as RFC 7636 wants them.
    let verifier = PkceCodeVerifier::new(draw()?);
    Ok((PkceCodeChallenge::from_code_verifier_sha256(&verifier), verifier))
}

/// The groups of a claim: a list, or one alone.
fn groups(claim: Option<&serde_json::Value>) -> Vec<String> {
    match claim {
        Some(serde_json::Value::String(group)) => vec![group.clone()],
        Some(serde_json::Value::Array(groups)) => {
            groups.iter().take(MOST_GROUPS).filter_map(|group| group.as_str().map(str::to_owned)).collect()
        }
        Some(_) | None => Vec::new(),
    }
}
