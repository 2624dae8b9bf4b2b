//! Reads templates in the shape of PMM's files.
//!
//! Taken over are name, summary, description, threshold, duration and severity. What an alert says is our own sentence with the values: annotations with
//! placeholders of Prometheus mean nothing without its labels.

use oplogue_api::alerts::{AlertTemplate, Severity};
use serde::Deserialize;

use super::expression::{self, Limit};
use super::templates;

const YAML_BYTES_MAX: usize = 256 << 10;
const TEMPLATES_MAX: usize = 100;
const NAME_CHARACTERS_MAX: usize = 100;
const TEXT_CHARACTERS_MAX: usize = 2_000;
const FOR_SECONDS_MAX: u64 = 2_678_400;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("this is not YAML in the shape of PMM's alert templates (`templates:` and a list): {0}")]
    Shape(String),
    #[error("it is larger than {} KiB", YAML_BYTES_MAX >> 10)]
    TooLarge,
    #[error("it holds no template")]
    Empty,
    #[error("it holds {0} templates, and {TEMPLATES_MAX} is the limit")]
    TooMany(usize),
    #[error("template `{name}`: {what}")]
    Template { name: String, what: String },
}

#[derive(Deserialize)]
struct File {
    templates: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default = "one")]
    version: u32,
    #[serde(default)]
    summary: String,
    expr: String,
    #[serde(default)]
    params: Vec<Parameter>,
    #[serde(default, rename = "for")]
    duration: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(default)]
    range: Option<(f64, f64)>,
    #[serde(default)]
    value: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(default)]
    description: String,
}

fn one() -> u32 {
    1
}

/// All of them, or the first reason why not.
pub fn templates(yaml: &str) -> Result<Vec<AlertTemplate>, ImportError> {
    if yaml.len() > YAML_BYTES_MAX {
        return Err(ImportError::TooLarge);
    }
    let file: File = serde_saphyr::from_str(yaml).map_err(|error| ImportError::Shape(error.to_string()))?;
    match file.templates.len() {
        0 => return Err(ImportError::Empty),
        count if count > TEMPLATES_MAX => return Err(ImportError::TooMany(count)),
        _ => {}
    }
    let mut read: Vec<AlertTemplate> = Vec::new();
    for entry in file.templates {
        let name = entry.name.clone();
        let template = template(entry).map_err(|what| ImportError::Template { name: name.clone(), what })?;
        if read.iter().any(|earlier| earlier.name == template.name) {
            return Err(ImportError::Template { name, what: "it is there twice".to_owned() });
        }
        read.push(template);
    }
    Ok(read)
}

fn template(entry: Entry) -> Result<AlertTemplate, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if entry.name.is_empty() || entry.name.len() > NAME_CHARACTERS_MAX || !entry.name.chars().all(fits) {
        return Err(format!("a name has letters, digits, `_`, `-` and `.`, at most {NAME_CHARACTERS_MAX}"));
    }
    if entry.version != 1 {
        return Err(format!("version {} is not known; 1 is", entry.version));
    }
    let meaning = expression::meaning(&entry.expr)?;
    let own = templates::of(meaning.condition);
    let (threshold, range) = match &meaning.threshold {
        None => (own.threshold, None),
        Some(Limit::Number(number)) => (*number, None),
        Some(Limit::Parameter(name)) => {
            let parameter = entry
                .params
                .iter()
                .find(|parameter| parameter.name == *name)
                .ok_or_else(|| format!("the parameter `{name}` is not among its `params`"))?;
            let value = parameter.value.ok_or_else(|| format!("the parameter `{name}` has no `value`"))?;
            (value, parameter.range)
        }
    };
    // Their range, as far as ours goes.
    let (min, max) =
        range.map_or((own.threshold_min, own.threshold_max), |(min, max)| (min.max(own.threshold_min), max.min(own.threshold_max)));
    if !threshold.is_finite() || !(min..=max).contains(&threshold) {
        return Err(format!("the threshold {threshold} is not within {min} to {max} {}", own.unit));
    }
    let for_seconds = match &entry.duration {
        None => own.for_seconds,
        Some(text) => seconds(text).ok_or_else(|| format!("`for: {text}` is not a duration like 30s, 1m or 1h30m, of at most 31 days"))?,
    };
    let severity = match &entry.severity {
        None => own.severity,
        Some(word) => {
            severity(word).ok_or_else(|| format!("the severity `{word}` is not known: critical, error, warning, notice, info"))?
        }
    };
    let text = |given: &str, otherwise: String| {
        let given: String = given.trim().chars().take(TEXT_CHARACTERS_MAX).collect();
        if given.is_empty() { otherwise } else { given }
    };
    Ok(AlertTemplate {
        name: entry.name,
        summary: text(&entry.summary, own.summary),
        description: text(&entry.annotations.description, own.description),
        threshold,
        threshold_min: min,
        threshold_max: max,
        for_seconds,
        severity,
        imported: true,
        ..own
    })
}

/// `90s`, `1m`, `1h30m`, `1d`, as Prometheus writes them.
fn seconds(text: &str) -> Option<u32> {
    let (mut total, mut number) = (0_u64, String::new());
    for letter in text.trim().chars() {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let count: u64 = number.parse().ok()?;
        number.clear();
        total = total.checked_add(count.checked_mul(unit)?)?;
    }
    let complete = number.is_empty() || (text.trim() == "0" && total == 0);
    (complete && !text.trim().is_empty() && total <= FOR_SECONDS_MAX).then_some(total as u32)
}

fn severity(word: &str) -> Option<Severity> {
    match word.trim().to_ascii_lowercase().as_str() {
        "emergency" | "alert" | "critical" => Some(Severity::Critical),
        "error" => Some(Severity::Error),
        "warning" => Some(Severity::Warning),
        "notice" | "info" | "debug" => Some(Severity::Info),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use oplogue_api::alerts::Condition;

    use super::*;

    const TWO: &str = r#"
---
templates:
  - name: pmm_backup_error
    version: 1
    summary: Backup failed
    expr: |-
      pmm_managed_backups_artifacts{status="error"} == bool 1
    for: 1m
    severity: error
    annotations:
      summary: Backup failed ({{ $labels.service_id }})
      description: |-
        Failed to create a backup artifact.
  - name: backup_stale
    version: 1
    summary: Backup stale
    tiers: [anonymous]
    expr: time() - mongodb_pbm_backup_last_transition_ts{status="done"} > [[ .threshold ]]
    params:
      - name: threshold
        summary: A limit
        unit: s
        type: float
        range: [0, 2678400]
        value: 86400
    for: 1h30m
    severity: alert
"#;

    #[test]
    fn templates_in_the_shape_of_pmm_become_ours() {
        let read = templates(TWO).expect("both are understood");
        let told: Vec<_> =
            read.iter().map(|one| (one.name.as_str(), one.condition, one.threshold, one.for_seconds, one.severity)).collect();
        assert_eq!(
            told,
            [
                ("pmm_backup_error", Condition::BackupFailed, 0.0, 60, Severity::Error),
                ("backup_stale", Condition::RestorePointOld, 86_400.0, 5_400, Severity::Critical),
            ]
        );
        assert!(read.iter().all(|one| one.imported));
        assert_eq!((read[0].description.as_str(), read[1].threshold_min), ("Failed to create a backup artifact.", 30.0));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name_and_reason() {
        let with = |from: &str, to: &str| templates(&TWO.replace(from, to)).expect_err(to).to_string();
        assert!(
            with("pmm_managed_backups_artifacts", "up")
                .starts_with("template `pmm_backup_error`: the expression `up{status=\"error\"} == bool 1` is none of")
        );
        for (from, to, part) in [
            ("version: 1\n    summary: Backup stale", "version: 9\n    summary: x", "version 9"),
            ("- name: threshold", "- name: other", "the parameter `threshold` is not among"),
            ("value: 86400", "value: -3", "the threshold -3 is not within 30 to 2678400 seconds"),
            ("for: 1m", "for: soon", "`for: soon`"),
            ("severity: alert", "severity: bad", "the severity `bad`"),
            ("name: backup_stale", "name: pmm_backup_error", "it is there twice"),
            ("name: backup_stale", "name: a/b", "a name has letters"),
            ("templates:", "rules:", "not YAML in the shape"),
            ("templates:", "templates: [[[", "not YAML in the shape"),
        ] {
            let error = with(from, to);
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(templates("templates: []").expect_err("empty").to_string(), "it holds no template");
        assert_eq!(templates(&" ".repeat(YAML_BYTES_MAX + 1)), Err(ImportError::TooLarge));
    }

    #[test]
    fn durations_are_read_as_prometheus_writes_them() {
        for (text, expected) in [
            ("1m", Some(60)),
            ("1h30m", Some(5_400)),
            ("0s", Some(0)),
            ("0", Some(0)),
            ("31d", Some(2_678_400)),
            ("32d", None),
            ("5", None),
            ("", None),
            ("m", None),
            ("1y", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
