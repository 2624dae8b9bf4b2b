//! Which expressions of alert templates are understood: those that say what one of our conditions says.
//!
//! An expression is read as `[time() -] metric [comparison number]`, with an aggregation (`max by (cluster) (…)`) around the metric where it changes
//! nothing. Anything else is refused: a rule that looks at something else than its template said would be worse than none.

use oplogue_api::alerts::Condition;

/// What an expression means here.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    pub condition: Condition,
    /// The number it compares with, when the condition has a threshold; `None`: our default.
    pub threshold: Option<Limit>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    Number(f64),
    /// `[[ .name ]]`: a parameter of the template.
    Parameter(String),
}

struct Known {
    /// Without blanks; `AGE ` before it stands for `time() -`.
    left: &'static str,
    comparisons: &'static [&'static str],
    condition: Condition,
    /// The number is the threshold; otherwise it must be 0 or 1, as in `== 1`, `> 0`.
    is_threshold: bool,
}

const IS_SET: &[&str] = &["==1", ">0", ">=1", "!=0"];
const IS_NOT_SET: &[&str] = &["==0", "<1", "!=1", "<=0"];

const KNOWN: &[Known] = &[
    // PMM's own, and those for PBM's exporter.
    Known {
        left: "pmm_managed_backups_artifacts{status=\"error\"}",
        comparisons: IS_SET,
        condition: Condition::BackupFailed,
        is_threshold: false,
    },
    Known {
        left: "mongodb_pbm_backup_size_bytes{status=\"error\"}",
        comparisons: IS_SET,
        condition: Condition::BackupFailed,
        is_threshold: false,
    },
    Known {
        left: "AGE mongodb_pbm_backup_last_transition_ts{status=\"done\"}",
        comparisons: &[">", ">="],
        condition: Condition::RestorePointOld,
        is_threshold: true,
    },
    Known { left: "mongodb_pbm_agent_status", comparisons: IS_SET, condition: Condition::AgentDown, is_threshold: false },
    // Ours.
    Known { left: "oplogue_backup_last_run_failed", comparisons: IS_SET, condition: Condition::BackupFailed, is_threshold: false },
    Known { left: "oplogue_artifacts{status=\"error\"}", comparisons: IS_SET, condition: Condition::BackupFailed, is_threshold: false },
    Known {
        left: "AGE oplogue_newest_restorable_timestamp_seconds",
        comparisons: &[">", ">="],
        condition: Condition::RestorePointOld,
        is_threshold: true,
    },
    Known {
        left: "AGE oplogue_newest_stored_timestamp_seconds",
        comparisons: &[">", ">="],
        condition: Condition::SlicingStalled,
        is_threshold: true,
    },
    Known { left: "oplogue_slice_lag_seconds", comparisons: &[">", ">="], condition: Condition::SlicingStalled, is_threshold: true },
    Known { left: "oplogue_gaps", comparisons: IS_SET, condition: Condition::Gap, is_threshold: false },
    Known { left: "oplogue_slice_headroom_seconds", comparisons: &["<", "<="], condition: Condition::OplogWindowShort, is_threshold: true },
    Known { left: "oplogue_oplog_window_seconds", comparisons: &["<", "<="], condition: Condition::OplogWindowShort, is_threshold: true },
    Known { left: "oplogue_agent_online", comparisons: IS_NOT_SET, condition: Condition::AgentDown, is_threshold: false },
    Known {
        left: "AGE oplogue_agent_last_seen_timestamp_seconds",
        comparisons: &[">", ">="],
        condition: Condition::AgentDown,
        is_threshold: true,
    },
    Known { left: "oplogue_storage_reachable", comparisons: IS_NOT_SET, condition: Condition::StorageUnreachable, is_threshold: false },
    Known { left: "oplogue_damaged_objects", comparisons: IS_SET, condition: Condition::VerifyFailed, is_threshold: false },
    Known { left: "delta(oplogue_stored_bytes[1d])", comparisons: &[">", ">="], condition: Condition::StorageGrowth, is_threshold: true },
    Known {
        left: "increase(oplogue_stored_bytes[1d])",
        comparisons: &[">", ">="],
        condition: Condition::StorageGrowth,
        is_threshold: true,
    },
];

/// # Errors
/// What is understood, for people.
pub fn meaning(expression: &str) -> Result<Meaning, String> {
    let text = without_blanks(expression);
    let refused = || {
        let ours: Vec<String> = KNOWN.iter().map(shown).collect();
        format!("the expression `{}` is none of those understood here: {}", expression.trim(), ours.join("; "))
    };
    let (left, comparison, right) = split(&text).ok_or_else(refused)?;
    let left = match left.strip_prefix("time()-") {
        Some(rest) => format!("AGE {}", bare(rest)),
        None => match bare(left).strip_prefix("time()-") {
            Some(rest) => format!("AGE {}", bare(rest)),
            None => bare(left).to_owned(),
        },
    };
    let known = KNOWN.iter().find(|known| known.left == left && fits(known, comparison, right)).ok_or_else(refused)?;
    let threshold = if known.is_threshold { Some(limit(right).ok_or_else(refused)?) } else { None };
    Ok(Meaning { condition: known.condition, threshold })
}

fn fits(known: &Known, comparison: &str, right: &str) -> bool {
    if known.is_threshold {
        known.comparisons.contains(&comparison)
    } else {
        known.comparisons.contains(&format!("{comparison}{right}").as_str())
    }
}

fn shown(known: &Known) -> String {
    let left = known.left.replace("AGE ", "time() - ");
    let comparison = known.comparisons.first().copied().unwrap_or_default();
    if known.is_threshold { format!("{left} {comparison} NUMBER") } else { format!("{left} {comparison}") }
}

/// Blanks outside quotes and between words that need none.
fn without_blanks(text: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        quoted ^= letter == '"';
        if quoted || !letter.is_whitespace() {
            out.push(letter);
        }
    }
    // A trailing comma in a selector means nothing.
    out.replace(",}", "}").replace("==bool", "==").replace(">bool", ">").replace("<bool", "<")
}

/// At the first comparison outside braces and quotes. Of a template with more than one, the rest cannot be a number and is refused.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (mut depth, mut quoted) = (0_i32, false);
    for (index, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '=' | '!' | '<' | '>' if depth == 0 => {
                let length = if text[index + 1..].starts_with('=') { 2 } else { 1 };
                let (left, rest) = text.split_at(index);
                let (comparison, right) = rest.split_at(length);
                return Some((closed(left)?, comparison, right));
            }
            _ => {}
        }
    }
    None
}

/// Every bracket that was opened is closed: the comparison does not stand inside of something.
fn closed(text: &str) -> Option<&str> {
    (text.matches('(').count() == text.matches(')').count()).then_some(text)
}

/// Takes away brackets and aggregations around it, and the labels they keep.
fn bare(text: &str) -> &str {
    let mut text = text;
    loop {
        let before = text;
        for aggregation in ["max", "min", "sum", "count", "avg"] {
            let Some(rest) = text.strip_prefix(aggregation) else { continue };
            let rest = ["by(", "without("]
                .iter()
                .find_map(|word| rest.strip_prefix(word))
                .and_then(|rest| rest.split_once(')'))
                .map_or(rest, |(_, rest)| rest);
            if let Some(inner) = enclosed(rest) {
                text = inner;
            }
        }
        text = enclosed(text).unwrap_or(text);
        if text == before {
            return text;
        }
    }
}

/// What stands between the first bracket and the last, when these two belong together. `max(…) by (…)` is read, too.
fn enclosed(text: &str) -> Option<&str> {
    let mut depth = 0_i32;
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let rest = &text[index + letter.len_utf8()..];
            let labels =
                ["by(", "without("].iter().any(|word| rest.starts_with(word)) && rest.ends_with(')') && rest.matches('(').count() == 1;
            return (letter == ')' && (rest.is_empty() || labels)).then(|| &text[1..index]);
        }
    }
    None
}

fn limit(text: &str) -> Option<Limit> {
    if let Some(name) = text.strip_prefix("[[.").and_then(|rest| rest.strip_suffix("]]")) {
        return Some(Limit::Parameter(name.to_owned()));
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Limit::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_say_what_a_condition_says_are_understood() {
        let number = |number: f64| Some(Limit::Number(number));
        let parameter = || Some(Limit::Parameter("threshold".to_owned()));
        for (text, condition, threshold) in [
            ("pmm_managed_backups_artifacts{status=\"error\"} == bool 1", Condition::BackupFailed, None),
            ("pmm_managed_backups_artifacts{ status = \"error\" }\n  == 1", Condition::BackupFailed, None),
            ("count by (cluster, name) (mongodb_pbm_backup_size_bytes{status=\"error\"}) > 0", Condition::BackupFailed, None),
            ("time() - mongodb_pbm_backup_last_transition_ts{status=\"done\"} > [[ .threshold ]]", Condition::RestorePointOld, parameter()),
            (
                "time() - max by (cluster) (mongodb_pbm_backup_last_transition_ts{status=\"done\"}) > 86400",
                Condition::RestorePointOld,
                number(86_400.0),
            ),
            ("min(time() - oplogue_newest_restorable_timestamp_seconds) by (cluster) > 900", Condition::RestorePointOld, number(900.0)),
            ("(oplogue_slice_lag_seconds) >= [[ .threshold ]]", Condition::SlicingStalled, parameter()),
            ("sum(oplogue_gaps) > 0", Condition::Gap, None),
            ("oplogue_slice_headroom_seconds < 3600", Condition::OplogWindowShort, number(3_600.0)),
            ("oplogue_agent_online == bool 0", Condition::AgentDown, None),
            ("time() - oplogue_agent_last_seen_timestamp_seconds > 1.5e2", Condition::AgentDown, number(150.0)),
            ("oplogue_storage_reachable < 1", Condition::StorageUnreachable, None),
            ("oplogue_damaged_objects > 0", Condition::VerifyFailed, None),
            ("delta(oplogue_stored_bytes[1d]) > 1000000", Condition::StorageGrowth, number(1_000_000.0)),
        ] {
            assert_eq!(meaning(text), Ok(Meaning { condition, threshold }), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_is_understood() {
        for text in [
            "",
            "up == 0",
            "oplogue_gaps",
            "oplogue_gaps > 5",
            "oplogue_gaps{cluster=\"shop\"} > 0",
            "oplogue_gaps > 0 and oplogue_agent_online == 0",
            "oplogue_slice_headroom_seconds > 3600",
            "oplogue_slice_lag_seconds > oplogue_slice_headroom_seconds",
            "pmm_managed_backups_artifacts{status=\"success\"} == 1",
            "absent(oplogue_gaps > 0)",
            "((((oplogue_gaps > 0",
            "time() - oplogue_gaps > 0",
        ] {
            let error = meaning(text).expect_err(text);
            assert!(error.contains("oplogue_slice_lag_seconds > NUMBER"), "{error}");
        }
    }
}
