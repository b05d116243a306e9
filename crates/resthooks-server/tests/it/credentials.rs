//! What callers prove themselves with beside API keys, as an operator sets it up: tokens, the provider's own
//! authentication, and a proxy in front.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::cli::{resthooks, text};
use super::support::{Answer, Api, Reply, Server, Setup, Target, eventually};

const SECRET: &str = "shared-with-the-issuer-0123456789abcdef";
const EVENTS: &str = "/api/v1/event/";

/// Seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the tested process lives in real time")]
fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn claims(account: &str) -> Value {
    json!({"iss": "https://issuer.example", "aud": "hooks", "sub": account, "exp": seconds() + 300})
}

/// A token, signed by what is handed in.
fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn by_secret(claims: &Value) -> String {
    let sign = |signed: &[u8]| hmac_sha256::HMAC::mac(signed, SECRET.as_bytes()).to_vec();
    token(&json!({"alg": "HS256", "typ": "JWT"}), claims, sign)
}

/// An issuer with a key of its own.
struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap())
    }

    fn sign(&self, claims: &Value) -> String {
        let sign = |signed: &[u8]| self.0.sign(&SystemRandom::new(), signed).unwrap().as_ref().to_vec();
        token(&json!({"alg": "ES256", "kid": "one"}), claims, sign)
    }

    /// Its public key, as a JWK Set.
    fn set(&self) -> String {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "one", "x": x, "y": y}]})
            .to_string()
    }
}

fn with(server: &Server, token: &str) -> Api {
    Api::with_key(server.address(), token)
}

/// Callers of two accounts, each of whom sees and makes its own things alone; and one who is nobody.
fn each_to_its_own(server: &Server, credential: impl Fn(&str) -> String, nobody: &str) {
    let [mut acme, mut other] = ["acme", "other"].map(|account| with(server, &credential(account)));
    let hook = json!({"event": "contact.create", "target_url": "http://127.0.0.1:9/"});
    let made = acme.post("/api/v1/subscription/", &hook).expect(201);
    assert_eq!(made.str("account"), "acme");
    acme.get(EVENTS).expect(200);
    other.get(&format!("/api/v1/subscription/{}/", made.str("id"))).expect(404);
    acme.get("/api/v1/account/").expect(403);
    let refused = with(server, nobody).get(EVENTS).expect(401);
    assert!(!refused.text().contains(nobody), "{}", refused.text());
    // Keys go on admitting.
    server.api().get("/api/v1/account/").expect(200);
    let log = server.log();
    assert!(!log.contains(nobody) && !log.contains(&credential("acme")), "{log}");
}

#[test]
fn tokens_signed_with_a_shared_secret() {
    let setup = Setup::new()
        .variable("RESTHOOKS_JWT_SECRET", SECRET)
        .flag("--jwt-issuer=https://issuer.example")
        .flag("--jwt-audience=hooks")
        .flag("--jwt-provider-claim=scope=hooks:admin")
        .flag("--log-level=debug");
    let server = setup.start();
    let mut elsewhere = claims("acme");
    elsewhere["aud"] = json!("another service");
    each_to_its_own(&server, |account| by_secret(&claims(account)), &by_secret(&elsewhere));
    let mut late = claims("acme");
    late["exp"] = json!(seconds() - 61);
    assert_eq!(with(&server, &by_secret(&late)).get(EVENTS).expect(401).str("code"), "token_expired");
    let mut admin = claims("jane");
    admin["scope"] = json!("openid hooks:admin");
    let mut admin = with(&server, &by_secret(&admin));
    admin.post(EVENTS, &json!({"account": "acme", "event": "contact.create", "data": 1})).expect(202);
    let key = admin.post("/api/v1/api-key/", &json!({"scopes": ["read"]})).expect(201);
    let trail = admin.get("/api/v1/audit/?action=api_key.created&actor=jwt:jane").expect(200);
    assert_eq!(trail.json["data"][0]["object"], key.json["id"], "{}", trail.json);
    assert!(!server.log().contains(SECRET));
}

#[test]
fn tokens_signed_with_a_key_of_a_set_in_a_file() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let setup = Setup::new().flag("--jwt-jwks=keys.json").flag("--jwt-audience=hooks");
    std::fs::write(setup.dir().join("keys.json"), issuer.set()).unwrap();
    let server = setup.start();
    each_to_its_own(&server, |account| issuer.sign(&claims(account)), &stranger.sign(&claims("acme")));
    with(&server, &by_secret(&claims("acme"))).get(EVENTS).expect(401);
}

#[test]
fn tokens_signed_with_a_key_of_a_set_at_a_url() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let set = issuer.set();
    let publisher = Target::always(Reply::Body(200, "content-type: application/json\r\n".to_owned(), set));
    let url = publisher.url();
    let setup = Setup::new().flag(format!("--jwt-jwks-url={url}")).flag("--jwt-audience=hooks");
    let server = setup.start();
    each_to_its_own(&server, |account| issuer.sign(&claims(account)), &stranger.sign(&claims("acme")));
    assert_eq!(publisher.count(), 1, "fetched once");
}

/// A server that starts while its keys can't be had: all but tokens are served.
#[test]
fn without_its_keys_no_token_admits() {
    let publisher = Target::always(Reply::Status(500));
    let setup = Setup::new().flag(format!("--jwt-jwks-url={}", publisher.url())).flag("--jwt-audience=hooks");
    let server = setup.start();
    let untold = with(&server, &Issuer::new().sign(&claims("acme"))).get(EVENTS).expect(503);
    assert_eq!(
        (untold.str("code").as_str(), untold.header("retry-after")),
        ("authentication_unavailable", Some("5"))
    );
    server.api().get(EVENTS).expect(200);
    eventually(|| if server.log().contains("can't be fetched") { Ok(()) } else { Err(server.log()) });
}

#[test]
fn whom_the_providers_own_api_admits() {
    let provider = Target::answering(|request, _| match request.message.header("authorization") {
        Some("Bearer down") => Reply::Status(500),
        Some(shown) => match shown.strip_prefix("Bearer session-of-") {
            Some(account) => Reply::Header(200, "X-Account", account.to_owned()),
            None => Reply::Status(401),
        },
        None => Reply::Status(400),
    });
    let setup = Setup::new()
        .flag(format!("--forward-auth-url={}", provider.url()))
        .flag("--forward-auth-account-header=x-account");
    let server = setup.start();
    each_to_its_own(&server, |account| format!("session-of-{account}"), "nobodys-session");
    with(&server, "down").get(EVENTS).expect(503);
    let asked = provider.received();
    let told =
        asked.iter().find(|request| request.message.header("x-original-method") == Some("POST")).unwrap();
    assert_eq!(told.header("x-original-uri"), "/api/v1/subscription/");
    assert!(told.message.first.starts_with("GET ") && told.message.body.is_empty());
}

/// Where nobody answers nobody is admitted, but with a key of ours.
#[test]
fn while_the_providers_own_api_is_away() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let setup = Setup::new()
        .flag(format!("--forward-auth-url=http://{address}/"))
        .flag("--forward-auth-account-field=user.account");
    let server = setup.start();
    let untold = with(&server, "session-of-acme").get(EVENTS).expect(503);
    assert_eq!(untold.str("code"), "authentication_unavailable");
    server.api().get(EVENTS).expect(200);
    eventually(|| if server.log().contains("neither yes nor no") { Ok(()) } else { Err(server.log()) });
    assert!(!server.log().contains("session-of-acme"));
}

#[test]
fn what_a_trusted_proxy_says() {
    let ask = |server: &Server, headers: &[(&str, &str)]| -> Answer {
        with(server, "").ask("GET", EVENTS, headers, None).unwrap()
    };
    let start = |from: &str| {
        Setup::new().flag("--proxy-auth-header=X-Account").flag(format!("--proxy-auth-from={from}")).start()
    };
    let server = start("10.0.0.0/8,127.0.0.0/8");
    let event = json!({"account": "acme", "event": "contact.create", "data": 1});
    server.api().post(EVENTS, &event).expect(202);
    assert_eq!(ask(&server, &[("x-account", "acme")]).expect(200).json["data"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&server, &[("x-account", "other")]).expect(200).json["data"], json!([]));
    ask(&server, &[("x-account", "acme"), ("x-account", "other")]).expect(401);
    ask(&server, &[]).expect(401);
    // From an address that is not listed it is a header like any other, whatever else is said of the address.
    let server = start("10.0.0.0/8");
    ask(&server, &[("x-account", "acme")]).expect(401);
    ask(&server, &[("x-account", "acme"), ("x-forwarded-for", "10.0.0.1")]).expect(401);
}

#[test]
fn what_makes_no_sense_is_refused_at_the_start_by_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("private.pem"), rcgen::KeyPair::generate().unwrap().serialize_pem())
        .unwrap();
    std::fs::write(dir.path().join("empty.json"), r#"{"keys": []}"#).unwrap();
    for (flags, complaints) in [
        (&["--jwt-key=absent.pem", "--jwt-audience=a"][..], ["--jwt-key: absent.pem", "can't be read"]),
        (&["--jwt-key=private.pem", "--jwt-audience=a"], ["--jwt-key: private.pem", "private key"]),
        (
            &["--jwt-jwks=empty.json", "--jwt-audience=a"],
            ["--jwt-jwks: empty.json", "no key that can be used"],
        ),
        (&["--jwt-jwks=private.pem", "--jwt-audience=a"], ["--jwt-jwks: private.pem", "not a JWK Set"]),
        (&["--jwt-secret=short-and-secret", "--jwt-audience=a"], ["--jwt-secret:", "32 to 256"]),
        (&["--jwt-jwks-url=https://issuer.example/keys"], ["--jwt-audience:", "--jwt-any-audience"]),
        (&["--jwt-jwks-url=http://issuer.example/", "--jwt-audience=a"], ["--jwt-jwks-url:", "https"]),
        (&["--jwt-audience=a"], ["--jwt-audience:", "--jwt-key"]),
        (
            &["--forward-auth-url=https://api.example/"],
            ["--forward-auth-url:", "--forward-auth-account-header"],
        ),
        (&["--forward-auth-account-field=id"], ["--forward-auth-account-field:", "--forward-auth-url"]),
        (
            &["--forward-auth-url=https://u:secret@api.example/", "--forward-auth-account-field=id"],
            ["--forward-auth-url:", ""],
        ),
        (
            &[
                "--forward-auth-url=https://api.example/",
                "--forward-auth-account-field=id",
                "--forward-auth-header=host",
            ],
            ["--forward-auth-header:", "connection's own"],
        ),
        (&["--proxy-auth-header=x-account"], ["--proxy-auth-header:", "--proxy-auth-from"]),
        (
            &["--proxy-auth-header=x account", "--proxy-auth-from=10.0.0.1"],
            ["--proxy-auth-header:", "header"],
        ),
        (
            &["--proxy-auth-header=x-account", "--proxy-auth-from=proxy.example"],
            ["--proxy-auth-from:", "10.0.0.0/8"],
        ),
        (
            &["--proxy-auth-header=authorization", "--proxy-auth-from=10.0.0.1"],
            ["--proxy-auth-header:", "own"],
        ),
    ] {
        let words: Vec<&str> = ["serve", "--listen=127.0.0.1:0"].iter().chain(flags).copied().collect();
        let output = resthooks(dir.path(), &words, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(complaints.iter().all(|complaint| said.contains(complaint)), "{flags:?}: {said}");
        assert!(!said.contains("secret@") && !said.contains("short-and-secret"), "{said}");
    }
    assert!(!dir.path().join("resthooks.db").exists());
    let shown = resthooks(dir.path(), &["config", "--jwt-audience=a"], &[("RESTHOOKS_JWT_SECRET", SECRET)]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("jwt_secret = \"********\"") && !shown.contains(SECRET), "{shown}");
}
