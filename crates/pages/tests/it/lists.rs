//! What lists and details say in each state.

use oplogue_pages::samples;

use crate::html::Html;

fn page(page: &str, name: &str) -> Html {
    Html::read(&samples::find(page, name).unwrap_or_else(|| panic!("no sample {page}.{name}")).html())
}

fn says(page_name: &str, name: &str, texts: &[&str]) {
    let text = page(page_name, name).text();
    for wanted in texts {
        assert!(text.contains(wanted), "{page_name}.{name} does not say “{wanted}”:\n{text}");
    }
}

#[test]
fn an_empty_list_says_what_it_is_and_what_to_do() {
    for (name, title, action) in [
        ("backups", "No backups found", "Create backup"),
        ("schedules", "No scheduled backups found", "Create scheduled backup"),
        ("locations", "No storage locations found", "Add storage location"),
        ("services", "No services yet", "Enrol an agent"),
        ("alerts", "No rule is enabled", "Create rule"),
        ("alert_rules", "No rules yet", "Create rule"),
        ("contact_points", "No contact points yet", "Add contact point"),
        ("silences", "No silences", "Add silence"),
        ("tokens", "No API tokens yet", "Create token"),
    ] {
        says(name, "empty", &[title]);
        let page = page(name, "empty");
        assert!(page.control(action).is_some_and(|control| control.get("href").is_some()), "{name}: {action}");
    }
    says("jobs", "empty", &["No jobs yet"]);
}

#[test]
fn the_columns_of_backups_and_schedules_are_those_that_people_know() {
    let columns = |name: &str| {
        page(name, "many").all("th").filter(|th| th.get("scope") == Some("col")).map(|th| th.text.trim().to_owned()).collect::<Vec<_>>()
    };
    let backups = columns("backups");
    for column in ["Status", "Backup name", "Service name", "DB technology", "Created", "Type", "Location", "Actions"] {
        assert!(backups.iter().any(|name| name == column), "{column} of {backups:?}");
    }
    let schedules = columns("schedules");
    for column in ["Name", "DB technology", "Frequency", "Retention", "Type", "Location", "Last backup", "Next run", "Enabled", "Actions"] {
        assert!(schedules.iter().any(|name| name == column), "{column} of {schedules:?}");
    }
}

#[test]
fn a_running_backup_shows_how_far_it_is_and_can_be_cancelled() {
    let page = page("backups", "running");
    assert!(page.text().contains("In progress") && page.text().contains("42 %"));
    assert!(page.all("progress").any(|bar| bar.get("value") == Some("423")));
    assert!(page.control("Cancel").is_some_and(|button| button.get("type") == Some("submit")));
    assert!(page.elements.iter().any(|live| live.get("hx-trigger") == Some("every 2s")), "it stays current");
    let restore = page.control("Restore from backup").expect("shown");
    assert_eq!(restore.get("aria-disabled"), Some("true"));
    assert!(restore.text.contains("It is not finished."));
}

#[test]
fn a_failed_backup_says_why_and_leads_to_its_log() {
    says("backups", "failed", &["Error", "403 AccessDenied"]);
    assert!(page("backups", "failed").all("a").any(|link| link.get("href") == Some("/jobs/job-102#log")));
    says("backup", "failed", &["It went wrong", "403 AccessDenied", "press Test, and see which right is missing"]);
}

#[test]
fn the_continuous_oplog_shows_its_ranges_and_how_fresh_it_is() {
    says("backups", "pitr", &["PITR", "restorable until 12 s ago", "Restorable ranges"]);
    assert!(page("backups", "pitr").all("a").any(|link| link.get("href") == Some("/timeline?location_id=loc-main&folder=shop")));
}

#[test]
fn a_backup_that_is_needed_is_not_deleted_and_says_why() {
    says("backup_delete", "refused", &["Not possible now", "The restorable range since 2026-11-13 03:03:05 UTC starts from it"]);
    assert_eq!(
        page("backup_delete", "refused").control("Delete").and_then(|button| button.get("aria-disabled").map(str::to_owned)).as_deref(),
        Some("true")
    );
    says("backup_delete", "loses-moments", &["These moments could not be restored any more:", "Delete from storage"]);
    says("backup_delete", "local", &["Delete from storage"]);
}

#[test]
fn a_conflict_names_the_jobs_and_offers_to_disable_them() {
    let rule = "A PITR backup for the cluster 'shop' can be enabled only if there are no other scheduled backups for this cluster.";
    says("backup_form", "conflict", &[rule, "nightly", "weekly"]);
    let button = page("backup_form", "conflict");
    let button = button.control("Disable these jobs").expect("a button");
    assert_eq!((button.get("name"), button.get("value")), (Some("action"), Some("disable_others")));
    says("schedules", "conflict", &[rule, "nightly"]);
    assert!(page("schedules", "conflict").control("Disable these jobs").is_some_and(|button| button.get("type") == Some("submit")));
}

#[test]
fn a_service_without_a_label_gets_the_exact_command() {
    says("backup_form", "no-cluster", &["loner is not a member of a cluster", "oplogue admin add mongodb --uri", "--cluster mycluster"]);
    let form = page("backup_form", "no-cluster");
    let advanced = form.all("details").find(|details| details.text.contains("Retry mode")).expect("advanced settings");
    assert!(advanced.get("open").is_some(), "they open by themselves");
}

#[test]
fn physical_backups_are_shown_with_the_reason_why_not() {
    let form = page("backup_form", "on-demand");
    let physical = form.all("input").find(|input| input.get("value") == Some("physical")).expect("a choice");
    assert!(physical.get("disabled").is_some());
    says("backup_form", "on-demand", &["point-in-time recovery is only supported for logical backups"]);
}

#[test]
fn the_next_five_runs_are_shown_before_a_schedule_is_kept() {
    let form = page("backup_form", "schedule");
    let runs = form.elements.iter().find(|element| element.get("id") == Some("next-runs")).expect("a place for them");
    assert_eq!(runs.text.matches("UTC").count(), 5, "{}", runs.text);
}

#[test]
fn what_may_not_change_is_locked_and_still_sent() {
    let form = page("backup_form", "edit");
    let sent = |name: &str| {
        form.elements.iter().any(|input| input.get("name") == Some(name) && input.get("disabled").is_none() && input.get("value").is_some())
    };
    for name in ["service_id", "location_id", "folder"] {
        assert!(sent(name), "{name}");
    }
    says("backup_form", "edit", &["Fixed, because backups already taken belong to it."]);
}

#[test]
fn a_viewer_sees_the_buttons_and_why_they_do_nothing() {
    for (name, sample, action) in [
        ("backups", "viewer", "Create backup"),
        ("schedules", "viewer", "Run now"),
        ("locations", "viewer", "Add storage location"),
        ("services", "viewer", "Enrol an agent"),
        ("job", "viewer", "Cancel"),
        ("backup_delete", "viewer-forbidden", "Delete"),
    ] {
        let page = page(name, sample);
        let control = page.control(action).unwrap_or_else(|| panic!("{name}.{sample}: {action}"));
        assert_eq!(control.get("aria-disabled"), Some("true"), "{name}.{sample}: {action}");
        assert!(control.text.contains("anna is a viewer"), "{name}.{sample}: {}", control.text);
    }
}

#[test]
fn a_form_that_a_viewer_may_not_send_says_who_may() {
    for name in ["backup_form", "location_form", "contact_point", "silence", "user", "token_new", "service_enrol"] {
        says(name, "viewer-forbidden", &["anna is a viewer. An administrator can give another role."]);
    }
}

#[test]
fn a_switch_says_what_it_is_and_sends_the_other() {
    let page = page("schedules", "one");
    let switch = page.elements.iter().find(|element| element.get("role") == Some("switch")).expect("a switch");
    assert_eq!((switch.get("aria-checked"), switch.get("aria-label")), (Some("true"), Some("Enabled: nightly")));
    assert!(page.elements.iter().any(|input| input.get("name") == Some("enabled") && input.get("value") == Some("false")));
}

#[test]
fn a_test_says_which_step_failed_from_where_and_why() {
    says("location", "test-failed", &["shop-1", "the key may not DeleteObject", "billing-1", "its agent was not heard of for 1 h 30 m"]);
    says("location_form", "tested", &["This storage location is valid"]);
}

#[test]
fn a_location_shows_what_others_left_in_it() {
    says("location", "many", &["pbm/legacy", "Made by others", "rsA, rsB, cfg"]);
    assert!(page("location", "many").all("a").any(|link| link.get("href") == Some("/timeline?location_id=loc-main&folder=pbm%2Flegacy")));
}

#[test]
fn the_log_of_a_job_keeps_every_try() {
    says("job", "failed", &["Try 1", "Try 2", "503 SlowDown", "What went wrong"]);
    assert!(page("job", "running").elements.iter().any(|log| log.get("role") == Some("log")));
    assert!(page("job", "done").elements.iter().all(|live| live.get("hx-trigger") != Some("every 1s")), "nothing changes any more");
}

#[test]
fn retention_shows_every_item_with_its_reasons_and_what_is_lost() {
    says(
        "retention_preview",
        "deletes",
        &[
            "3 items of 6 would be deleted now",
            "one of the newest 7",
            "older than the newest 7",
            "These moments could not be restored any more",
        ],
    );
    says("retention_preview", "many", &["The first 500 of 501."]);
}

#[test]
fn a_new_token_is_shown_once_and_a_new_agent_gets_its_command() {
    says("tokens", "made", &["Copy it now: it is not shown again.", "opl_1x7f5d2c9b4a8e6f0d3c7b1a5e9f2d6c8b"]);
    assert!(!page("tokens", "many").text().contains("opl_1x7f5d2c9b4a8e6f0d3c7b1a5e9f2d6c8b"));
    says("service_enrol", "made", &["--cluster shop", "--token", "It is not shown again"]);
}

#[test]
fn nothing_moves_on_the_page_of_a_job_that_failed_in_the_middle() {
    let page = page("job", "failed");
    assert_eq!(page.all("progress").count(), 0);
    assert!(page.text().contains("Reading documents (not finished)"), "{}", page.text());
}
