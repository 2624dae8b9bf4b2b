//! The latest moment, backups as they are, and restores of some namespaces.

use super::*;
use crate::backup::BackupProblem;

// The latest moment.

#[test]
fn the_latest_moment_is_the_end_of_the_whole_chain() {
    let latest =
        |drawing| choose(&catalog(drawing), &Moment::Latest, &everything()).map(|choice| (choice.base.to_string(), choice.through));
    assert_eq!(latest("rs0   B==|---|---|"), Ok(("B".to_owned(), at(11))));
    assert_eq!(latest("rs0   B==|---|   |---|"), Ok(("B".to_owned(), at(7))));
    assert_eq!(latest("rs0   B==|---|   C==|"), Ok(("C".to_owned(), at(14))));
    assert_eq!(latest("rs0   B==|"), Ok(("B".to_owned(), at(3))));
}

#[test]
fn the_latest_moment_of_a_cluster_is_that_of_its_laggard() {
    let catalog = catalog(
        "rs0   B==|---|---|---|
         rs1   B==|---|",
    );
    assert_eq!(choose(&catalog, &Moment::Latest, &everything()).map(|choice| choice.through), Ok(at(7)));
}

// A backup as it is.

#[test]
fn a_backup_restores_to_the_end_of_its_own_oplog() {
    let catalog = catalog("rs0   B==|---|---|");
    let choice = choose(&catalog, &Moment::Backup(backup_name("B")), &everything()).expect("restorable");
    assert_eq!((choice.through, choice.newest, choice.parts[0].oplog.len()), (at(3), at(11), 1));
    assert_eq!(choice.parts[0].writes_after.len(), 2);
}

#[test]
fn a_selective_backup_restores_what_it_holds() {
    let catalog = catalog("rs0   s==|");
    let backup = Moment::Backup(backup_name("s"));
    assert_eq!(choose(&catalog, &backup, &everything()).map(|choice| choice.through), Ok(at(3)));
    assert_eq!(choose(&catalog, &backup, &only(&["shop.orders"])).map(|choice| choice.through), Ok(at(3)));
    let error = choose(&catalog, &backup, &only(&["shop.orders", "crm.people"])).expect_err("crm is not in it");
    assert_eq!(error.to_string(), "backup s holds only shop.*, not all of shop.orders, crm.people");
}

/// PBM stops every shard at the earliest end, before a busy one's dump is consistent (W2).
#[test]
fn w2_a_cluster_backup_is_restored_to_the_end_of_every_shard() {
    let catalog = catalog(
        "rs0   B=====|
         rs1   B=|",
    );
    let choice = choose(&catalog, &Moment::Backup(backup_name("B")), &everything()).expect("restorable");
    assert_sound(&catalog, &choice);
    assert_eq!((choice.through, choice.parts[0].through, choice.parts[1].through), (at(6), at(6), at(2)));
}

#[test]
fn slices_bring_all_shards_of_a_backup_to_one_moment() {
    let catalog = catalog(
        "rs0   B=====|
         rs1   B=|-----|",
    );
    let choice = choose(&catalog, &Moment::Backup(backup_name("B")), &everything()).expect("restorable");
    assert_eq!(told(&choice), ["", "rs1/2-8 (2,6]"]);
    assert!(choice.parts.iter().all(|part| part.through == at(6)));
}

#[test]
fn an_unknown_backup_is_answered_with_the_known_ones() {
    let error = choose(&catalog("rs0   B==|  C==|"), &Moment::Backup(backup_name("X")), &everything()).expect_err("no X");
    assert_eq!(error.to_string(), "there is no backup `X`; known are C, B");
    let error = choose(&Catalog::default(), &Moment::Backup(backup_name("X")), &everything()).expect_err("no X");
    assert_eq!(error.to_string(), "there is no backup `X`; there is none at all on the storage");
}

#[test]
fn a_long_list_of_backups_does_not_hide_the_error() {
    let known: Vec<_> = (0..25).map(|number| backup_name(&format!("b{number}"))).collect();
    let text = PlanError::UnknownBackup { name: backup_name("X"), known }.to_string();
    assert!(text.contains("b24") && text.contains("b15") && !text.contains("b14") && text.ends_with("and 15 older ones"), "{text}");
}

#[test]
fn a_backup_with_a_problem_is_refused_by_its_problem() {
    for (problem, words) in [
        (BackupProblem::NotDone("error".to_owned()), "its status is `error`, not `done`"),
        (BackupProblem::Unsupported("physical".to_owned()), "it is physical, and only logical backups can be restored"),
        (BackupProblem::LegacyArchive("1.8.0".to_owned()), "older than PBM 2.0"),
        (BackupProblem::MissingObject("B/rs0/x".to_owned()), "object `B/rs0/x` is missing"),
        (BackupProblem::Unreadable("not JSON".to_owned()), "its metadata cannot be read: not JSON"),
    ] {
        let catalog = catalog("rs0   B==|---|").without_backup(&backup_name("B"), problem);
        let own = choose(&catalog, &Moment::Backup(backup_name("B")), &everything()).expect_err("B is broken");
        assert!(matches!(own, PlanError::BackupUnusable { .. }) && own.to_string().contains(words), "{own}");
        let moment = choose(&catalog, &Moment::At(at(5)), &everything()).expect_err("B is broken");
        assert!(matches!(moment, PlanError::NoBackup { .. }) && moment.to_string().contains(words), "{moment}");
    }
}

// Selective restores.

#[test]
fn a_selective_backup_is_a_base_for_what_it_holds_only() {
    let catalog = catalog(
        "rs0   B==|---|---|---|
         rs0          s==|",
    );
    let base = |needs: &NamespaceSelection| choose(&catalog, &Moment::At(at(14)), needs).map(|choice| choice.base.to_string());
    assert_eq!(base(&only(&["shop.orders"])), Ok("s".to_owned()));
    assert_eq!(base(&only(&["shop.*"])), Ok("s".to_owned()));
    assert_eq!(base(&only(&["shop.orders", "crm.people"])), Ok("B".to_owned()));
    assert_eq!(base(&only(&["crm.*"])), Ok("B".to_owned()));
    assert_eq!(base(&everything()), Ok("B".to_owned()));
    let choice = choose(&catalog, &Moment::At(at(14)), &everything()).expect("restorable");
    assert_eq!(choice.why, ["s: it holds only shop.*"]);
}

#[test]
fn a_selection_covers_what_it_names() {
    for (held, needed, covers) in [
        (&["shop.*"][..], &["shop.orders"][..], true),
        (&["shop.*"], &["shop.system.buckets.temps"], true),
        (&["shop.temps"], &["shop.system.buckets.temps"], true),
        (&["shop.orders"], &["shop.*"], false),
        (&["shop.orders"], &["shop.order"], false),
        (&["shop.orders", "crm.*"], &["crm.a", "shop.orders"], true),
        (&["shop.orders"], &[], false),
        (&[], &["shop.orders"], true),
        (&[], &[], true),
    ] {
        let selection = |patterns: &[&str]| if patterns.is_empty() { everything() } else { only(patterns) };
        assert_eq!(selection(held).covers(&selection(needed)), covers, "{held:?} for {needed:?}");
    }
}
