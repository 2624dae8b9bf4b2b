//! Every page in every state: for tests, for `cargo xtask pages`, and below `/_samples` in debug builds.
//!
//! A page's `samples()` gives names and values. The name says who looks: `viewer…` a viewer, `signed-out…` nobody, anything else
//! an administrator. A new page is one line in [`all`]. [`fixtures`] has the values they share.

pub mod fixtures;
pub mod world;

use maud::Markup;
use oplogue_api::session::WhoAmI;
use oplogue_api::users::Role;

use crate::{Frame, pages, urls};

/// One page in one state, with the frame it is shown in.
pub struct Sample {
    pub page: &'static str,
    pub name: &'static str,
    render: Box<dyn Fn() -> String + Send + Sync>,
}

impl Sample {
    pub fn html(&self) -> String {
        (self.render)()
    }
}

/// All samples, in the menu's order.
pub fn all() -> Vec<Sample> {
    let mut all = Vec::new();
    add(&mut all, "overview", urls::OVERVIEW, pages::overview::samples(), pages::overview::view);
    add(&mut all, "cluster", "/clusters/shop", pages::cluster::samples(), pages::cluster::view);
    add(&mut all, "timeline", urls::TIMELINE, pages::timeline::samples(), pages::timeline::view);
    add(&mut all, "restore", urls::RESTORE, pages::restore::samples(), pages::restore::view);
    add(&mut all, "restore_plan", "/restores/plans/job-119", pages::restore_plan::samples(), pages::restore_plan::view);
    add(&mut all, "restores", urls::RESTORES, pages::restores::samples(), pages::restores::view);
    add(&mut all, "restore_detail", "/restores/job-120", pages::restore_detail::samples(), pages::restore_detail::view);
    add(&mut all, "backups", urls::BACKUPS, pages::backups::samples(), pages::backups::view);
    add(&mut all, "backup", "/backups/bG9j", pages::backup::samples(), pages::backup::view);
    add(&mut all, "backup_delete", "/backups/bG9j/delete", pages::backup_delete::samples(), pages::backup_delete::view);
    add(&mut all, "backup_form", urls::BACKUP_NEW, pages::backup_form::samples(), pages::backup_form::view);
    add(&mut all, "schedules", urls::SCHEDULES, pages::schedules::samples(), pages::schedules::view);
    add(&mut all, "schedule", "/schedules/sched-nightly", pages::schedule::samples(), pages::schedule::view);
    add(&mut all, "schedule_delete", "/schedules/sched-nightly/delete", pages::schedule_delete::samples(), pages::schedule_delete::view);
    add(
        &mut all,
        "retention_preview",
        "/schedules/sched-nightly/retention",
        pages::retention_preview::samples(),
        pages::retention_preview::view,
    );
    add(&mut all, "locations", urls::LOCATIONS, pages::locations::samples(), pages::locations::view);
    add(&mut all, "location", "/locations/loc-main", pages::location::samples(), pages::location::view);
    add(&mut all, "location_form", urls::LOCATION_NEW, pages::location_form::samples(), pages::location_form::view);
    add(&mut all, "location_delete", "/locations/loc-main/delete", pages::location_delete::samples(), pages::location_delete::view);
    add(&mut all, "services", urls::SERVICES, pages::services::samples(), pages::services::view);
    add(&mut all, "service", "/services/svc-shop-1", pages::service::samples(), pages::service::view);
    add(&mut all, "service_edit", "/services/svc-shop-1/edit", pages::service_edit::samples(), pages::service_edit::view);
    add(&mut all, "service_remove", "/services/svc-shop-1/delete", pages::service_remove::samples(), pages::service_remove::view);
    add(&mut all, "service_enrol", urls::SERVICE_ENROL, pages::service_enrol::samples(), pages::service_enrol::view);
    add(&mut all, "jobs", urls::JOBS, pages::jobs::samples(), pages::jobs::view);
    add(&mut all, "job", "/jobs/job-104", pages::job::samples(), pages::job::view);
    add(&mut all, "alerts", urls::ALERTS, pages::alerts::samples(), pages::alerts::view);
    add(&mut all, "alert_rules", urls::ALERT_RULES, pages::alert_rules::samples(), pages::alert_rules::view);
    add(&mut all, "alert_rule", urls::ALERT_RULE_NEW, pages::alert_rule::samples(), pages::alert_rule::view);
    add(&mut all, "alert_templates", urls::ALERT_TEMPLATES, pages::alert_templates::samples(), pages::alert_templates::view);
    add(&mut all, "contact_points", urls::CONTACT_POINTS, pages::contact_points::samples(), pages::contact_points::view);
    add(&mut all, "contact_point", urls::CONTACT_POINT_NEW, pages::contact_point::samples(), pages::contact_point::view);
    add(&mut all, "silences", urls::SILENCES, pages::silences::samples(), pages::silences::view);
    add(&mut all, "silence", urls::SILENCE_NEW, pages::silence::samples(), pages::silence::view);
    add(&mut all, "alert_delete", "/alerts/rules/rule-1/delete", pages::alert_delete::samples(), pages::alert_delete::view);
    add(&mut all, "settings", urls::SETTINGS, pages::settings::samples(), pages::settings::view);
    add(&mut all, "password", urls::PASSWORD, pages::password::samples(), pages::password::view);
    add(&mut all, "users", urls::USERS, pages::users::samples(), pages::users::view);
    add(&mut all, "user", urls::USER_NEW, pages::user::samples(), pages::user::view);
    add(&mut all, "tokens", urls::TOKENS, pages::tokens::samples(), pages::tokens::view);
    add(&mut all, "token_new", urls::TOKEN_NEW, pages::token_new::samples(), pages::token_new::view);
    add(&mut all, "account_delete", "/settings/users/user-1/delete", pages::account_delete::samples(), pages::account_delete::view);
    add(&mut all, "audit", urls::AUDIT, pages::audit::samples(), pages::audit::view);
    add(&mut all, "sign_in", urls::SIGN_IN, pages::sign_in::samples(), pages::sign_in::view);
    add(&mut all, "error", urls::OVERVIEW, pages::error::samples(), pages::error::view);
    all
}

fn add<P: Send + Sync + 'static>(
    all: &mut Vec<Sample>,
    page: &'static str,
    path: &str,
    samples: Vec<(&'static str, P)>,
    view: fn(&Frame, &P) -> Markup,
) {
    for (name, value) in samples {
        let frame = frame_for(path, name);
        all.push(Sample { page, name, render: Box::new(move || view(&frame, &value).into_string()) });
    }
}

/// The sample of that page and name.
pub fn find(page: &str, name: &str) -> Option<Sample> {
    all().into_iter().find(|sample| sample.page == page && sample.name == name)
}

/// An administrator's frame at `path`.
pub fn frame(path: &str) -> Frame {
    frame_for(path, "")
}

/// The frame that fits a sample's name.
fn frame_for(path: &str, name: &str) -> Frame {
    let who = |name: &str, role| WhoAmI { name: name.into(), role, by: "session".into(), expires_at: None, csrf_token: None };
    let who = match name {
        name if name.starts_with("signed-out") => None,
        name if name.starts_with("viewer") => Some(who("anna", Role::Viewer)),
        _ => Some(who("admin", Role::Administrator)),
    };
    Frame {
        who,
        csrf: "sample-csrf".into(),
        path: path.into(),
        flash: None,
        now: fixtures::now(),
        zone: jiff::tz::TimeZone::UTC,
        version: "0.1.0".into(),
        firing_alerts: 1,
        running_jobs: 2,
        base_url: "https://backups.example.com:8480".into(),
    }
}

#[cfg(test)]
mod tests;
