//! Times during which alerts are shown and nobody is told.

use jiff::Timestamp;

use super::Finding;

/// An absent filter covers all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    pub rule_id: Option<String>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub until: Timestamp,
}

impl Silence {
    pub fn covers(&self, rule_id: &str, finding: &Finding, now: Timestamp) -> bool {
        let fits = |wanted: &Option<String>, there: Option<&str>| wanted.as_deref().is_none_or(|wanted| there == Some(wanted));
        now < self.until
            && fits(&self.rule_id, Some(rule_id))
            && fits(&self.cluster, finding.cluster.as_deref())
            && fits(&self.service, finding.service.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::About;

    #[test]
    fn a_silence_covers_what_all_its_filters_fit_until_it_ends() {
        let at = |second: i64| Timestamp::from_second(second).expect("a small number");
        let finding = Finding {
            name: "db1".to_owned(),
            summary: String::new(),
            cluster: Some("shop".to_owned()),
            service: Some("db1".to_owned()),
            about: About::Service("srv_1".to_owned()),
        };
        let some = |text: &str| Some(text.to_owned());
        for (rule_id, cluster, service, now, covered) in [
            (None, None, None, 9, true),
            (None, None, None, 10, false),
            (some("r"), None, None, 9, true),
            (some("other"), None, None, 9, false),
            (some("r"), some("shop"), some("db1"), 9, true),
            (None, some("shop"), some("db2"), 9, false),
            (None, some("other"), None, 9, false),
        ] {
            let silence = Silence { rule_id, cluster, service, until: at(10) };
            assert_eq!(silence.covers("r", &finding, at(now)), covered, "{silence:?}");
        }
        let of_location = Finding { cluster: None, service: None, ..finding };
        let silence = Silence { rule_id: None, cluster: some("shop"), service: None, until: at(10) };
        assert!(!silence.covers("r", &of_location, at(9)));
    }
}
