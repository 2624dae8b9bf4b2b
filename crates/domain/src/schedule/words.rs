//! A cron expression as a sentence.

use croner::{Cron, CronComponent};

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// More times than this are told as a rule, not one by one.
const TIMES_LISTED_MAX: usize = 6;

/// `at 03:00 every day`, `every 15 minutes on Saturday and Sunday`. What has no short sentence gets the parser's long one.
pub(super) fn words(cron: &Cron) -> String {
    short(cron).unwrap_or_else(|| {
        let long = cron.pattern.describe();
        let mut letters = long.trim_end_matches('.').chars();
        letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
    })
}

fn short(cron: &Cron) -> Option<String> {
    let pattern = &cron.pattern;
    if pattern.days.has_modifiers() || pattern.days_of_week.has_modifiers() {
        return None;
    }
    let (time, is_a_time_of_day) = time(&pattern.seconds.values(), &pattern.minutes, &pattern.hours)?;
    let months = pattern.months.values();
    let month =
        if months.len() == 12 { None } else { Some(list(months.iter().map(|month| MONTHS[usize::from(month - 1) % 12].to_owned()))) };
    let day = match (pattern.is_dom_wildcard(), pattern.is_dow_wildcard()) {
        (true, true) => None,
        (true, false) => Some(format!("on {}", weekdays(&pattern.days_of_week))),
        (false, true) => {
            let days = pattern.days.values();
            let word = if days.len() == 1 { "day" } else { "days" };
            let of = if month.is_some() { "" } else { " of every month" };
            Some(format!("on {word} {}{of}", list(days.iter().map(u16::to_string))))
        }
        // Either of the two, or both: the long sentence says which.
        (false, false) => return None,
    };
    let mut sentence = time;
    match day {
        Some(day) => sentence = format!("{sentence} {day}"),
        None if is_a_time_of_day => sentence.push_str(" every day"),
        None => {}
    }
    Some(match month {
        Some(month) => format!("{sentence} in {month}"),
        None => sentence,
    })
}

/// With whether it names times of the day.
fn time(seconds: &[u16], minutes: &CronComponent, hours: &CronComponent) -> Option<(String, bool)> {
    let all_hours = hours.values().len() == 24;
    let minute = minutes.values();
    if seconds.len() == 60 && minute.len() == 60 && all_hours {
        return Some(("every second".to_owned(), false));
    }
    if let (Some(every), true, true) = (interval(seconds, 60), minute.len() == 60, all_hours) {
        return Some((format!("every {every} seconds"), false));
    }
    let [second] = seconds else { return None };
    let at_second = if *second == 0 { String::new() } else { format!(" and {second} {}", plural(*second, "second")) };
    if all_hours {
        if minute.len() == 60 {
            let tail = if *second == 0 { String::new() } else { format!(" at second {second}") };
            return Some((format!("every minute{tail}"), false));
        }
        if let (Some(every), 0) = (interval(&minute, 60), *second) {
            return Some((format!("every {every} minutes"), false));
        }
        return match (minute.as_slice(), *second) {
            ([0], 0) => Some(("every hour".to_owned(), false)),
            ([one], _) => Some((format!("every hour at {one} {}{at_second}", plural(*one, "minute")), false)),
            (several, 0) => Some((format!("every hour at {} minutes", list(several.iter().map(u16::to_string))), false)),
            _ => None,
        };
    }
    let hour = hours.values();
    let clock = |hour: u16, minute: u16| {
        if *second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
    };
    if hour.len() * minute.len() <= TIMES_LISTED_MAX {
        let times = hour.iter().flat_map(|hour| minute.iter().map(|minute| clock(*hour, *minute)));
        return Some((format!("at {}", list(times)), true));
    }
    match (interval(&hour, 24), minute.as_slice(), *second) {
        (Some(every), [0], 0) => Some((format!("every {every} hours"), false)),
        (Some(every), [one], _) => Some((format!("every {every} hours at {one} {}{at_second}", plural(*one, "minute")), false)),
        _ => None,
    }
}

/// `Some(15)` for 0, 15, 30, 45 of 60.
fn interval(values: &[u16], of: u16) -> Option<u16> {
    let [first, second, ..] = values else { return None };
    let every = second - first;
    let even = *first == 0 && of.is_multiple_of(every) && values.len() == usize::from(of / every);
    (even && every > 1 && values.windows(2).all(|pair| pair[1] - pair[0] == every)).then_some(every)
}

fn weekdays(days: &CronComponent) -> String {
    let mut days: Vec<u16> = days.values().into_iter().map(|day| day % 7).collect();
    days.sort_unstable();
    days.dedup();
    let name = |day: u16| WEEKDAYS[usize::from(day) % 7].to_owned();
    match days.as_slice() {
        [1, 2, 3, 4, 5] => "Monday to Friday".to_owned(),
        [0, rest @ ..] if !rest.is_empty() => list(rest.iter().copied().chain([0]).map(name)),
        _ => list(days.into_iter().map(name)),
    }
}

/// `a, b and c`
fn list(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        Some(last) => last,
        None => String::new(),
    }
}

fn plural(count: u16, one: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{one}s") }
}
