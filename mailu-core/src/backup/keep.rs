//! Which backups are kept.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

/// How many backups are kept: the newest, and the last one of each day, week and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keeping {
    /// The newest so many.
    pub last: u32,
    /// The last one of so many days.
    pub daily: u32,
    /// The last one of so many weeks, which begin on Monday.
    pub weekly: u32,
    /// The last one of so many months.
    pub monthly: u32,
}

impl Keeping {
    /// So many of each.
    pub fn new(last: u32, daily: u32, weekly: u32, monthly: u32) -> Self {
        Self {
            last,
            daily,
            weekly,
            monthly,
        }
    }
}

/// A backup, and why it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "KeptArchive")
)]
#[non_exhaustive]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// For which rules it is kept: `last`, `daily`, `weekly`, `monthly`; none if it goes.
    pub rules: Vec<String>,
}

/// The number of a day, a week or a month, by a time.
type Span = fn(&str) -> Option<i64>;

/// Decides about `backups`, each with its time (`20261122-100000`, UTC) and name. The newest is always kept.
pub fn choose(keeping: Keeping, backups: &[(String, String)]) -> Vec<Kept> {
    let mut all: Vec<&(String, String)> = backups.iter().collect();
    all.sort_by_cached_key(|(stamp, name)| {
        Reverse((stamp.clone(), number(stamp, name), name.clone()))
    });
    let mut out: Vec<Kept> = all
        .iter()
        .map(|(_, name)| Kept {
            name: name.clone(),
            rules: Vec::new(),
        })
        .collect();
    for (at, kept) in out.iter_mut().enumerate() {
        if at < keeping.last.max(1) as usize {
            kept.rules.push("last".to_owned());
        }
    }
    let spans: [(&str, u32, Span); 3] = [
        ("daily", keeping.daily, day),
        ("weekly", keeping.weekly, |stamp| {
            Some((day(stamp)? + 3).div_euclid(7))
        }),
        ("monthly", keeping.monthly, |stamp| {
            stamp.get(..6)?.parse().ok()
        }),
    ];
    for (rule, count, span) in spans {
        let mut spans = BTreeSet::new();
        for ((stamp, _), kept) in all.iter().zip(&mut out) {
            let Some(span) = span(stamp) else { continue };
            if spans.len() < count as usize && spans.insert(span) {
                kept.rules.push(rule.to_owned());
            }
        }
    }
    out
}

/// Which one of its second an archive is: `2` in `mail.example.com-20261122-100000-2.tar.zst`.
fn number(stamp: &str, name: &str) -> u32 {
    name.split_once(stamp)
        .and_then(|(_, rest)| rest.strip_prefix('-')?.split('.').next()?.parse().ok())
        .unwrap_or(1)
}

/// Days since 1970-01-01, a Thursday, by the proleptic Gregorian calendar.
fn day(stamp: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| stamp.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    // Years that begin in March have their odd day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(days + (153 * month + 2) / 5 + day - 1 - 719_468)
}
