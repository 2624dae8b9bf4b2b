//! Which backups are shown: the part of the URL behind the question mark.

use oplogue_api::backups::{Backup, BackupMode, BackupStatus};
use serde::{Deserialize, Serialize};

use crate::typed::word;
use crate::urls::Query;

/// Every field is blank for "all".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupsFilter {
    /// A [`BackupStatus`].
    pub status: String,
    /// A part of the name, whatever its case.
    pub name: String,
    /// A part of the service's name or of the cluster label.
    pub service: String,
    /// A [`BackupMode`].
    pub mode: String,
    pub location_id: String,
    /// A cluster label, exactly.
    pub cluster: String,
    /// `name`, `created` or `size`, with a `-` before it for the other way round; the newest first when blank.
    pub sort: String,
    /// Where the page before ended.
    pub after: String,
}

impl BackupsFilter {
    /// Whether a row belongs to what is asked for.
    pub fn matches(&self, backup: &Backup) -> bool {
        let is = |wanted: &str, have: &str| wanted.is_empty() || wanted == have;
        let holds = |wanted: &str, have: &str| have.to_lowercase().contains(&wanted.trim().to_lowercase());
        let service = backup.service_name.as_deref().unwrap_or_default();
        let cluster = backup.cluster.as_deref().unwrap_or_default();
        is(&self.status, &word::<BackupStatus>(&backup.status))
            && is(&self.mode, &word::<BackupMode>(&backup.mode))
            && is(&self.location_id, &backup.location_id)
            && is(&self.cluster, cluster)
            && holds(&self.name, &backup.name)
            && (holds(&self.service, service) || holds(&self.service, cluster))
    }

    /// Nothing is left out.
    pub fn is_empty(&self) -> bool {
        Self { after: String::new(), sort: String::new(), ..self.clone() } == Self::default()
    }

    /// Puts rows in the order that is asked for.
    pub fn sort(&self, rows: &mut [Backup]) {
        let newest_first = |a: &Backup, b: &Backup| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id));
        let (key, down) = self.sort.strip_prefix('-').map_or((self.sort.as_str(), false), |key| (key, true));
        rows.sort_by(|a, b| {
            let order = match key {
                "name" => a.name.cmp(&b.name),
                "size" => a.bytes.cmp(&b.bytes),
                "created" => a.created_at.cmp(&b.created_at),
                _ => std::cmp::Ordering::Equal,
            };
            let order = if down { order.reverse() } else { order };
            order.then_with(|| newest_first(a, b))
        });
    }

    /// The same as a URL has it.
    pub fn query(&self) -> Query {
        Query::new()
            .with("status", &self.status)
            .with("name", &self.name)
            .with("service", &self.service)
            .with("mode", &self.mode)
            .with("location_id", &self.location_id)
            .with("cluster", &self.cluster)
            .with("sort", &self.sort)
            .with("after", &self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::world;

    fn names(filter: &BackupsFilter) -> Vec<String> {
        let mut rows = world::backups().into_iter().filter(|row| filter.matches(row)).collect::<Vec<_>>();
        filter.sort(&mut rows);
        rows.into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn every_part_of_the_filter_narrows_the_list() {
        assert_eq!(names(&BackupsFilter::default()).len(), world::backups().len());
        assert_eq!(names(&BackupsFilter { status: "error".into(), ..Default::default() }), ["failed"]);
        assert_eq!(names(&BackupsFilter { name: "HOURLY".into(), ..Default::default() }), ["failed"]);
        assert_eq!(names(&BackupsFilter { service: "billing".into(), ..Default::default() }), ["failed"]);
        assert_eq!(names(&BackupsFilter { mode: "pitr".into(), ..Default::default() }).len(), 1);
        assert_eq!(names(&BackupsFilter { location_id: "loc-nas".into(), ..Default::default() }), ["found", "invalid"]);
        assert!(names(&BackupsFilter { status: "no such status".into(), ..Default::default() }).is_empty());
    }

    #[test]
    fn the_newest_comes_first_unless_asked_otherwise() {
        assert_eq!(names(&BackupsFilter::default()).first().map(String::as_str), Some("pending"));
        let oldest = names(&BackupsFilter { sort: "created".into(), ..Default::default() });
        assert_eq!(oldest.first().map(String::as_str), Some("found"));
        let largest =
            names(&BackupsFilter { sort: "-size".into(), mode: "snapshot".into(), status: "in_progress".into(), ..Default::default() });
        assert_eq!(largest, ["running"]);
    }
}
