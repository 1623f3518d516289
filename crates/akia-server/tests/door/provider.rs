//! The team's own login, at a provider that this file is: it checks what it is asked, and lies on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akia_core::settings::{GroupRole, OidcSettings};
use akia_io::aws::{Aws, AwsOptions};
use akia_io::provider::Provider;
use akia_server::access::Oidc;
use akia_server::sight::Role;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::{House, cookie, header, status};

const CLIENT: &str = "akia-client";
/// What the provider and akia share; made up here, and good for nothing else.
const SHARED: &str = "not-a-secret-of-anybody";

/// How the provider lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    Nonce,
    NoNonce,
    Audience,
    TwoAudiences,
    Expired,
    Issuer,
    Unsigned,
    PublicKeyAsSecret,
    ClientSecretAsKey,
    ForeignKey,
    BrokenSignature,
    NoToken,
}

struct Pair(EcdsaKeyPair);

struct Desk {
    issuer: String,
    key: Mutex<(String, Arc<Pair>)>,
    lie: Mutex<Lie>,
    /// Codes that have been given out and not taken: what was asked with each.
    codes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    person: Mutex<Value>,
    asked_for_keys: Mutex<u32>,
}

type Shared = Arc<Desk>;

fn new_pair() -> Arc<Pair> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    Arc::new(Pair(pair))
}

impl Desk {
    async fn open() -> Shared {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let desk = Arc::new(Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            key: Mutex::new(("one".to_owned(), new_pair())),
            lie: Mutex::new(Lie::None),
            codes: Mutex::default(),
            person: Mutex::new(
                json!({ "email": "ana@example.com", "email_verified": true, "groups": ["prod", "else"] }),
            ),
            asked_for_keys: Mutex::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, router).await });
        desk
    }

    fn lies(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    /// What the browser does there: the person says yes, and is sent back with a code.
    fn yes(&self, location: &str) -> (String, String) {
        let url = url::Url::parse(location).unwrap();
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert!(location.starts_with(&format!("{}/authorize?", self.issuer)), "{location}");
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["scope"].split(' ').collect::<BTreeSet<_>>(), ["openid", "email", "groups"].into());
        let state = asked["state"].clone();
        let code = format!("code-{}", BASE64URL_NOPAD.encode(&Sha256::digest(state.as_bytes())));
        self.codes.lock().unwrap().insert(code.clone(), asked);
        (code, state)
    }

    fn id_token(&self, nonce: &str) -> String {
        let lie = *self.lie.lock().unwrap();
        let now = jiff::Timestamp::now().as_second();
        let mut claims = self.person.lock().unwrap().clone();
        claims["iss"] = if lie == Lie::Issuer { json!("https://evil.example") } else { json!(self.issuer) };
        claims["sub"] = json!("u-1");
        claims["aud"] = match lie {
            Lie::Audience => json!("another-client"),
            Lie::TwoAudiences => json!([CLIENT, "another-client"]),
            _ => json!(CLIENT),
        };
        claims["iat"] = json!(now - 20);
        claims["exp"] = json!(if lie == Lie::Expired { now - 10 } else { now + 300 });
        if lie != Lie::NoNonce {
            claims["nonce"] = json!(if lie == Lie::Nonce { "another" } else { nonce });
        }
        let (kid, pair) = self.key.lock().unwrap().clone();
        let algorithm = match lie {
            Lie::Unsigned => "none",
            Lie::PublicKeyAsSecret | Lie::ClientSecretAsKey => "HS256",
            _ => "ES256",
        };
        let head = json!({ "alg": algorithm, "kid": kid, "typ": "JWT" });
        let text = [head, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes())).join(".");
        let ecdsa = |pair: &Pair| pair.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec();
        let mac = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
        let signature = match lie {
            Lie::Unsigned => Vec::new(),
            Lie::PublicKeyAsSecret => mac(pair.0.public_key().as_ref()),
            Lie::ClientSecretAsKey => mac(SHARED.as_bytes()),
            Lie::ForeignKey => ecdsa(&new_pair()),
            Lie::BrokenSignature => {
                let mut signature = ecdsa(&pair);
                signature[10] ^= 1;
                signature
            }
            _ => ecdsa(&pair),
        };
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

async fn metadata(State(desk): State<Shared>) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", desk.issuer);
    Json(json!({
        "issuer": desk.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("keys"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        // It says so itself, and is not believed.
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    }))
}

async fn keys(State(desk): State<Shared>) -> Json<Value> {
    *desk.asked_for_keys.lock().unwrap() += 1;
    let (kid, pair) = desk.key.lock().unwrap().clone();
    let point = pair.0.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..]].map(|part| BASE64URL_NOPAD.encode(part));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y }] }))
}

async fn token(
    State(desk): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let refused = || (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    let login = format!("Basic {}", BASE64.encode(format!("{CLIENT}:{SHARED}").as_bytes()));
    if headers.get("authorization").is_none_or(|value| value != login.as_str()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" })));
    }
    let Some(asked) = desk.codes.lock().unwrap().remove(&form["code"]) else { return refused() };
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(form["code_verifier"].as_bytes()));
    if challenge != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
        return refused();
    }
    let mut answer = json!({ "access_token": "not-used", "token_type": "Bearer", "expires_in": 300 });
    if *desk.lie.lock().unwrap() != Lie::NoToken {
        answer["id_token"] = json!(desk.id_token(&asked["nonce"]));
    }
    (StatusCode::OK, Json(answer))
}

fn settings(issuer: &str) -> OidcSettings {
    let role = |role, units: &[&str]| GroupRole { role, units: units.iter().map(|unit| (*unit).to_owned()).collect() };
    OidcSettings {
        issuer: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: None,
        groups_claim: "groups".to_owned(),
        scopes: ["email", "groups"].map(str::to_owned).to_vec(),
        roles: [
            ("prod", role(Role::Operator, &["Root/Production"])),
            ("staging", role(Role::Operator, &["Root/Staging"])),
            ("everybody", role(Role::Owner, &[])),
        ]
        .map(|(group, role)| (group.to_owned(), role))
        .into(),
    }
}

async fn house(desk: &Shared) -> House {
    house_asking_every(desk, Duration::from_secs(60)).await
}

async fn house_asking_every(desk: &Shared, refresh: Duration) -> House {
    let settings = settings(&desk.issuer);
    let make = |at: SocketAddr| {
        let secret = Some(Zeroizing::new(SHARED.to_owned()));
        let provider = Provider::new(Aws::new(AwsOptions::default()));
        Oidc::new(settings, &format!("http://{at}"), secret, provider).unwrap().asking_every(refresh)
    };
    House::build(|access, at| access.with_oidc(make(at)), None).await
}

/// Begins a login: where the browser is sent, and the cookie that it keeps.
async fn begin(house: &House, query: &str) -> (String, String) {
    let answer = house.get(&format!("/login/oidc{query}"), "").await;
    assert_eq!(status(&answer), 303, "{answer:.300}");
    (header(&answer, "location").unwrap().to_owned(), format!("cookie: {}\r\n", cookie(&answer).unwrap()))
}

async fn back(house: &House, code: &str, state: &str, cookie: &str) -> String {
    house.get(&format!("/login/oidc/back?code={code}&state={state}"), cookie).await
}

/// A whole login.
async fn come_in(house: &House, desk: &Desk, query: &str) -> String {
    let (location, cookie) = begin(house, query).await;
    let (code, state) = desk.yes(&location);
    back(house, &code, &state, &cookie).await
}

#[tokio::test]
async fn a_group_of_the_provider_has_its_role_here() {
    let desk = Desk::open().await;
    let house = house(&desk).await;
    assert!(house.get("/login", "").await.contains("Log in with your organisation"));
    let answer = come_in(&house, &desk, "?next=%2Fkeys%3Fage%3D90d").await;
    assert_eq!((status(&answer), header(&answer, "refresh")), (200, Some("0; url=/keys?age=90d")), "{answer:.900}");
    let session = format!("cookie: {}\r\n", cookie(&answer).unwrap());
    let page = house.get("/", &session).await;
    assert!(page.contains("ana@example.com") && page.contains("operator"), "{page:.1500}");
    assert!(header(&answer, "set-cookie").unwrap().contains("SameSite=Strict"));
    // Her role is another one when she comes in again, and the old session is over.
    desk.person.lock().unwrap()["groups"] = json!("everybody");
    let again = come_in(&house, &desk, "").await;
    assert_eq!(status(&again), 200);
    assert_eq!(status(&house.get("/", &session).await), 303);
    let page = house.get("/", &format!("cookie: {}\r\n", cookie(&again).unwrap())).await;
    assert!(page.contains(" · owner"), "{page:.1500}");
}

#[tokio::test]
async fn who_is_in_no_group_is_told_which_would_do() {
    let desk = Desk::open().await;
    let house = house(&desk).await;
    for (groups, words) in [
        (json!(["sales"]), "named 1 groups of yours"),
        (json!([]), "no claim"),
        (json!({ "a": 1 }), "no claim"),
        (Value::Null, "no claim"),
    ] {
        desk.person.lock().unwrap()["groups"] = groups;
        let answer = come_in(&house, &desk, "").await;
        assert_eq!(status(&answer), 403);
        assert!(answer.contains("<li>everybody</li><li>prod</li>") && answer.contains(words), "{answer:.1500}");
        assert_eq!(cookie(&answer), None);
    }
}

#[tokio::test]
async fn an_address_that_the_provider_does_not_vouch_for_is_nobodys_name() {
    let desk = Desk::open().await;
    let house = house(&desk).await;
    for verified in [json!(false), Value::Null] {
        *desk.person.lock().unwrap() =
            json!({ "email": super::OWNER, "email_verified": verified, "groups": ["everybody"] });
        let answer = come_in(&house, &desk, "").await;
        let page = house.get("/", &format!("cookie: {}\r\n", cookie(&answer).unwrap())).await;
        assert!(page.contains("u-1 of http://") && !page.contains(super::OWNER), "{page:.1500}");
    }
}

#[tokio::test]
async fn what_the_provider_does_not_prove_lets_nobody_in() {
    let desk = Desk::open().await;
    for lie in [
        Lie::Nonce,
        Lie::NoNonce,
        Lie::Audience,
        Lie::TwoAudiences,
        Lie::Expired,
        Lie::Issuer,
        Lie::Unsigned,
        Lie::PublicKeyAsSecret,
        Lie::ClientSecretAsKey,
        Lie::ForeignKey,
        Lie::BrokenSignature,
        Lie::NoToken,
    ] {
        // A house each: ten failures of one address, and it would have to wait.
        let house = house(&desk).await;
        desk.lies(lie);
        let answer = come_in(&house, &desk, "").await;
        assert_eq!((status(&answer), cookie(&answer)), (403, None), "{lie:?}: {answer:.900}");
        assert!(answer.contains("This login does not count"), "{lie:?}");
        desk.lies(Lie::None);
        assert_eq!(status(&come_in(&house, &desk, "").await), 200, "{lie:?}");
    }
}

#[tokio::test]
async fn a_login_belongs_to_the_browser_that_began_it_and_counts_once() {
    let desk = Desk::open().await;
    let house = house(&desk).await;
    let (location, cookie) = begin(&house, "").await;
    let (code, state) = desk.yes(&location);
    let (other_location, other_cookie) = begin(&house, "").await;
    let (other_code, other_state) = desk.yes(&other_location);
    for (code, state, cookie) in [
        (&code, &state, ""),
        (&code, &state, &*other_cookie),
        (&code, &other_state, &*cookie),
        (&code, &"".to_owned(), "cookie: akia-login=\r\n"),
        (&"".to_owned(), &"made-up".to_owned(), "cookie: akia-login=made-up\r\n"),
    ] {
        assert_eq!(status(&back(&house, code, state, cookie).await), 403, "{state} {cookie}");
    }
    // A code of somebody else's login in one's own: the provider's check of PKCE.
    assert_eq!(status(&back(&house, &code, &other_state, &other_cookie).await), 403);
    assert_eq!(status(&back(&house, &other_code, &other_state, &other_cookie).await), 403, "that login was spent");
    let (location, cookie) = begin(&house, "").await;
    let (code, state) = desk.yes(&location);
    assert_eq!(status(&back(&house, &code, &state, &cookie).await), 200);
    assert_eq!(status(&back(&house, &code, &state, &cookie).await), 403, "a second time");
}

#[tokio::test]
async fn no_login_leads_to_another_site() {
    let desk = Desk::open().await;
    let house = house(&desk).await;
    for next in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F%0D%0Aset-cookie%3A%20a%3Db",
        "javascript%3Aalert(1)",
    ] {
        let answer = come_in(&house, &desk, &format!("?next={next}")).await;
        assert_eq!(header(&answer, "refresh"), Some("0; url=/"), "{next}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_asked_for_but_not_without_end() {
    let desk = Desk::open().await;
    let house = house(&desk).await;
    assert_eq!(status(&come_in(&house, &desk, "").await), 200);
    assert_eq!(status(&come_in(&house, &desk, "").await), 200);
    assert_eq!(*desk.asked_for_keys.lock().unwrap(), 1, "what is known is not asked again");
    *desk.key.lock().unwrap() = ("two".to_owned(), new_pair());
    let patient = house_asking_every(&desk, Duration::ZERO).await;
    assert_eq!(status(&come_in(&patient, &desk, "").await), 200);
    *desk.key.lock().unwrap() = ("three".to_owned(), new_pair());
    assert_eq!(status(&come_in(&patient, &desk, "").await), 200, "the new key is found");
    *desk.asked_for_keys.lock().unwrap() = 1;
    // Within a minute of the last time it is not asked for: else anybody could make this server ask all the time.
    assert_eq!(status(&come_in(&house, &desk, "").await), 403);
    assert_eq!(*desk.asked_for_keys.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_said() {
    let desk = Desk::open().await;
    let settings = OidcSettings { issuer: "http://127.0.0.1:9".to_owned(), ..settings(&desk.issuer) };
    let oidc = Oidc::new(settings, "http://127.0.0.1", None, Provider::new(Aws::new(AwsOptions::default()))).unwrap();
    let house = House::build(|access, _| access.with_oidc(oidc), None).await;
    let answer = house.get("/login/oidc", "").await;
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("does not answer"));
}
