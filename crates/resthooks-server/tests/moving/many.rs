//! A hundred thousand events, in the memory that a few take.

use std::io::{BufWriter, Write as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use resthooks::env::{Clock as _, SystemClock};

use crate::place::{Place, done};

const EVENTS: u64 = 100_000;
/// What the program may take; one that kept all events would need several times as much.
const MOST_KIB: u64 = 96 * 1024;

fn id(prefix: &str, n: u64) -> String {
    format!("{prefix}01kdz0{:020}", n)
}

/// An export with one subscription and so many events, each delivered to it.
fn write(file: &std::path::Path) {
    let mut out = BufWriter::new(std::fs::File::create(file).unwrap());
    let at = "2026-01-02T03:04:05.678Z";
    let subscription = id("sub_", 1);
    writeln!(out, "{{\"resthooks_export\":{{\"form\":1,\"after\":\"start\"}}}}").unwrap();
    writeln!(out, "{{\"account\":{{\"id\":\"a\",\"created_at\":\"{at}\"}}}}").unwrap();
    writeln!(
        out,
        "{{\"subscription\":{{\"subscription\":{{\"id\":\"{subscription}\",\"account\":\"a\",\"events\":[\"*\"],\
         \"target_url\":\"https://example.com/\",\"status\":\"active\",\"secret\":\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\",\
         \"created_at\":\"{at}\",\"updated_at\":\"{at}\"}},\"version\":0,\"progress\":null}}}}"
    )
    .unwrap();
    let data = format!("{{\\\"text\\\":\\\"{}\\\"}}", "x".repeat(600));
    for n in 1..=EVENTS {
        let event = id("evt_", n);
        writeln!(
            out,
            "{{\"event\":{{\"uid\":\"{event}\",\"id\":\"{event}\",\"account\":\"a\",\"event\":\"a.b\",\"created_at\":\"{at}\",\
             \"data\":\"{data}\",\"matched\":[{{\"subscription\":\"{subscription}\",\"sequence\":{n},\"delivery\":\
             {{\"status\":\"delivered\",\"attempts\":1,\"automatic\":1,\"updated_at\":\"{at}\"}}}}]}}}}"
        )
        .unwrap();
    }
    writeln!(
        out,
        "{{\"end\":{{\"accounts\":1,\"event_types\":0,\"api_keys\":0,\"subscriptions\":1,\"events\":{EVENTS},\
         \"deliveries\":{EVENTS}}}}}"
    )
    .unwrap();
    out.flush().unwrap();
}

/// Waits for its end, and answers the most memory that it was seen to have.
async fn watch(mut child: Child) -> u64 {
    let clock = SystemClock::default();
    let mut most = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(peak.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return most;
        }
        clock.sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_events_move_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (file, again) = (folder.path().join("a.ndjson"), folder.path().join("b.ndjson"));
    write(&file);
    let clock = SystemClock::default();
    for (name, place) in [("SQLite", Place::sqlite()), ("PostgreSQL", Place::postgres())] {
        let begun = clock.monotonic();
        let import = place.command("import").arg("--input").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        let importing = watch(import).await;
        let between = clock.monotonic();
        let export =
            place.command("export").arg("--output").arg(&again).stderr(Stdio::null()).spawn().unwrap();
        let exporting = watch(export).await;
        println!(
            "{name}: {EVENTS} events imported in {:.1?} with {} MiB, exported in {:.1?} with {} MiB",
            between - begun,
            importing / 1024,
            clock.monotonic() - between,
            exporting / 1024
        );
        assert!(importing.max(exporting) <= MOST_KIB, "{importing} {exporting}");
        let lines = std::fs::read_to_string(&again).unwrap();
        assert_eq!(lines.lines().filter(|line| line.starts_with("{\"event\"")).count() as u64, EVENTS);
        std::fs::remove_file(&again).unwrap();
        // Once more: all is there.
        done(place.import(&file));
    }
}
