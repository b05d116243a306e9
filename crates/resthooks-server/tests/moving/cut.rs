//! Files that are cut, broken, or something else.

use crate::place::{Place, done, failed, things};
use crate::there_and_back::filled;

#[test]
fn a_cut_file_is_noticed_and_begun_again() {
    let (_from, export, file) = filled();
    for place in [Place::postgres(), Place::sqlite()] {
        // In the middle of a line, at the end of one, and before the last.
        let lines: Vec<usize> = export.match_indices('\n').map(|(at, _)| at + 1).collect();
        let places = [lines[3] + 10, lines[8], lines[lines.len() - 4] + 30, lines[lines.len() - 2]];
        for cut in places {
            std::fs::write(&file, &export[..cut]).unwrap();
            let said = failed(&place.import(&file));
            assert!(said.contains("the file was cut") && said.contains("--after"), "{said}");
        }
        std::fs::write(&file, &export).unwrap();
        done(place.import(&file));
        assert_eq!(things(&place.export()), things(&export));
    }
}

#[test]
fn an_export_is_gone_on_with_after_a_cut() {
    let (from, export, file) = filled();
    let cursors: Vec<&str> = export.lines().filter_map(|line| line.strip_prefix("{\"at\":\"")).collect();
    assert!(cursors.len() >= 5);
    for cursor in cursors {
        let cursor = cursor.trim_end_matches("\"}");
        let place = Place::sqlite();
        let marker = format!("{{\"at\":\"{cursor}\"}}\n");
        let cut = export.find(&marker).unwrap() + marker.len();
        std::fs::write(&file, &export[..cut]).unwrap();
        assert!(failed(&place.import(&file)).contains(&format!("export it with --after {cursor}")));
        let rest = done(from.command("export").arg("--after").arg(cursor).output().unwrap());
        std::fs::write(&file, rest.stdout).unwrap();
        done(place.import(&file));
        assert_eq!(things(&place.export()), things(&export), "{cursor}");
    }
}

#[test]
fn missing_lines_and_other_files_are_refused() {
    let (_from, export, file) = filled();
    let without = |number: usize| {
        let lines: Vec<&str> =
            export.lines().enumerate().filter(|(n, _)| *n != number).map(|(_, l)| l).collect();
        lines.join("\n") + "\n"
    };
    let place = Place::sqlite();
    for (text, why) in [
        (String::new(), "not what `resthooks export` writes"),
        ("{\"a\": 1}\n".to_owned(), "not what `resthooks export` writes"),
        ("x".repeat(100_000), "not what `resthooks export` writes"),
        (export.replacen("\"form\":2", "\"form\":3", 1), "of a newer version"),
        (without(1), "lines are missing"),
        (export.replacen("{\"api_key\"", "{\"apikey\"", 1), "a line can't be read"),
        (export.clone() + &export, "in the middle"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let output = place.import(&file);
        if why == "in the middle" {
            // What comes after the end is not looked at.
            done(output);
        } else {
            assert!(failed(&output).contains(why), "{output:?}");
        }
    }
}
