//! Walls, zones, jumps and restarts.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("the test's own time")
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::parse(cron, zone, None).expect("the test's own schedule")
}

fn check_next(cron: &str, zone: &str, after: &str, expected: &[&str]) {
    let found: Vec<_> = schedule(cron, zone).next(at(after), expected.len()).iter().map(Timestamp::to_string).collect();
    assert_eq!(found, expected, "{cron} in {zone} after {after}");
}

#[test]
fn occurrences_follow_the_wall_clock_of_the_zone() {
    check_next("0 3 * * *", "UTC", "2026-11-25T03:00:00Z", &["2026-11-26T03:00:00Z", "2026-11-27T03:00:00Z"]);
    check_next("0 3 * * *", "Europe/Paris", "2026-07-01T00:00:00Z", &["2026-07-01T01:00:00Z", "2026-07-02T01:00:00Z"]);
    check_next("30 4 * * MON", "Asia/Kolkata", "2026-11-25T00:00:00Z", &["2026-11-29T23:00:00Z"]);
    check_next("*/20 * * * * *", "UTC", "2026-11-25T00:00:05.5Z", &["2026-11-25T00:00:20Z", "2026-11-25T00:00:40Z"]);
    check_next("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    check_next("0 0 L * *", "UTC", "2026-02-01T00:00:00Z", &["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]);
    check_next("@daily", "UTC", "2026-02-01T00:00:00Z", &["2026-02-02T00:00:00Z"]);
}

#[test]
fn a_time_that_the_clock_jumps_over_runs_once_right_after_the_jump() {
    // 2026-03-29: 02:00 → 03:00 at 01:00 UTC.
    let spring = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    check_next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", &spring);
    // Several in the gap, and one at its end: all the same moment, once.
    check_next(
        "0,30 2,3 * * *",
        "Europe/Berlin",
        "2026-03-29T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"],
    );
    // Half an hour on Lord Howe: 02:00 → 02:30 at 15:30 UTC.
    check_next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    // A whole day: Samoa had no 30 December 2011.
    check_next("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", &["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"]);
}

#[test]
fn a_time_that_comes_twice_runs_the_first_time_only() {
    // 2026-10-25: 03:00 → 02:00 at 01:00 UTC.
    check_next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    check_next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", &["2026-10-26T01:30:00Z"]);
    check_next("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", &["2026-10-26T01:30:00Z"]);
    check_next("0,30 1,2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T00:00:00Z"]);
}

#[test]
fn what_runs_every_hour_follows_real_time() {
    check_next(
        "30 * * * *",
        "Europe/Berlin",
        "2026-10-24T23:45:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
    );
    check_next("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]);
    check_next(
        "*/30 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:45:00Z",
        &["2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:00:00Z"],
    );
}

#[test]
fn nothing_runs_before_the_start() {
    let schedule = Schedule::parse("0 * * * *", "UTC", Some(at("2026-11-25T10:00:00Z"))).expect("good");
    assert_eq!(schedule.next_after(at("2026-11-01T00:00:00Z")), Some(at("2026-11-25T10:00:00Z")));
    assert_eq!(schedule.next_after(at("2026-11-25T10:00:00Z")), Some(at("2026-11-25T11:00:00Z")));
    let within = Schedule::parse("* * * * * *", "UTC", Some(at("2026-11-25T10:00:00.5Z"))).expect("good");
    assert_eq!(within.next_after(at("2026-11-01T00:00:00Z")), Some(at("2026-11-25T10:00:01Z")));
}

#[test]
fn what_is_no_schedule_is_refused_with_a_reason() {
    for (cron, zone, reason) in [
        ("", "UTC", "Invalid cron expression: it is empty"),
        ("0 3 * *", "UTC", "Invalid cron expression: it must have five fields, or six with seconds first"),
        ("0 0 3 * * * 2030", "UTC", "Invalid cron expression: it must have five fields, or six with seconds first"),
        ("0 3 30 2 *", "UTC", "`0 3 30 2 *` never happens"),
        ("0 3 * * *", "Europe/Atlantis", "there is no time zone `Europe/Atlantis`: write an IANA name such as `UTC` or `Europe/Paris`"),
    ] {
        assert_eq!(Schedule::parse(cron, zone, None).expect_err(cron).to_string(), reason);
    }
    for cron in ["61 * * * *", "* 25 * * *", "a b c d e", "*/0 * * * *", "0 3 * * FOO", "5-1 * * * *", "- * * * *", "é * * * *"] {
        assert!(matches!(Schedule::parse(cron, "UTC", None), Err(ScheduleError::Cron(_))), "{cron}");
    }
    assert!(Schedule::parse(&"1,".repeat(200), "UTC", None).is_err());
}

#[test]
fn expressions_have_words() {
    for (cron, words) in [
        ("0 3 * * *", "at 03:00 every day"),
        ("@daily", "at 00:00 every day"),
        ("0 0,12 * * *", "at 00:00 and 12:00 every day"),
        ("0 */4 * * *", "at 00:00, 04:00, 08:00, 12:00, 16:00 and 20:00 every day"),
        ("0 */2 * * *", "every 2 hours"),
        ("15 */2 * * *", "every 2 hours at 15 minutes"),
        ("30 2 * * 0", "at 02:30 on Sunday"),
        ("30 2 * * 7", "at 02:30 on Sunday"),
        ("0 22 * * 1-5", "at 22:00 on Monday to Friday"),
        ("0 22 * * 6,0", "at 22:00 on Saturday and Sunday"),
        ("0 1 1 * *", "at 01:00 on day 1 of every month"),
        ("0 1 1,15 * *", "at 01:00 on days 1 and 15 of every month"),
        ("0 1 1 1 *", "at 01:00 on day 1 in January"),
        ("0 1 * 6-8 *", "at 01:00 every day in June, July and August"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("@hourly", "every hour"),
        ("1 * * * *", "every hour at 1 minute"),
        ("5,35 * * * *", "every hour at 5 and 35 minutes"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("30 0 3 * * *", "at 03:00:30 every day"),
    ] {
        assert_eq!(schedule(cron, "UTC").words(), words, "{cron}");
    }
    for cron in ["0 0 L * *", "0 0 1 * MON", "0 0 * * MON#2", "7-19 3 * * *"] {
        let words = schedule(cron, "UTC").words();
        assert!(words.chars().next().is_some_and(char::is_lowercase) && !words.ends_with('.'), "{words}");
    }
}

#[test]
fn any_number_of_missed_runs_becomes_one() {
    let hourly = schedule("0 * * * *", "UTC");
    let considered = at("2026-11-25T10:00:00Z");
    assert_eq!(due(&hourly, considered, at("2026-11-25T10:59:59Z")), Due { run: None, missed: 0, considered_until: considered });
    let on_time = Due { run: Some(at("2026-11-25T11:00:00Z")), missed: 0, considered_until: at("2026-11-25T11:00:00Z") };
    assert_eq!(due(&hourly, considered, at("2026-11-25T11:00:00Z")), on_time);
    let late = Due { run: Some(at("2026-11-25T15:00:00Z")), missed: 4, considered_until: at("2026-11-25T15:00:00Z") };
    assert_eq!(due(&hourly, considered, at("2026-11-25T15:20:00Z")), late);
    // Away for two years, every second.
    let seconds = due(&schedule("* * * * * *", "UTC"), considered, at("2028-11-25T10:00:00.7Z"));
    assert_eq!((seconds.run, seconds.missed), (Some(at("2028-11-25T10:00:00Z")), MISSED_COUNTED_MAX));
}

#[test]
fn a_clock_that_goes_back_starts_nothing_twice() {
    let hourly = schedule("0 * * * *", "UTC");
    let considered = at("2026-11-25T10:00:00Z");
    for now in ["2026-11-25T09:59:59Z", "2026-11-25T00:00:00Z", "2026-11-24T10:00:00Z"] {
        assert_eq!(due(&hourly, considered, at(now)), Due { run: None, missed: 0, considered_until: considered }, "{now}");
    }
    // It was in 2099 for a moment and is back.
    let back = due(&hourly, at("2099-01-01T00:00:00Z"), at("2026-11-25T10:20:00Z"));
    assert_eq!(back, Due { run: None, missed: 0, considered_until: at("2026-11-25T10:20:00Z") });
}

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Asia/Kathmandu",
];
const CRONS: [&str; 12] = [
    "0 3 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 * * * *",
    "*/15 * * * *",
    "15,45 1-3 * * *",
    "*/20 2 * * *",
    "59 23 L * *",
    "30 1 * * SUN",
    "0 */6 * * *",
    "10 30 2 29 3 *",
    "*/7 1 * 10,11 0",
];

fn a_moment() -> impl Strategy<Value = Timestamp> {
    // 2010 to 2037, and often close to a jump of some zone.
    let anywhere = 1_262_304_000i64..2_114_380_800;
    let jumps = prop::sample::select(vec![
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2011-12-30T10:00:00Z",
        "2026-02-15T02:00:00Z",
    ]);
    prop_oneof![
        anywhere.prop_map(|second| Timestamp::from_second(second).expect("in range")),
        (jumps, -10_000i64..10_000).prop_map(|(jump, by)| Timestamp::from_second(at(jump).as_second() + by).expect("in range")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Where one begins to count makes no difference: the occurrences are one sequence.
    #[test]
    fn occurrences_are_one_rising_sequence(cron in prop::sample::select(&CRONS[..]), zone in prop::sample::select(&ZONES[..]), from in a_moment(), cut in 0.0..1.0f64) {
        let schedule = schedule(cron, zone);
        let next = schedule.next(from, 12);
        prop_assert_eq!(next.len(), 12);
        prop_assert!(next[0] > from && next.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", next);
        let mut before = from;
        for occurrence in next {
            let between = before.as_second() + ((occurrence.as_second() - before.as_second() - 1) as f64 * cut) as i64;
            let between = Timestamp::from_second(between).expect("in range");
            prop_assert_eq!(schedule.next_after(between), Some(occurrence), "from {} on", between);
            before = occurrence;
        }
    }

    /// Each occurrence shows the wall time that the expression asks for, or is the end of a jump over it.
    #[test]
    fn an_occurrence_is_what_the_wall_says_or_the_end_of_a_jump(cron in prop::sample::select(&CRONS[..]), zone in prop::sample::select(&ZONES[..]), from in a_moment()) {
        let schedule = schedule(cron, zone);
        for occurrence in schedule.next(from, 6) {
            let wall = schedule.zone.to_datetime(occurrence);
            let asked_for = schedule.cron.is_time_matching(&wall).expect("a wall time");
            let jump = schedule.zone.following(Timestamp::from_second(occurrence.as_second() - 1).expect("in range")).next();
            prop_assert!(asked_for || jump.is_some_and(|jump| jump.timestamp() == occurrence), "{} is {}", occurrence, wall);
        }
    }

    /// A server that looks at random moments, forgets nothing it settled, and whose clock jumps both ways: every occurrence is run or
    /// told as missed, once.
    #[test]
    fn no_run_is_lost_or_doubled(
        cron in prop::sample::select(&CRONS[..]),
        zone in prop::sample::select(&ZONES[..]),
        from in a_moment(),
        steps in prop::collection::vec(prop_oneof![4 => 1i64..4_000, 2 => 4_000i64..200_000, 1 => -80_000i64..0], 1..40),
    ) {
        let schedule = schedule(cron, zone);
        let (mut now, mut considered, mut furthest) = (from, from, from);
        let (mut runs, mut missed) = (Vec::new(), 0);
        for step in steps {
            now = Timestamp::from_second(now.as_second() + step).expect("in range");
            // A clock that is more than a day behind what was settled is another story.
            now = now.max(Timestamp::from_second(considered.as_second() - 86_400).expect("in range"));
            furthest = furthest.max(now);
            let due = due(&schedule, considered, now);
            prop_assert!(due.considered_until >= considered && due.considered_until <= now.max(considered));
            prop_assert!(due.run.is_none_or(|run| run <= now && run > considered));
            runs.extend(due.run);
            missed += due.missed;
            considered = due.considered_until;
        }
        prop_assert!(runs.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", runs);
        let expected = std::iter::successors(schedule.next_after(from), |last| schedule.next_after(*last)).take_while(|next| *next <= furthest).count();
        prop_assert_eq!(runs.len() + missed as usize, expected);
    }
}
