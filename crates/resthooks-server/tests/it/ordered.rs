//! A target that fails now and then, and remembers per key in which order it acknowledged what came.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Reply, Target};

/// One in so many requests fails.
const FAILS: u64 = 9;

pub(crate) struct Ordered {
    target: Target,
    /// Per key, the numbers in the order of their first acknowledgement.
    seen: Arc<Mutex<HashMap<String, Vec<u64>>>>,
}

impl Ordered {
    pub(crate) fn start() -> Self {
        let seen = Arc::<Mutex<HashMap<String, Vec<u64>>>>::default();
        let keeping = Arc::clone(&seen);
        let requests = AtomicU64::new(0);
        let target = Target::answering(move |request, _| {
            let count = requests.fetch_add(1, Ordering::Relaxed);
            if count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < (1_u64 << 32) / FAILS {
                return Reply::Status(500);
            }
            let data = &request.json()["data"];
            let (key, number) = (data["key"].as_str().unwrap().to_owned(), data["number"].as_u64().unwrap());
            let mut seen = keeping.lock().unwrap();
            let numbers = seen.entry(key).or_default();
            // What comes again after a crash was seen.
            if !numbers.contains(&number) {
                numbers.push(number);
            }
            Reply::After(Duration::from_millis(1), 200)
        });
        Self { target, seen }
    }

    pub(crate) fn url(&self) -> String {
        self.target.url()
    }

    /// The event with this number of a key.
    pub(crate) fn event(key: usize, number: usize) -> Value {
        let key = format!("key-{key}");
        json!({"event": "a.b", "account": "acme", "order_key": key, "data": {"key": key, "number": number}})
    }

    /// Whether so many different events were acknowledged.
    pub(crate) fn has(&self, count: usize) -> Result<(), String> {
        let have = self.seen.lock().unwrap().values().map(Vec::len).sum::<usize>();
        if have >= count { Ok(()) } else { Err(format!("{have} of {count} came")) }
    }

    /// All of each key, in its order.
    #[track_caller]
    pub(crate) fn is_in_order(&self, keys: usize, each: usize) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), keys);
        for (key, numbers) in seen.iter() {
            assert_eq!(*numbers, (0..each as u64).collect::<Vec<_>>(), "{key}");
        }
    }
}
