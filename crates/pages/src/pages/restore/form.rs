//! What the wizard's form sends, as typed; and the same as a query and as what the API takes.

use oplogue_api::restores::{RestoreInput, RestoreMoment};
use oplogue_domain::OplogTime;
use serde::Deserialize;

use crate::components::timeline_strip::Window;
use crate::urls::Query;
use crate::{typed, urls};

/// `kind`: `time` (default), `before`, `latest` or `backup`. `moment` is for the first two, `backup` for the last. `namespaces` and
/// `renames` have one entry a line. `from` and `to` are the window of the timeline. `intent`: `check` or `plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RestoreForm {
    pub csrf: String,
    pub intent: String,
    pub location_id: String,
    pub folder: String,
    pub kind: String,
    pub moment: String,
    pub backup: String,
    pub service_id: String,
    pub namespaces: String,
    pub renames: String,
    pub users_and_roles: String,
    pub source_replica_set: String,
    pub from: String,
    pub to: String,
}

impl RestoreForm {
    /// The kind of moment: as chosen, or what the fields that are set mean.
    pub fn moment_kind(&self) -> &str {
        match self.kind.as_str() {
            "" if !self.backup.is_empty() && self.moment.is_empty() => "backup",
            "" => "time",
            kind => kind,
        }
    }

    /// What the API takes. Moments are checked by the server, which knows what there is.
    pub fn input(&self) -> RestoreInput {
        let moment = self.moment.trim().to_owned();
        RestoreInput {
            service_id: self.service_id.clone(),
            location_id: self.location_id.clone(),
            folder: self.folder.clone(),
            moment: match self.moment_kind() {
                "backup" => RestoreMoment::Backup(self.backup.clone()),
                "before" => RestoreMoment::Before(moment),
                "latest" => RestoreMoment::Latest,
                _ => RestoreMoment::Time(moment),
            },
            namespaces: typed::lines(&self.namespaces),
            renames: typed::lines(&self.renames),
            users_and_roles: typed::checked(&self.users_and_roles),
            source_replica_set: typed::optional(&self.source_replica_set),
        }
    }

    /// Everything but `csrf` and `intent`.
    pub fn query(&self) -> Query {
        Query::new()
            .with("location_id", &self.location_id)
            .with("folder", &self.folder)
            .with("kind", &self.kind)
            .with("moment", &self.moment)
            .with("backup", &self.backup)
            .with("service_id", &self.service_id)
            .with("namespaces", &self.namespaces)
            .with("renames", &self.renames)
            .with("users_and_roles", &self.users_and_roles)
            .with("source_replica_set", &self.source_replica_set)
            .with("from", &self.from)
            .with("to", &self.to)
    }

    /// Where this state of the wizard is.
    pub fn url(&self) -> String {
        self.query().on(urls::RESTORE)
    }

    pub fn window(&self) -> Option<Window> {
        Window::asked_for(Some(&self.from), Some(&self.to))
    }

    /// The moment in the field, when it can be read.
    pub fn time(&self) -> Option<OplogTime> {
        self.moment.trim().parse().ok()
    }

    /// What a link that begins a restore of the same again needs.
    pub fn again(input: &RestoreInput) -> Self {
        let (kind, moment, backup) = match &input.moment {
            RestoreMoment::Backup(name) => ("backup", String::new(), name.clone()),
            RestoreMoment::Time(text) => ("time", text.clone(), String::new()),
            RestoreMoment::Before(text) => ("before", text.clone(), String::new()),
            RestoreMoment::Latest => ("latest", String::new(), String::new()),
        };
        Self {
            location_id: input.location_id.clone(),
            folder: input.folder.clone(),
            kind: kind.to_owned(),
            moment,
            backup,
            service_id: input.service_id.clone(),
            namespaces: input.namespaces.join("\n"),
            renames: input.renames.join("\n"),
            users_and_roles: typed::check(input.users_and_roles),
            source_replica_set: input.source_replica_set.clone().unwrap_or_default(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_survives_the_url_and_becomes_what_the_api_takes() {
        let form = RestoreForm {
            location_id: "loc-1".into(),
            kind: "before".into(),
            moment: " 1795615387,2 ".into(),
            namespaces: "shop.orders\r\nbilling.*\n".into(),
            users_and_roles: "true".into(),
            csrf: "secret".into(),
            ..RestoreForm::default()
        };
        assert!(!form.url().contains("secret"));
        let input = form.input();
        assert_eq!(input.moment, RestoreMoment::Before("1795615387,2".into()));
        assert_eq!(input.namespaces, ["shop.orders", "billing.*"]);
        assert!(input.users_and_roles);
        assert_eq!(RestoreForm::again(&input).input(), input);
    }

    #[test]
    fn a_link_with_a_backup_alone_means_that_backup() {
        let form = RestoreForm { backup: "nightly".into(), ..RestoreForm::default() };
        assert_eq!(form.input().moment, RestoreMoment::Backup("nightly".into()));
        let moment = RestoreForm { moment: "5,1".into(), ..form };
        assert_eq!(moment.input().moment, RestoreMoment::Time("5,1".into()));
    }
}
