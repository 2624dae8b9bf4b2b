//! What was measured, and how it is shown: ours, the ceiling, and the ratio of the two.

use serde_json::{Value, json};

/// The values of one measurement, one per run.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<f64>);

impl From<Vec<f64>> for Samples {
    fn from(values: Vec<f64>) -> Self {
        Self(values)
    }
}

impl Samples {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle value; of an even number the mean of the two in the middle. `None` without any.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(sorted[middle]),
            _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        }
    }

    /// The largest value; 0 without any.
    pub fn largest(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

/// A rate of ours and what it is measured against.
#[derive(Debug)]
pub struct Rate {
    /// What we did.
    pub ours: (&'static str, Samples),
    pub unit: &'static str,
    /// What the ceiling, or another program, did.
    pub ceiling: (&'static str, Samples),
    pub wanted: Wanted,
}

/// What the ratio should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    Anything,
    AtLeast(f64),
    AtMost(f64),
}

impl Wanted {
    fn words(self) -> String {
        match self {
            Self::Anything => String::new(),
            Self::AtLeast(ratio) => format!("≥ {ratio:.2}"),
            Self::AtMost(ratio) => format!("≤ {ratio:.2}"),
        }
    }
}

impl Rate {
    /// Ours, the ceiling, and ours as a part of it.
    fn values(&self) -> [f64; 3] {
        let [ours, ceiling] = [&self.ours.1, &self.ceiling.1].map(|samples| samples.median().unwrap_or_default());
        [ours, ceiling, if ceiling > 0.0 { ours / ceiling } else { 0.0 }]
    }
}

/// What one kind of process, or of work of the bench itself, used.
#[derive(Debug, Default)]
pub struct Usage {
    pub what: &'static str,
    pub seconds: Samples,
    pub cpu_seconds: Samples,
    /// Of the server it talked to.
    pub server_cpu_seconds: Samples,
    /// Of a process of its own; none for what the bench does itself.
    pub peak_bytes: Samples,
}

/// Everything.
#[derive(Debug)]
pub struct Figures {
    /// Name and value of what the numbers depend on.
    pub conditions: Vec<(&'static str, String)>,
    pub rates: Vec<Rate>,
    pub usage: Vec<Usage>,
    /// What a reader of the numbers should know.
    pub notes: Vec<String>,
}

impl Figures {
    /// For people.
    pub fn text(&self) -> String {
        let mut text: String = self.conditions.iter().map(|(name, value)| format!("{name:<9} {value}\n")).collect();
        let mut rows = vec![["ours", "value", "beside", "ratio", "wanted", "what stands beside it"].map(String::from)];
        for rate in &self.rates {
            let [ours, ceiling, ratio] = rate.values();
            rows.push([
                rate.ours.0.to_owned(),
                format!("{} {}", count(ours), rate.unit),
                format!("{} {}", count(ceiling), rate.unit),
                format!("{ratio:.2}"),
                rate.wanted.words(),
                rate.ceiling.0.to_owned(),
            ]);
        }
        text.push_str(&format!("\n{}", table(&rows, true)));
        let mut rows = vec![["process", "peak memory", "time", "CPU", "CPU of its server"].map(String::from)];
        for usage in &self.usage {
            let seconds = |samples: &Samples| format!("{:.1} s", samples.median().unwrap_or_default());
            let peak = usage.peak_bytes.median().map(|_| format!("{:.0} MiB", usage.peak_bytes.largest() / f64::from(1 << 20)));
            let [took, cpu, server_cpu] = [&usage.seconds, &usage.cpu_seconds, &usage.server_cpu_seconds].map(seconds);
            rows.push([usage.what.to_owned(), peak.unwrap_or_default(), took, cpu, server_cpu]);
        }
        text.push_str(&format!("\n{}", table(&rows, false)));
        text.extend(self.notes.iter().map(|note| format!("\n{note}\n")));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let conditions: serde_json::Map<String, Value> =
            self.conditions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let rates = self.rates.iter().map(|rate| {
            let [ours, ceiling, ratio] = rate.values();
            json!({ "what": rate.ours.0, "unit": rate.unit, "ours": ours, "ceiling": ceiling, "ratio": ratio,
                "wanted": rate.wanted.words(), "ceiling_is": rate.ceiling.0, "runs": rate.ours.1.0, "ceiling_runs": rate.ceiling.1.0 })
        });
        let usage = self.usage.iter().map(|usage| {
            json!({ "command": usage.what, "peak_memory_bytes": usage.peak_bytes.median().map(|_| usage.peak_bytes.largest()),
                "seconds": usage.seconds.median(), "cpu_seconds": usage.cpu_seconds.median(),
                "server_cpu_seconds": usage.server_cpu_seconds.median() })
        });
        json!({ "conditions": conditions, "rates": rates.collect::<Vec<_>>(), "processes": usage.collect::<Vec<_>>(), "notes": self.notes })
    }
}

/// `11,900`; with a decimal where there are few digits.
pub fn count(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Words to the left, numbers to the right: the first column holds words, and the last if it is said so.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]], words_last: bool) -> String {
    let widths: Vec<usize> =
        (0..COLUMNS).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let left = column == 0 || (column == COLUMNS - 1 && words_last);
            if left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        for (values, expected) in [(vec![], None), (vec![3.0], Some(3.0)), (vec![9.0, 1.0, 4.0], Some(4.0)), (vec![1.0, 2.0], Some(1.5))] {
            assert_eq!(Samples(values.clone()).median(), expected, "{values:?}");
        }
    }

    #[test]
    fn numbers_are_readable() {
        for (value, expected) in [(0.25, "0.2"), (10.4, "10"), (999.6, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(count(value), expected);
        }
    }

    #[test]
    fn a_rate_is_shown_with_its_ceiling_and_the_ratio() {
        let rate = Rate {
            ours: ("snapshot", Samples(vec![50.0, 70.0])),
            unit: "MB/s",
            ceiling: ("reading", Samples(vec![120.0])),
            wanted: Wanted::AtLeast(0.7),
        };
        let figures =
            Figures { conditions: vec![("machine", "2 cores".into())], rates: vec![rate], usage: Vec::new(), notes: vec!["a note".into()] };
        let text = figures.text();
        assert!(text.contains("machine   2 cores") && text.contains("snapshot  60 MB/s  120 MB/s   0.50  ≥ 0.70  reading"), "{text}");
        assert_eq!(figures.json()["rates"][0]["ratio"], 0.5);
    }
}
