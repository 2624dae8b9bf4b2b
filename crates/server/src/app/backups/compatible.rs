//! Which services a backup can be restored to.
//!
//! Data is understood by servers of its own version and newer: what counts are the first two numbers of the feature compatibility version, not the text of the server's
//! version. The restore's plan looks again, more closely.

use oplogue_api::restores::CompatibleService;
use oplogue_api::services::{MemberRole, Service};

use super::BackupId;
use super::list::Source;
use crate::app::{App, AppError};

impl App {
    /// All services, those that fit first, the backup's own cluster before the others.
    pub fn compatible_services(&self, id: &str) -> Result<Vec<CompatibleService>, AppError> {
        let wanted = BackupId::parse(id)?;
        let everything = self.everything()?;
        let source = everything.sources().find(|source| source.key() == wanted.key()).ok_or_else(|| AppError::not_found("backup", id))?;
        let base = match &source {
            Source::OnStorage { backup, .. } => Some(*backup),
            Source::Oplog { view: Some(view), .. } => {
                let newest = view.timeline.cluster.last().map(|range| range.newer_bases.last().unwrap_or(&range.base));
                newest.and_then(|name| view.catalog.backup(name))
            }
            Source::Oplog { view: None, .. } | Source::Made(_) => None,
        };
        let version =
            base.map(|base| if base.fcv.is_empty() { base.mongodb_version.as_str() } else { base.fcv.as_str() }).unwrap_or_default();
        let cluster = everything.cluster(&source);
        let mut services: Vec<CompatibleService> =
            self.services()?.into_iter().map(|service| compatible(service, version, cluster)).collect();
        services.sort_by(|one, other| {
            (one.refusal.is_some(), !one.same, &one.service_name).cmp(&(other.refusal.is_some(), !other.same, &other.service_name))
        });
        Ok(services)
    }
}

fn compatible(service: Service, version: &str, cluster: Option<&str>) -> CompatibleService {
    CompatibleService {
        same: cluster.is_some() && service.cluster.as_deref() == cluster,
        refusal: refusal(&service, version),
        service_id: service.id,
        service_name: service.name,
        cluster: service.cluster,
        replica_set: service.replica_set,
        mongodb_version: service.mongodb_version,
    }
}

fn refusal(service: &Service, version: &str) -> Option<String> {
    if service.role == MemberRole::Arbiter {
        return Some("an arbiter holds no data".to_owned());
    }
    let target = if service.fcv.is_empty() { &service.mongodb_version } else { &service.fcv };
    match (series(version), series(target)) {
        (Some(data), Some(server)) if server < data => Some(format!(
            "the backup is of MongoDB {version}, and this server's feature compatibility version is {target}: it is older than the data"
        )),
        // What is not known is left to the plan.
        _ => None,
    }
}

/// `6.0` of `6.0.5` or of `6.0`.
fn series(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_levels_do_not_matter_and_older_servers_do_not_fit() {
        for (data, server, fits) in [
            ("6.0.5", "6.0.9", true),
            ("6.0", "6.0.1", true),
            ("5.0.3", "6.0.1", true),
            ("6.0", "5.0.20", false),
            ("10.0", "9.9", false),
            ("", "4.2.1", true),
        ] {
            let too_old = matches!((series(data), series(server)), (Some(data), Some(server)) if server < data);
            assert_eq!(!too_old, fits, "{data} on {server}");
        }
    }
}
