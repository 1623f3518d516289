//! Keys that several people use.
//!
//! No piece of evidence is a proof, and each has an innocent reading; `docs/usage-shared.md` says what each weighs and why. Weights add up to a
//! score of at most 100, and every point of it can be read in the evidence.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Fact;
use super::agent::{Ground, System};
use super::rhythm::{self, DAY, HOUR};
use super::timeline::{Machine, Point, Sighting, Timeline, View, timelines};

/// The score from which a key is called shared.
pub const SHARED_FROM: u8 = 50;

/// Who may be behind one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// The key.
    pub key: String,
    /// The ARN of its user.
    pub user: String,
    /// From 0 to 100.
    pub score: u8,
    /// What speaks for it, the weightiest first.
    pub evidence: Vec<Evidence>,
}

impl Sharing {
    /// Whether the score is high enough to say so.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.score >= SHARED_FROM
    }
}

/// One thing that speaks for several people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What sort.
    pub kind: SharedBy,
    /// How much it adds to the score.
    pub weight: u8,
    /// What was seen, in a sentence.
    pub what: String,
    /// Some of the facts behind it.
    pub seen: Vec<Sighting>,
}

/// The sorts of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedBy {
    /// Two machines are used at the same time.
    MachinesAtOnce,
    /// … from two addresses.
    AddressesAtOnce,
    /// From here to there, faster than anybody flies, with another machine.
    ImpossibleTravel,
    /// The same with one machine, or an unknown one: a VPN does that, too.
    ImpossibleTravelOneMachine,
    /// Two machines with working hours of their own.
    HoursApart,
    /// Two countries with working hours of their own, back and forth.
    HoursApartAbroad,
    /// Days without the rest of a night.
    NoRest,
    /// Many machines over the same weeks.
    ManyMachines,
    /// A pipeline uses the key besides a person.
    PipelineBesidesPerson,
    /// Somebody uses the key of a service at a desk.
    PersonAtService,
}

impl SharedBy {
    /// Its name, as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MachinesAtOnce => "machines-at-once",
            Self::AddressesAtOnce => "addresses-at-once",
            Self::ImpossibleTravel => "impossible-travel",
            Self::ImpossibleTravelOneMachine => "impossible-travel-one-machine",
            Self::HoursApart => "hours-apart",
            Self::HoursApartAbroad => "hours-apart-abroad",
            Self::NoRest => "no-rest",
            Self::ManyMachines => "many-machines",
            Self::PipelineBesidesPerson => "pipeline-besides-person",
            Self::PersonAtService => "person-at-service",
        }
    }

    /// The most that it adds.
    #[must_use]
    pub fn weight(self) -> u8 {
        match self {
            Self::MachinesAtOnce => 60,
            Self::AddressesAtOnce | Self::ImpossibleTravelOneMachine => 10,
            Self::ImpossibleTravel => 40,
            Self::NoRest | Self::ManyMachines => 30,
            Self::HoursApart | Self::HoursApartAbroad | Self::PersonAtService => 50,
            Self::PipelineBesidesPerson => 25,
        }
    }
}

/// Facts that are shown of one piece of evidence.
const SHOWN: usize = 6;
/// Machines of a key that are held against one another: the busiest.
const MACHINES: usize = 12;
/// Days from which something is a habit.
const HABIT: usize = 3;
/// A machine is at work while its calls are no further apart; another one that calls between them is used at the same time.
const AT_WORK: i64 = HOUR;
/// The part of the days on which both are used, from which working at once has its whole weight.
const WHOLE_SHARE: f64 = 0.5;
/// No airliner is faster, in km/h.
const FASTEST: f64 = 1_000.0;
/// Distances below are those of two data bases that disagree, in km.
const NEAR: f64 = 300.0;
/// Working hours are apart where their middles are so many hours apart …
const APART: f64 = 6.0;
/// … and each lie together so closely.
const CLOSE: f64 = 0.55;
/// … and both are whole only where the calls of a day reach over so many hours: an hour in the evening is no second working day.
const WORKING_DAY: i64 = 4 * HOUR;
/// What an hour in the evening counts for.
const SPARE_TIME: f64 = 0.6;
/// Changes from the one to the other, from which both go on side by side: somebody who moves makes one, who travels two.
const BACK_AND_FORTH: usize = 6;

/// Everything that speaks for several people behind a key, for every key for which something does; the highest score first.
#[must_use]
pub fn shared(facts: &[Fact], view: &View<'_>) -> Vec<Sharing> {
    let mut found: Vec<Sharing> = timelines(facts, view)
        .iter()
        .map(|timeline| {
            let mut evidence = if timeline.is_service { of_service(timeline) } else { of_person(timeline) };
            evidence.sort_by_key(|one| (std::cmp::Reverse(one.weight), one.kind));
            let score = evidence.iter().map(|one| u32::from(one.weight)).sum::<u32>().min(100);
            Sharing {
                key: timeline.key.to_owned(),
                user: timeline.user.to_owned(),
                score: u8::try_from(score).unwrap_or(100),
                evidence,
            }
        })
        .filter(|sharing| sharing.score > 0)
        .collect();
    found.sort_by(|one, other| other.score.cmp(&one.score).then_with(|| one.key.cmp(&other.key)));
    found
}

fn of_person(timeline: &Timeline<'_>) -> Vec<Evidence> {
    let by_hand: Vec<Point> = timeline.points.iter().filter(|point| timeline.is_by_hand(point)).copied().collect();
    let machines = busiest(timeline, &by_hand);
    let mut evidence = Vec::new();
    evidence.extend(at_once(timeline, &by_hand, &machines));
    evidence.extend(travel(timeline, &by_hand));
    evidence.extend(hours_apart(timeline, &by_hand, &machines));
    evidence.extend(no_rest(timeline, &by_hand));
    evidence.extend(many_machines(timeline, &by_hand, &machines));
    evidence.extend(pipeline(timeline, &by_hand, &machines));
    evidence
}

/// A service may have many machines and addresses, day and night; but nobody should sit at one of them.
fn of_service(timeline: &Timeline<'_>) -> Vec<Evidence> {
    let is_desk = |machine: &Machine| {
        machine.system == Some(System::Macos) || matches!(machine.ground, Some(Ground::Wsl | Ground::DesktopContainer))
    };
    let at_desk: Vec<&Point> = timeline
        .points
        .iter()
        .filter(|point| point.machine.is_some_and(|one| is_desk(&timeline.machines[one])))
        .collect();
    let days: BTreeSet<i64> = at_desk.iter().map(|point| point.at.div_euclid(DAY)).collect();
    if days.len() < 2 {
        return Vec::new();
    }
    let machine = at_desk.first().and_then(|point| point.machine).map_or("", |one| &timeline.machines[one].words);
    let what = format!("the key of a service is used on a desk ({machine}), on {} days", days.len());
    vec![evidence(SharedBy::PersonAtService, 1.0, what, timeline, at_desk.into_iter().copied())]
}

/// The machines that are used by hand, the busiest ones.
fn busiest(timeline: &Timeline<'_>, points: &[Point]) -> Vec<usize> {
    let mut count: BTreeMap<usize, usize> = BTreeMap::new();
    for machine in points.iter().filter_map(|point| point.machine) {
        *count.entry(machine).or_default() += 1;
    }
    let mut machines: Vec<(usize, usize)> = count.into_iter().map(|(machine, count)| (count, machine)).collect();
    machines.sort_by_key(|(count, machine)| (std::cmp::Reverse(*count), &timeline.machines[*machine].words));
    machines.into_iter().take(MACHINES).map(|(_, machine)| machine).collect()
}

/// Every two of them that are not one desk.
fn pairs<'a>(timeline: &'a Timeline<'_>, machines: &'a [usize]) -> impl Iterator<Item = (usize, usize)> + 'a {
    machines.iter().enumerate().flat_map(move |(at, one)| {
        let others = machines[at + 1..]
            .iter()
            .filter(|other| !timeline.machines[*one].is_companion_of(&timeline.machines[**other]));
        others.map(move |other| (*one, *other))
    })
}

/// The days on which two machines are used at the same time.
struct AtOnce {
    one: usize,
    other: usize,
    /// Days since 1970.
    days: BTreeSet<i64>,
    share: f64,
    points: Vec<Point>,
    from_two_addresses: BTreeSet<i64>,
}

/// Somebody who goes from one machine to the other and back leaves calls of the other between two of the one. Only where it is so both
/// ways on a day, each while the other is at work, two are taken to sit there.
fn used_at_once(timeline: &Timeline<'_>, points: &[Point], (one, other): (usize, usize)) -> AtOnce {
    let of_both: Vec<&Point> =
        points.iter().filter(|point| point.machine == Some(one) || point.machine == Some(other)).collect();
    let mut found = AtOnce {
        one,
        other,
        days: BTreeSet::new(),
        share: 0.0,
        points: Vec::new(),
        from_two_addresses: BTreeSet::new(),
    };
    let ip = |point: &Point| timeline.facts[point.fact].ip.as_str();
    for day in of_both.chunk_by(|a, b| a.at.div_euclid(DAY) == b.at.div_euclid(DAY)) {
        let between = |machine: usize| {
            // Runs of one machine; the other's are between two of them.
            let runs: Vec<&[&Point]> = day.chunk_by(|a, b| a.machine == b.machine).collect();
            runs.windows(3).find_map(|runs| {
                let (before, within, after) = (runs[0][runs[0].len() - 1], runs[1][0], runs[2][0]);
                (within.machine == Some(machine) && after.at - before.at <= AT_WORK)
                    .then_some([*before, *within, *after])
            })
        };
        let (Some(first), Some(second)) = (between(one), between(other)) else { continue };
        let number = day[0].at.div_euclid(DAY);
        found.days.insert(number);
        if ip(&first[0]) != ip(&first[1]) && ip(&second[0]) != ip(&second[1]) {
            found.from_two_addresses.insert(number);
        }
        if found.points.len() < SHOWN {
            found.points.extend(first);
            found.points.extend(second);
        }
    }
    let days = |machine: usize| timeline.machines[machine].days.len();
    found.share = found.days.len() as f64 / days(one).min(days(other)).max(1) as f64;
    found
}

fn at_once(timeline: &Timeline<'_>, points: &[Point], machines: &[usize]) -> Vec<Evidence> {
    let both = pairs(timeline, machines).map(|pair| used_at_once(timeline, points, pair));
    let best = both
        .filter(|one| one.days.len() >= HABIT)
        .max_by(|one, other| one.share.total_cmp(&other.share).then(one.days.len().cmp(&other.days.len())));
    let Some(AtOnce { one, other, days, share, points, from_two_addresses }) = best else { return Vec::new() };
    let [one, other] = [one, other].map(|machine| timeline.machines[machine].words.as_str());
    let what = format!(
        "{one} and {other} are used at the same time, on {} days: {:.0} % of those on which the less used one is used",
        days.len(),
        share * 100.0
    );
    let part = (share / WHOLE_SHARE).min(1.0);
    let mut found = vec![evidence(SharedBy::MachinesAtOnce, part, what, timeline, points.iter().copied())];
    if from_two_addresses.len() >= HABIT {
        let what = format!("they do so from two addresses, on {} days", from_two_addresses.len());
        found.push(evidence(SharedBy::AddressesAtOnce, part, what, timeline, points.into_iter()));
    }
    found
}

fn travel(timeline: &Timeline<'_>, points: &[Point]) -> Vec<Evidence> {
    let placed: Vec<&Point> = points.iter().filter(|point| timeline.source(point).place.is_some()).collect();
    // Days, farthest distance, and the points.
    let (mut others, mut one) = ((BTreeSet::new(), 0.0_f64, Vec::new()), (BTreeSet::new(), 0.0_f64, Vec::new()));
    for two in placed.windows(2) {
        let (Some(from), Some(to)) = (&timeline.source(two[0]).place, &timeline.source(two[1]).place) else { continue };
        let slack = NEAR + f64::from(from.radius_km.unwrap_or(0)) + f64::from(to.radius_km.unwrap_or(0));
        let Some(km) = from.km_to(to).filter(|km| *km > slack) else { continue };
        let hours = (two[1].at - two[0].at) as f64 / HOUR as f64;
        if km <= FASTEST * hours {
            continue;
        }
        let with_others = match (two[0].machine, two[1].machine) {
            (Some(a), Some(b)) => a != b && !timeline.machines[a].is_companion_of(&timeline.machines[b]),
            _ => false,
        };
        let (days, farthest, seen) = if with_others { &mut others } else { &mut one };
        days.insert(two[0].at.div_euclid(DAY));
        *farthest = farthest.max(km);
        if seen.len() < SHOWN {
            seen.extend(two.iter().map(|point| **point));
        }
    }
    let tell = |kind, (days, km, seen): (BTreeSet<i64>, f64, Vec<Point>), machine: &str| {
        let part = if days.len() >= HABIT { 1.0 } else { 0.5 };
        let what = format!("up to {km:.0} km in less time than a flight takes, {machine}, on {} days", days.len());
        (!days.is_empty()).then(|| evidence(kind, part, what, timeline, seen.into_iter()))
    };
    [
        tell(SharedBy::ImpossibleTravel, others, "and on another machine there"),
        tell(SharedBy::ImpossibleTravelOneMachine, one, "which a VPN also looks like"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn hours_apart(timeline: &Timeline<'_>, points: &[Point], machines: &[usize]) -> Option<Evidence> {
    let country = |point: &Point| timeline.source(point).place.as_ref().and_then(|place| place.country.clone());
    let countries: BTreeSet<String> = points.iter().filter_map(country).collect();
    let countries: Vec<&String> = countries.iter().take(MACHINES).collect();
    for (at, here) in countries.iter().enumerate() {
        for there in &countries[at + 1..] {
            let side = |point: &Point| {
                let country = country(point)?;
                if country == **here { Some(false) } else { (country == **there).then_some(true) }
            };
            if let Some(found) = sides_apart(points, side) {
                let what = format!("{here} and {there} {}", found.words());
                return Some(evidence(SharedBy::HoursApartAbroad, 1.0, what, timeline, found.points.into_iter()));
            }
        }
    }
    pairs(timeline, machines).find_map(|(one, other)| {
        let side = |point: &Point| {
            let machine = point.machine?;
            if machine == one { Some(false) } else { (machine == other).then_some(true) }
        };
        let found = sides_apart(points, side)?;
        let [one, other] = [one, other].map(|machine| timeline.machines[machine].words.as_str());
        let what = format!("{one} and {other} {}", found.words());
        let part = if found.are_working_days { 1.0 } else { SPARE_TIME };
        Some(evidence(SharedBy::HoursApart, part, what, timeline, found.points.into_iter()))
    })
}

struct Apart {
    middles: [f64; 2],
    are_working_days: bool,
    changes: usize,
    points: Vec<Point>,
}

impl Apart {
    fn words(&self) -> String {
        let [one, other] = self.middles.map(|hour| hour.floor());
        format!(
            "have working hours of their own, around {one:02}:00 and {other:02}:00 UTC, with {} changes between them",
            self.changes
        )
    }
}

/// Whether two sides each have their own hours, and take turns for longer than a move or a journey does.
fn sides_apart(points: &[Point], side: impl Fn(&Point) -> Option<bool>) -> Option<Apart> {
    let sided: Vec<(&Point, bool)> = points.iter().filter_map(|point| Some((point, side(point)?))).collect();
    let of = |which: bool| sided.iter().filter(move |(_, is)| *is == which).map(|(point, _)| point.at);
    let days = |which: bool| of(which).map(|at| at.div_euclid(DAY)).collect::<BTreeSet<_>>().len();
    let changes: Vec<_> = sided.windows(2).filter(|two| two[0].1 != two[1].1).collect();
    if days(false) <= HABIT || days(true) <= HABIT || changes.len() < BACK_AND_FORTH {
        return None;
    }
    let ((one, one_close), (other, other_close)) = (rhythm::middle(of(false)), rhythm::middle(of(true)));
    let is_apart = rhythm::apart(one, other) >= APART && one_close >= CLOSE && other_close >= CLOSE;
    is_apart.then(|| Apart {
        middles: [one, other],
        are_working_days: [false, true]
            .into_iter()
            .all(|which| usual_length(&of(which).collect::<Vec<_>>()) >= WORKING_DAY),
        changes: changes.len(),
        points: changes.iter().take(SHOWN / 2).flat_map(|two| two.iter().map(|(point, _)| **point)).collect(),
    })
}

/// How long calls go on between two rests, as a rule.
fn usual_length(moments: &[i64]) -> i64 {
    let mut lengths: Vec<i64> =
        moments.chunk_by(|one, next| next - one < APART as i64 * HOUR).map(|day| day[day.len() - 1] - day[0]).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(0)
}

fn no_rest(timeline: &Timeline<'_>, points: &[Point]) -> Option<Evidence> {
    let moments: Vec<i64> = points.iter().map(|point| point.at).collect();
    let days: BTreeSet<i64> = moments.iter().map(|at| at.div_euclid(DAY)).collect();
    let stretches = rhythm::restless(&moments);
    let restless: usize = stretches.iter().map(rhythm::Stretch::days).sum();
    if restless < HABIT || restless * 4 < days.len() {
        return None;
    }
    let what = format!("no rest of five hours on {} of {} days", restless.min(days.len()), days.len());
    let first = stretches[0];
    let seen = points.iter().filter(|point| (first.from..=first.until).contains(&point.at)).copied();
    Some(evidence(SharedBy::NoRest, 1.0, what, timeline, seen))
}

fn many_machines(timeline: &Timeline<'_>, points: &[Point], machines: &[usize]) -> Option<Evidence> {
    // Those that are used for a while, and not one after the other.
    let mut side_by_side: Vec<usize> = Vec::new();
    for machine in machines.iter().copied().filter(|machine| timeline.machines[*machine].days.len() > HABIT) {
        let days = &timeline.machines[machine].days;
        let overlaps = |other: &usize| {
            let others = &timeline.machines[*other].days;
            days.first() < others.last() && others.first() < days.last()
        };
        let is_companion = |other: &usize| timeline.machines[*other].is_companion_of(&timeline.machines[machine]);
        if side_by_side.iter().all(|other| overlaps(other) && !is_companion(other)) {
            side_by_side.push(machine);
        }
    }
    let more = side_by_side.len().saturating_sub(2);
    if more == 0 {
        return None;
    }
    let words: Vec<&str> = side_by_side.iter().map(|machine| timeline.machines[*machine].words.as_str()).collect();
    let what = format!("{} machines over the same weeks: {}", words.len(), words.join("; "));
    let seen = side_by_side.iter().filter_map(|machine| points.iter().find(|point| point.machine == Some(*machine)));
    Some(evidence(SharedBy::ManyMachines, more as f64 / 3.0, what, timeline, seen.copied()))
}

fn pipeline(timeline: &Timeline<'_>, points: &[Point], machines: &[usize]) -> Option<Evidence> {
    let (runners, others): (Vec<usize>, Vec<usize>) = machines
        .iter()
        .filter(|machine| timeline.machines[**machine].days.len() >= HABIT)
        .partition(|machine| timeline.machines[**machine].is_runner());
    let (runner, other) = (*runners.first()?, *others.first()?);
    let [runner_words, other_words] = [runner, other].map(|machine| timeline.machines[machine].words.as_str());
    let what = format!("a pipeline ({runner_words}) uses the key besides {other_words}");
    let seen =
        [runner, other].into_iter().filter_map(|machine| points.iter().find(|point| point.machine == Some(machine)));
    Some(evidence(SharedBy::PipelineBesidesPerson, 1.0, what, timeline, seen.copied()))
}

fn evidence(
    kind: SharedBy,
    part: f64,
    what: String,
    timeline: &Timeline<'_>,
    points: impl Iterator<Item = Point>,
) -> Evidence {
    let weight = (f64::from(kind.weight()) * part.clamp(0.0, 1.0)).round() as u8;
    let mut seen: Vec<Sighting> = Vec::new();
    for point in points {
        let sighting = timeline.sighting(&point);
        if !seen.contains(&sighting) {
            seen.push(sighting);
        }
        if seen.len() == SHOWN {
            break;
        }
    }
    Evidence { kind, weight, what, seen }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{EC2, LINUX, MAC, TwoCities, fact, fact_of, with_view};
    use super::super::{Atlas, NoAtlas};
    use super::*;

    const HERE: &str = "203.0.113.7";
    const THERE: &str = "198.51.100.9";
    const WSL: &str = "aws-cli/2.22.1 ua/2.1 os/linux#5.15.153.1-microsoft-standard-WSL2 md/arch#x86_64";
    const WINDOWS: &str = "aws-cli/2.22.1 ua/2.1 os/windows#11 md/arch#amd64";

    fn told(facts: &[Fact], atlas: &dyn Atlas) -> Vec<(SharedBy, u8)> {
        let found = with_view(atlas, |view| shared(facts, view));
        found.iter().flat_map(|one| &one.evidence).map(|one| (one.kind, one.weight)).collect()
    }

    /// On each of five days, these calls: time, address, agent. Each day begins twelve minutes later: nobody is a clock.
    fn daily(calls: &[(&str, &str, &str)]) -> Vec<Fact> {
        let later = |time: &str, minutes: u32| {
            let (hour, minute) = time.split_once(':').unwrap();
            let at = hour.parse::<u32>().unwrap() * 60 + minute.parse::<u32>().unwrap() + minutes;
            format!("{:02}:{:02}", at / 60, at % 60)
        };
        let days = (2..=6).flat_map(|day| calls.iter().map(move |call| (day, call)));
        days.map(|(day, (time, ip, agent))| fact(&format!("2026-11-0{day}T{}", later(time, (day - 2) * 12)), ip, agent))
            .collect()
    }

    #[test]
    fn two_machines_at_once_are_two_people_and_the_evidence_says_where() {
        let facts =
            daily(&[("09:00", HERE, MAC), ("09:10", HERE, LINUX), ("09:20", HERE, MAC), ("09:30", HERE, LINUX)]);
        let found = with_view(&NoAtlas, |view| shared(&facts, view));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert!(one.is_shared() && one.score == 60, "{one:?}");
        let evidence = &one.evidence[0];
        insta::assert_snapshot!(evidence.what, @"Linux 6.8.0-41-generic x86_64 and macOS 24.2.0 arm64 are used at the same time, on 5 days: 100 % of those on which the less used one is used");
        let seen: Vec<String> =
            evidence.seen.iter().map(|one| format!("{} {} {}", one.first, one.ip, one.program)).collect();
        insta::assert_snapshot!(seen[..2].join("\n"), @r"
        2026-11-02T09:00:00Z 203.0.113.7 AWS CLI v2 2.22.1
        2026-11-02T09:10:00Z 203.0.113.7 AWS CLI v2 2.31.0
        ");
    }

    #[test]
    fn one_after_the_other_is_one_person() {
        let facts =
            daily(&[("09:00", HERE, MAC), ("09:40", HERE, MAC), ("11:00", HERE, LINUX), ("11:40", HERE, LINUX)]);
        assert_eq!(told(&facts, &NoAtlas), []);
    }

    #[test]
    fn one_desk_and_machines_that_run_by_themselves_are_no_second_person() {
        for other in [WINDOWS, EC2] {
            let this = if other == WINDOWS { WSL } else { MAC };
            let facts =
                daily(&[("09:00", HERE, this), ("09:10", HERE, other), ("09:20", HERE, this), ("09:30", HERE, other)]);
            assert_eq!(told(&facts, &NoAtlas), [], "{other}");
        }
    }

    #[test]
    fn far_away_at_once_weighs_little_with_one_machine_and_much_with_another() {
        let facts = daily(&[("09:00", HERE, MAC), ("10:00", THERE, MAC)]);
        assert_eq!(told(&facts, &TwoCities), [(SharedBy::ImpossibleTravelOneMachine, 10)]);
        let facts = daily(&[("09:00", HERE, MAC), ("10:00", THERE, LINUX)]);
        assert_eq!(told(&facts, &TwoCities), [(SharedBy::ImpossibleTravel, 40)]);
        // A flight takes eight hours.
        let facts = daily(&[("09:00", HERE, MAC), ("18:00", THERE, LINUX)]);
        assert!(told(&facts, &TwoCities).iter().all(|(kind, _)| *kind == SharedBy::HoursApartAbroad));
        assert_eq!(told(&daily(&[("09:00", HERE, MAC), ("10:00", THERE, LINUX)]), &NoAtlas), []);
    }

    #[test]
    fn a_service_may_be_anywhere_but_on_a_desk() {
        let of_service = |agents: [&str; 2]| {
            let calls =
                [("02T09:00", agents[0]), ("02T09:10", agents[1]), ("03T09:00", agents[0]), ("03T09:10", agents[1])];
            calls.map(|(time, agent)| fact_of("svc-mail", &format!("2026-11-{time}"), HERE, agent))
        };
        assert_eq!(told(&of_service([LINUX, EC2]), &NoAtlas), []);
        assert_eq!(told(&of_service([MAC, EC2]), &NoAtlas), [(SharedBy::PersonAtService, 50)]);
    }

    #[test]
    fn sessions_are_not_judged() {
        let mut facts =
            daily(&[("09:00", HERE, MAC), ("09:10", HERE, LINUX), ("09:20", HERE, MAC), ("09:30", HERE, LINUX)]);
        for fact in &mut facts {
            fact.key = "ASIAIOSFODNN7EXAMPLE".to_owned();
        }
        assert_eq!(told(&facts, &NoAtlas), []);
    }

    #[test]
    fn the_page_names_every_evidence_with_its_weight() {
        let page = include_str!("../../../../docs/usage-shared.md");
        for kind in [
            SharedBy::MachinesAtOnce,
            SharedBy::AddressesAtOnce,
            SharedBy::ImpossibleTravel,
            SharedBy::ImpossibleTravelOneMachine,
            SharedBy::HoursApart,
            SharedBy::HoursApartAbroad,
            SharedBy::NoRest,
            SharedBy::ManyMachines,
            SharedBy::PipelineBesidesPerson,
            SharedBy::PersonAtService,
        ] {
            let row = format!("| `{}` | {} |", kind.as_str(), kind.weight());
            assert!(page.contains(&row), "{row} is not in docs/usage-shared.md");
        }
    }
}
