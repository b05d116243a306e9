//! Targets that count: what arrived how often, and under which ids.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::support::{Received, Reply, Target};

/// What arrived of one event.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arrived {
    pub(crate) times: usize,
    pub(crate) ids: HashSet<String>,
    pub(crate) sequences: HashSet<u64>,
}

/// A target that acknowledges everything, and knows each event by its `data.token`.
pub(crate) struct Counter {
    pub(crate) target: Target,
    seen: Arc<Mutex<HashMap<String, Arrived>>>,
}

impl Counter {
    pub(crate) fn new() -> Self {
        Self::answering(|_| Reply::Status(200))
    }

    /// Answers as the function says; what is not acknowledged is not counted.
    pub(crate) fn answering(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let seen = Arc::<Mutex<HashMap<String, Arrived>>>::default();
        let keeping = Arc::clone(&seen);
        let target = Target::answering(move |request, _| {
            let reply = answer(request);
            if matches!(reply, Reply::Status(200) | Reply::After(_, 200)) {
                let token = request.json()["data"]["token"].as_str().unwrap_or_default().to_owned();
                let mut seen = keeping.lock().unwrap();
                let arrived = seen.entry(token).or_default();
                arrived.times += 1;
                arrived.ids.insert(request.id().to_owned());
                arrived.sequences.insert(request.header("x-hook-sequence").parse().unwrap());
            }
            reply
        });
        Self { target, seen }
    }

    pub(crate) fn url(&self) -> String {
        self.target.url()
    }

    /// How many different events arrived.
    pub(crate) fn events(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Acknowledged requests.
    pub(crate) fn times(&self) -> usize {
        self.seen.lock().unwrap().values().map(|arrived| arrived.times).sum()
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.seen.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn has(&self, token: &str) -> bool {
        self.seen.lock().unwrap().contains_key(token)
    }

    pub(crate) fn highest_sequence(&self) -> u64 {
        self.seen.lock().unwrap().values().flat_map(|arrived| arrived.sequences.clone()).max().unwrap_or(0)
    }

    /// Whether all of these have arrived.
    pub(crate) fn has_all<'a>(&self, tokens: impl Iterator<Item = &'a String>) -> Result<(), String> {
        let seen = self.seen.lock().unwrap();
        let missing: Vec<&String> = tokens.filter(|token| !seen.contains_key(*token)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{} events lack, such as {:?}", missing.len(), &missing[..missing.len().min(5)]))
        }
    }

    /// One id for each event, one number for each event, and no number twice; how often something came again.
    #[track_caller]
    pub(crate) fn is_consistent(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        let (mut ids, mut sequences, mut again) = (HashSet::new(), HashSet::new(), 0);
        for (token, arrived) in seen.iter() {
            assert_eq!(arrived.ids.len(), 1, "{token} came under several ids: {arrived:?}");
            assert_eq!(arrived.sequences.len(), 1, "{token} came as several numbers: {arrived:?}");
            assert!(ids.is_disjoint(&arrived.ids), "{token}: its id is another event's: {arrived:?}");
            assert!(
                sequences.is_disjoint(&arrived.sequences),
                "{token}: its number is another event's: {arrived:?}"
            );
            ids.extend(arrived.ids.iter().cloned());
            sequences.extend(arrived.sequences.iter().copied());
            again += arrived.times - 1;
        }
        again
    }
}
