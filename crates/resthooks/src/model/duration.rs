//! Durations as strings with a unit: `250ms`, `5s`, `10m`, `2h`, `30d`.

use std::time::Duration;

use super::Invalid;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a whole number and a unit (`ms`, `s`, `m`, `h`, `d`), at most 3,650 days.
///
/// # Errors
/// When the text has another form or is too long a time.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let wrong = || Invalid::new("must be a duration with a unit, such as 250ms, 5s, 10m, 2h or 30d");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let total = number.checked_mul(*millis).ok_or_else(wrong)?;
    if total > 3_650 * 86_400_000 {
        return Err(Invalid::new("must be at most 3650d"));
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration in the largest unit that divides it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| millis != 0 && millis.is_multiple_of(*unit);
    match UNITS.iter().rev().find(fits) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_units() {
        for text in ["250ms", "5s", "10m", "2h", "30d", "0s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(format_duration(parse_duration("3600s").unwrap()), "1h");
        for bad in ["", "5", "s", "-5s", "5 s", "1.5s", "5w", "99999999999999999999s", "3651d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
