//! Must hold: deliveries verify with verifiers that others wrote, and what was tampered with does not: `standardwebhooks` from
//! crates.io, from PyPI and from npm, and Ed25519 by Python's cryptography and by Node.

mod judges;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::support::{ACCOUNT, Api, Received, Reply, Setup, Target, eventually};
use judges::JUDGES;

/// A request, what it is judged with, and whether it should be accepted.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    key: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    accepted: bool,
}

impl Case {
    fn of(name: &str, received: &Received, key: &str, accepted: bool) -> Self {
        let headers = received.message.headers.iter().filter(|(name, _)| name.starts_with("webhook-"));
        Self {
            name: name.to_owned(),
            key: key.to_owned(),
            headers: headers.cloned().collect(),
            body: received.message.body.clone(),
            accepted,
        }
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(given, _)| given == name).unwrap().1
    }

    fn to_json(&self) -> Value {
        let headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({"name": self.name, "key": self.key, "headers": headers, "body": STANDARD.encode(&self.body)})
    }

    /// The same with one thing changed, in every way that there is: nobody may accept any of them.
    fn tampered(&self) -> Vec<Self> {
        let with = |what: &str, change: &dyn Fn(&mut Self)| {
            let mut other = Self { name: format!("{}, {what}", self.name), accepted: false, ..self.clone() };
            change(&mut other);
            assert!(other.headers != self.headers || other.body != self.body, "{what} changes nothing");
            other
        };
        let moved = |seconds: i64| {
            move |case: &mut Self| {
                let at = case.header("webhook-timestamp");
                *at = (at.parse::<i64>().unwrap() + seconds).to_string();
            }
        };
        vec![
            with("a byte of its body flipped", &|case| {
                let middle = case.body.len() / 2;
                case.body[middle] ^= 1;
            }),
            with("a byte less", &|case| case.body.truncate(case.body.len() - 1)),
            with("a line end more", &|case| case.body.push(b'\n')),
            with("written again", &|case| {
                let value: Value = serde_json::from_slice(&case.body).unwrap();
                case.body = serde_json::to_vec_pretty(&value).unwrap();
            }),
            with("another id", &|case| case.header("webhook-id").push('x')),
            with("a second later", &moved(1)),
            with("played again after an hour", &moved(-3600)),
            with("another signature", &|case| {
                let all = case.header("webhook-signature");
                let changed = all.split(' ').map(|one| {
                    let (version, signature) = one.split_once(',').unwrap();
                    let mut bytes = STANDARD.decode(signature).unwrap();
                    bytes[7] ^= 4;
                    format!("{version},{}", STANDARD.encode(bytes))
                });
                *all = changed.collect::<Vec<_>>().join(" ");
            }),
            with("of a version of its own", &|case| {
                let all = case.header("webhook-signature");
                *all = all.replace("v1,", "v2,").replace("v1a,", "v2a,");
            }),
        ]
    }
}

/// A subscription with what its hooks are verified with.
struct Subscribed {
    id: String,
    target: Target,
    secret: String,
    public_key: Option<String>,
}

impl Subscribed {
    fn new(api: &mut Api, further: Value) -> Self {
        let target = Target::always(Reply::Status(200));
        let made = api.subscribe_with("contact.create", &target.url(), further);
        let mut own = Self { id: made.id, target, secret: made.secret, public_key: None };
        own.read(api);
        own
    }

    fn read(&mut self, api: &mut Api) {
        let read = api.get(&format!("/api/v1/subscription/{}/secret/", self.id)).expect(200).json;
        read["secret"].as_str().unwrap().clone_into(&mut self.secret);
        self.public_key = read["public_key"].as_str().map(str::to_owned);
    }

    /// What its hooks can be verified with now.
    fn keys(&self) -> Vec<String> {
        std::iter::once(&self.secret).chain(&self.public_key).cloned().collect()
    }

    fn rotate(&mut self, api: &mut Api, grace_seconds: u64) {
        let path = format!("/api/v1/subscription/{}/rotate-secret/", self.id);
        api.post(&path, &json!({"grace_seconds": grace_seconds})).expect(200);
        self.read(api);
    }

    /// The hook of an event whose data no serialiser would write so.
    fn next(&self, api: &mut Api) -> Received {
        let before = self.target.received().len();
        let data = "{ \"id\" : 4.20e1,\n\t\"name\":\"Z\\u006f\\u00eb \u{1F600} é\", \"a\":[ ] }";
        let body = format!("{{\"account\":\"{ACCOUNT}\",\"event\":\"contact.create\",\"data\":{data}}}");
        api.ask("POST", "/api/v1/event/", &[], Some(body.as_bytes())).unwrap().expect(202);
        eventually(|| {
            self.target.received().get(before).cloned().ok_or_else(|| "it does not arrive".to_owned())
        })
    }
}

/// Deliveries of both schemes, from before a rotation, from its grace, and from after it, each with all keys that there were.
fn cases() -> Vec<Case> {
    let server = Setup::new().start();
    let mut api = server.api();
    let seed = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    let mut all = Vec::new();
    for (name, further) in [
        ("by HMAC", json!({})),
        ("raw", json!({"payload": "raw", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"})),
        ("by Ed25519", json!({"signature": "v1a"})),
        ("by a key brought along", json!({"secret": seed})),
    ] {
        let mut one = Subscribed::new(&mut api, further);
        let mut judge = |when: &str, received: &Received, keys: &[String], accepted: bool| {
            for key in keys {
                let scheme = if key.starts_with("whpk_") { "public key" } else { "secret" };
                let name = format!("{name}, {when}, by its {scheme}");
                let case = Case::of(&name, received, key, accepted);
                if accepted {
                    all.extend(case.tampered());
                }
                all.push(case);
            }
        };
        let former = one.keys();
        let first = one.next(&mut api);
        judge("before a rotation", &first, &former, true);
        one.rotate(&mut api, 3600);
        let present = one.keys();
        let both = one.next(&mut api);
        judge("in the grace, present", &both, &present, true);
        judge("in the grace, former", &both, &former, true);
        judge("before a rotation, the later key", &first, &present, false);
        one.rotate(&mut api, 0);
        let last = one.next(&mut api);
        judge("without a grace, present", &last, &one.keys(), true);
        judge("without a grace, former", &last, &present, false);
        judge("without a grace, the one before", &last, &former, false);
    }
    all
}

#[test]
fn verifiers_that_others_wrote_take_what_is_sent_and_nothing_else() {
    let cases = cases();
    let accepted = cases.iter().filter(|case| case.accepted).count();
    assert_eq!((accepted, cases.len() - accepted), (24, 24 * 9 + 18));
    for (judge, name) in JUDGES {
        // A secret's alone is what this one knows.
        let known: Vec<_> = match name.contains("crates.io") {
            true => cases.iter().filter(|case| case.key.starts_with("whsec_")).cloned().collect(),
            false => cases.clone(),
        };
        let verdicts = judge(&known);
        assert_eq!(verdicts.len(), known.len(), "{name} left some out");
        for (case, verdict) in known.iter().zip(verdicts) {
            assert_eq!(verdict.name, case.name, "{name}");
            let wanted = if case.accepted { "takes" } else { "refuses" };
            assert_eq!(
                verdict.why.is_none(),
                case.accepted,
                "{name} {wanted} not: {}: {:?}",
                case.name,
                verdict.why
            );
        }
    }
}
