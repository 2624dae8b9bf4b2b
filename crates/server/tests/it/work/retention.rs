//! Retention and deletion as jobs of the server, on a storage with real backups.

use std::path::PathBuf;

use oplogue_api::ErrorCode;
use oplogue_api::backups::{Backup, BackupStatus};
use oplogue_api::jobs::{Job, JobKind, JobState};
use oplogue_api::retention::{RetentionItemKind, RetentionPolicy};
use oplogue_api::schedules::Schedule;
use oplogue_api::users::Role;
use oplogue_server::app::Actor;
use oplogue_server::app::backups::BackupFilter;

use super::agent::well;
use super::world::{World, anna};

/// A world whose folder `shop` holds what PBM once wrote. With `prefix`, as if the runs of a schedule of that name had written it.
async fn stocked(fixture: &str, inside: &str, prefix: Option<&str>) -> (World, PathBuf) {
    let world = World::new();
    let url = world.app.location(&world.location).expect("the location").url;
    let folder = PathBuf::from(url.strip_prefix("file://").expect("a local one")).join("shop");
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm");
    let unpacked = oplogue_testkit::unpack(fixtures.join(fixture)).expect("the fixture");
    copy(&unpacked.path().join(inside), &folder);
    if let Some(prefix) = prefix {
        rename_backups(&folder, prefix);
    }
    world.app.refresh_folder(&world.location, "shop").await.expect("the folder can be read");
    (world, folder)
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a readable folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn rename_backups(folder: &std::path::Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let file = entry.file_name().into_string().expect("UTF-8");
        let Some(name) = file.strip_suffix(".pbm.json").filter(|name| !name.is_empty()) else { continue };
        let text = std::fs::read_to_string(entry.path()).expect("metadata");
        std::fs::write(folder.join(format!("{prefix}_{file}")), text.replace(name, &format!("{prefix}_{name}"))).expect("written");
        std::fs::remove_file(entry.path()).expect("removed");
        std::fs::rename(folder.join(name), folder.join(format!("{prefix}_{name}"))).expect("renamed");
    }
}

fn backups(world: &World) -> Vec<Backup> {
    let rows = world.app.backups(&BackupFilter::default(), None, 500).expect("backups").items;
    rows.into_iter().filter(|row| row.mode == oplogue_api::backups::BackupMode::Snapshot).collect()
}

fn files_of(folder: &std::path::Path, name: &str) -> usize {
    let entries = std::fs::read_dir(folder).expect("a readable folder").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(name)).count()
}

async fn over(world: &World, id: &str) -> Job {
    oplogue_testkit::wait::until("the job to end", async || {
        world.app.follow_ended_jobs().await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let job = world.job(id);
        Ok(job.state.is_over().then_some(job))
    })
    .await
    .expect("it ends")
}

fn newest(count: u32) -> RetentionPolicy {
    RetentionPolicy { count, ..RetentionPolicy::default() }
}

async fn nightly(world: &World, retention: RetentionPolicy) -> Schedule {
    let agent = world.agent("shop").await;
    let input = oplogue_api::schedules::ScheduleInput { retention, ..world.schedule("nightly", &agent, "0 3 * * *") };
    world.app.create_schedule(&anna(), input).expect("a schedule")
}

#[tokio::test]
async fn a_preview_tells_every_backup_with_its_reasons_and_touches_nothing() {
    let (world, _folder) = stocked("storage-snapshots.tar", "snapshots", Some("nightly")).await;
    let schedule = nightly(&world, RetentionPolicy::default()).await;
    let there = backups(&world).len();
    let preview = world.app.preview_retention(&anna(), &schedule.id, &newest(2)).await.expect("a preview");
    let told: Vec<_> = preview.items.iter().filter(|item| item.kind == RetentionItemKind::Backup).collect();
    assert_eq!(told.len(), there);
    assert!(told.iter().all(|item| !item.reasons.is_empty()));
    assert!(told.iter().any(|item| !item.keep) && preview.deleted_bytes > 0);
    assert_eq!(preview.lost.len(), told.iter().filter(|item| !item.keep).count(), "each restores to a moment of its own");
    let everything = world.app.preview_retention(&anna(), &schedule.id, &RetentionPolicy::default()).await.expect("a preview");
    assert!(everything.items.iter().all(|item| item.keep));
    let folder = world.app.preview_folder_retention(&anna(), &world.location, "shop", &newest(1)).await.expect("a preview");
    assert!(folder.items.iter().filter(|item| item.keep).count() < told.len());
    world.app.refresh_folder(&world.location, "shop").await.expect("the folder can be read");
    assert_eq!(backups(&world).len(), there);
}

#[tokio::test]
async fn after_a_scheduled_backup_what_no_rule_keeps_goes_with_its_reasons_in_the_log() {
    let (world, folder) = stocked("storage-snapshots.tar", "snapshots", Some("nightly")).await;
    let schedule = nightly(&world, newest(2)).await;
    let preview = world.app.preview_retention(&anna(), &schedule.id, &newest(2)).await.expect("a preview");
    world.app.retention_after(&schedule.id).await.expect("a job");
    let job = world.jobs().into_iter().find(|job| job.kind == JobKind::Retention).expect("the job");
    let job = over(&world, &job.id).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    let left: Vec<String> = backups(&world).into_iter().map(|backup| backup.name).collect();
    for item in preview.items.iter().filter(|item| item.kind == RetentionItemKind::Backup) {
        assert_eq!(left.contains(&item.name), item.keep, "{}: {:?}", item.name, item.reasons);
        assert_eq!(files_of(&folder, &item.name) > 0, item.keep);
        assert!(item.keep || world.log_text(&job.id).contains(&format!("deleted: backup {}: no rule keeps it", item.name)));
    }
    let audit = serde_json::to_string(&world.app.audit_log(&anna(), None, 100).expect("the audit log")).expect("JSON");
    assert!(audit.contains("retention.delete") && audit.contains("schedule nightly"), "{audit}");
}

#[tokio::test]
async fn the_end_of_a_scheduled_run_brings_its_retention_and_one_on_demand_none() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let input = oplogue_api::schedules::ScheduleInput { retention: newest(2), ..world.schedule("nightly", &agent, "0 3 * * *") };
    let schedule = world.app.create_schedule(&anna(), input).expect("a schedule");
    world.app.create_backup(&anna(), &world.backup("release", &agent)).expect("a job");
    agent.work(&world.app, well).await;
    world.app.follow_ended_jobs().await.expect("followed");
    assert!(world.jobs().iter().all(|job| job.kind != JobKind::Retention));
    world.app.run_schedule(&anna(), &schedule.id).expect("a job");
    agent.work(&world.app, well).await;
    world.app.follow_ended_jobs().await.expect("followed");
    let jobs = world.jobs();
    let retention: Vec<_> = jobs.iter().filter(|job| job.kind == JobKind::Retention).collect();
    assert_eq!(retention.len(), 1);
    assert_eq!(over(&world, &retention[0].id).await.state, JobState::Done);
}

#[tokio::test]
async fn backups_of_others_in_the_folder_stay() {
    let (world, _folder) = stocked("storage-snapshots.tar", "snapshots", None).await;
    let schedule = nightly(&world, newest(1)).await;
    let there = backups(&world).len();
    world.app.retention_after(&schedule.id).await.expect("a job");
    let job = world.jobs().into_iter().find(|job| job.kind == JobKind::Retention).expect("the job");
    assert_eq!(over(&world, &job.id).await.state, JobState::Done);
    assert_eq!(backups(&world).len(), there);
    assert!(world.log_text(&job.id).contains("nothing is to be deleted"));
}

#[tokio::test]
async fn a_base_that_a_range_needs_is_deleted_only_by_who_accepts_the_loss() {
    let (world, folder) = stocked("storage-pitr.tar", "pitr", None).await;
    let base = backups(&world).remove(0);
    let preview = world.app.preview_delete(&base.id).expect("a preview");
    assert!(preview.refusal.is_some() && preview.may_accept_loss && !preview.lost.is_empty(), "{preview:?}");
    assert_eq!(world.app.backup(&base.id).expect("the backup").delete_refusal, None, "it may be done");
    let refused = world.app.delete_backup(&anna(), &base.id, true, false).expect_err("a range needs it");
    assert_eq!(refused.code, ErrorCode::Refused);
    assert!(refused.hint.is_some_and(|hint| hint.contains("accepting")));
    let viewer = Actor { role: Role::Viewer, ..anna() };
    assert_eq!(world.app.delete_backup(&viewer, &base.id, true, true).expect_err("a viewer").code, ErrorCode::Forbidden);

    let job = world.app.delete_backup(&anna(), &base.id, true, true).expect("accepted").expect("a job");
    let row = backups(&world).into_iter().find(|row| row.id == base.id);
    assert!(row.is_none_or(|row| row.status == BackupStatus::Deleting), "it is being deleted, or gone");
    let job = over(&world, &job.id).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(files_of(&folder, &base.name), 0);
    assert!(backups(&world).is_empty());
}

#[tokio::test]
async fn off_the_list_is_not_off_the_storage() {
    let (world, folder) = stocked("storage-pitr.tar", "pitr", None).await;
    let base = backups(&world).remove(0);
    assert!(world.app.delete_backup(&anna(), &base.id, false, false).expect("off the list").is_none());
    assert!(backups(&world).is_empty());
    assert!(files_of(&folder, &base.name) > 0);
    let view = world.app.folder_view(&world.location, "shop").expect("the folder");
    assert!(!view.timeline.cluster.is_empty(), "what can be restored is told by the storage");
}

#[tokio::test]
async fn a_deletion_that_a_crash_interrupted_is_finished_by_the_next_start() {
    let (mut world, folder) = stocked("storage-snapshots.tar", "snapshots", None).await;
    let backup = backups(&world).remove(0);
    let job = {
        // Nobody carries it out before the server dies: there is no runtime on this thread.
        let (app, id) = (world.app.clone(), backup.id.clone());
        std::thread::spawn(move || app.delete_backup(&anna(), &id, true, false)).join().expect("it does not panic")
    };
    let job = job.expect("it may be deleted").expect("a job");
    world.crash();
    assert_eq!(world.state(&job.id), JobState::Running);
    // It had come as far as the metadata.
    std::fs::remove_file(folder.join(format!("{}.pbm.json", backup.name))).expect("removed");
    world.pass(1);
    assert_eq!(over(&world, &job.id).await.state, JobState::Done);
    assert_eq!(files_of(&folder, &backup.name), 0, "what was left of it is gone, too");
}
