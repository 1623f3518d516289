//! Whether calls come by the clock, as programs make them, or as people live.

use std::collections::BTreeMap;

pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

/// The rest that everybody takes once a day.
const REST: i64 = 5 * HOUR;
/// How long nobody goes on without one, but for an emergency.
const AWAKE: i64 = 20 * HOUR;
/// Days from which a habit can be told.
const DAYS: usize = 5;
/// How exactly a program keeps its time.
const EXACT: i64 = 600;

/// How a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// Calls day and night, on so many of so many days.
    DayAndNight(usize, usize),
    /// Calls at one time of the day, in seconds from midnight, on so many days.
    SameTime(i64, usize),
}

/// Tells whether these moments, in order, are those of a clock.
pub(super) fn clock(moments: &[i64]) -> Option<Clock> {
    let mut days: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for at in moments {
        let (_, last) = days.entry(at.div_euclid(DAY)).or_insert((*at, *at));
        *last = *at;
    }
    if days.len() < DAYS {
        return None;
    }
    let restless: usize = restless(moments).iter().map(Stretch::days).sum();
    if restless * 5 >= days.len() * 4 {
        return Some(Clock::DayAndNight(restless.min(days.len()), days.len()));
    }
    let mut times: Vec<i64> = days.values().map(|(first, _)| first.rem_euclid(DAY)).collect();
    times.sort_unstable();
    let usual = times[times.len() / 2];
    let kept = days
        .values()
        .filter(|(first, last)| (first.rem_euclid(DAY) - usual).abs() <= EXACT && last - first <= HOUR)
        .count();
    (kept * 5 >= days.len() * 4).then_some(Clock::SameTime(usual, kept))
}

/// A time without a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Stretch {
    /// How many days' rests are lacking.
    pub(super) fn days(&self) -> usize {
        usize::try_from((self.until - self.from + DAY / 2) / DAY).unwrap_or(0).max(1)
    }
}

/// Where calls go on without a rest for longer than anybody is awake; moments are in order.
pub(super) fn restless(moments: &[i64]) -> Vec<Stretch> {
    let stretches = moments.chunk_by(|one, next| next - one < REST);
    let stretches = stretches.map(|stretch| Stretch { from: stretch[0], until: stretch[stretch.len() - 1] });
    stretches.filter(|stretch| stretch.until - stretch.from >= AWAKE).collect()
}

/// The middle of the hours at which something happens, 0 to 24, and from 0 to 1 how closely they lie together. Each hour of each day counts
/// once, so that a busy hour does not outweigh others.
pub(super) fn middle(moments: impl Iterator<Item = i64>) -> (f64, f64) {
    let hours: std::collections::BTreeSet<i64> = moments.map(|at| at.div_euclid(HOUR)).collect();
    let turn = |hour: &i64| (hour.rem_euclid(24) as f64 + 0.5) / 24.0 * std::f64::consts::TAU;
    let (x, y) = hours.iter().map(turn).fold((0.0, 0.0), |(x, y), angle| (x + angle.cos(), y + angle.sin()));
    let close = x.hypot(y) / (hours.len().max(1) as f64);
    (y.atan2(x).rem_euclid(std::f64::consts::TAU) / std::f64::consts::TAU * 24.0, close)
}

/// How many hours two times of the day are apart.
pub(super) fn apart(one: f64, other: f64) -> f64 {
    let apart = (one - other).abs() % 24.0;
    apart.min(24.0 - apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_told_from_people() {
        let days = |per_day: &[i64]| -> Vec<i64> {
            (0..10).flat_map(|day| per_day.iter().map(move |at| day * DAY + at)).collect()
        };
        let hourly: Vec<i64> = (0..24).map(|hour| hour * HOUR + 5).collect();
        assert_eq!(clock(&days(&hourly)), Some(Clock::DayAndNight(10, 10)));
        assert_eq!(clock(&days(&[3 * HOUR, 3 * HOUR + 60])), Some(Clock::SameTime(3 * HOUR, 10)));
        let office: Vec<i64> = (9..18).map(|hour| hour * HOUR).collect();
        assert_eq!(clock(&days(&office)), None);
        assert_eq!(clock(&days(&hourly)[..24 * 4]), None, "four days are no habit");
        // At an hour that is another one each day.
        assert_eq!(clock(&(0..10).map(|day| day * DAY + day * 2 * HOUR).collect::<Vec<_>>()), None);
    }

    #[test]
    fn a_rest_is_found_whichever_day_it_begins_on() {
        // Work from 13:00 to 23:00, and every other evening until 4:00 of the next day.
        let person: Vec<i64> = (0..10)
            .flat_map(|day| {
                (13..24).chain(if day % 2 == 0 { 25..29 } else { 0..0 }).map(move |hour| day * DAY + hour * HOUR)
            })
            .collect();
        assert_eq!(restless(&person), []);
        let shifts: Vec<i64> =
            (0..3 * 24).filter(|hour| !(16..19).contains(&(hour % 24))).map(|hour| hour * HOUR).collect();
        let [stretch] = restless(&shifts)[..] else { panic!("{:?}", restless(&shifts)) };
        assert_eq!(stretch.days(), 3);
    }

    #[test]
    fn the_middle_of_hours_goes_round_midnight() {
        let (middle, close) = middle([22, 23, 24, 25].into_iter().map(|hour| hour * HOUR));
        assert!(apart(middle, 0.0) < 0.01 && close > 0.9, "{middle} {close}");
        assert!((apart(23.0, 1.0) - 2.0).abs() < 1e-9);
    }
}
