//! How fast a campaign may go, so that Mailu refuses none of its recipients.

use serde::Serialize;

use super::Rule;
use crate::apps::Throttle;

/// For a login without a limit: few enough connections and messages a second for one server.
pub(super) const GENTLE: u32 = 5;

/// After how many refused messages a campaign pauses: an unnoticed limit then costs a few recipients, not all of them.
const ERRORS: u32 = 20;

/// The settings of a pace.
pub(super) const KEYS: [&str; 5] = [
    "app.message_sliding_window",
    "app.message_sliding_window_duration",
    "app.message_sliding_window_rate",
    "app.max_send_errors",
    "app.batch_size",
];

/// So many messages in so many seconds.
///
/// Listmonk's "sliding window" does not slide: a new one begins when the old one is over, and when the program starts again. With one window
/// as long as Mailu's, twice the limit may come within it, from the end of one window and the beginning of the next. So the time is
/// divided, and what fits into one part more than there are must stay below the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Pace {
    /// Messages in a window.
    pub rate: u32,
    /// How long a window is, in seconds.
    pub seconds: u32,
}

impl Pace {
    /// The fastest that stays below `throttle` less `reserve`, a tenth of it without one.
    pub fn of(throttle: Throttle, reserve: Option<u32>) -> Self {
        let reserve = reserve.unwrap_or_else(|| throttle.recipients.div_ceil(10));
        let campaign = throttle.recipients.saturating_sub(reserve).max(1);
        // With a rate of one, Listmonk would let two through after a pause.
        let parts = (campaign / 2).saturating_sub(1).clamp(1, 24);
        Self {
            rate: (campaign / (parts + 1)).max(1),
            seconds: throttle.seconds.div_ceil(parts).max(2),
        }
    }

    pub(super) fn rules(self) -> Vec<(&'static str, Rule)> {
        vec![
            (KEYS[0], Rule::Set(true.into())),
            (KEYS[1], Rule::Set(self.duration().into())),
            (KEYS[2], Rule::Set(self.rate.into())),
            (KEYS[3], Rule::AtMost(ERRORS)),
            // What was fetched and not yet sent is lost when Listmonk starts again, and a campaign that is paused ends only after it.
            (KEYS[4], Rule::AtMost(self.rate)),
        ]
    }

    /// The window's length as Go writes it: `1h`, `90s`.
    pub fn duration(self) -> String {
        match self.seconds {
            seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
            seconds => format!("{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_limit_becomes_seven_messages_an_hour() {
        let pace = Pace::of(Throttle::new(200, 86_400), None);
        assert_eq!((pace.rate, pace.duration()), (7, "1h".to_owned()));
        let half = Pace::of(Throttle::new(20, 3600), Some(0));
        assert_eq!((half.rate, half.duration()), (2, "400s".to_owned()));
    }

    /// Listmonk's loop (internal/manager): the clock of a window begins with the first message after the old one is over.
    fn busiest(pace: Pace, span: u64) -> u64 {
        let window = u64::from(pace.seconds);
        let mut times = Vec::new();
        let (mut now, mut start, mut count) = (0_u64, 0_u64, 0_u32);
        // The first window has nearly passed when a campaign starts.
        now += window - 1;
        while now < 4 * span {
            times.push(now);
            let since = now - start;
            if since >= window {
                start = now;
                count = 0;
            }
            count += 1;
            if count >= pace.rate {
                count = 0;
                now += window.saturating_sub(since);
            }
        }
        times
            .iter()
            .map(|from| {
                times
                    .iter()
                    .filter(|at| (*from..from + span).contains(at))
                    .count() as u64
            })
            .max()
            .unwrap_or_default()
    }

    #[test]
    fn no_day_has_more_than_the_limit() {
        for recipients in [4, 5, 10, 20, 50, 100, 200, 500] {
            let pace = Pace::of(Throttle::new(recipients, 86_400), None);
            let most = busiest(pace, 86_400);
            assert!(
                most <= u64::from(recipients),
                "{recipients}: {most} with {pace:?}"
            );
            assert!(
                recipients < 50 || most * 2 > u64::from(recipients),
                "{recipients}: only {most} with {pace:?}"
            );
        }
        // What the obvious setting would do.
        let naive = Pace {
            rate: 180,
            seconds: 86_400,
        };
        assert!(busiest(naive, 86_400) > 200);
    }

    proptest! {
        #[test]
        fn any_limit_has_a_pace(recipients: u32, seconds: u32, reserve in proptest::option::of(any::<u32>())) {
            let pace = Pace::of(Throttle::new(recipients, seconds), reserve);
            prop_assert!(pace.rate >= 1 && pace.seconds >= 2);
            let parts = u64::from(seconds).div_ceil(u64::from(pace.seconds)) + 1;
            let fits = u64::from(recipients.saturating_sub(reserve.unwrap_or(recipients.div_ceil(10))));
            prop_assert!(parts * u64::from(pace.rate) <= fits.max(2) || fits < 4);
        }
    }
}
