//! What is restored, under which name: by the names at the moment.

use bson::{Document, doc};
use oplogue_domain::NamespaceSelection;
use oplogue_oplog::{CollectionKind, CollectionSpec, Outcome, SelectError};

use crate::support::*;

fn outcome() -> Outcome {
    let view = CollectionSpec { kind: CollectionKind::View, options: doc! { "viewOn": "b" }, ..spec("a.v", None) };
    let ts = CollectionSpec { kind: CollectionKind::TimeSeries, buckets_uuid: Some(uuid(9)), ..spec("a.ts", None) };
    Run::all(
        vec![spec("a.b", Some(1)), spec("a.gone", Some(2)), spec("a.old", Some(3)), spec("z.y", Some(4)), view, ts],
        [command("a", 2, doc! { "drop": "gone" }), rename(3, "a.old", "a.new", None)],
    )
}

fn targets(selection: &NamespaceSelection, renamed: &[&str]) -> Result<Vec<String>, SelectError> {
    let selected = outcome().select(selection, &renames(renamed))?;
    Ok(selected.iter().map(|selected| format!("{}={}", selected.survivor.namespace, selected.target)).collect())
}

fn message(selection: &[&str], renamed: &[&str]) -> String {
    targets(&only(selection), renamed).expect_err("refused").to_string()
}

#[test]
fn everything_is_everything() {
    assert_eq!(targets(&NamespaceSelection::Everything, &[]).expect("all"), ["a.b=a.b", "a.new=a.new", "a.ts=a.ts", "z.y=z.y"]);
}

#[test]
fn the_name_at_the_moment_counts() {
    assert_eq!(targets(&only(&["a.new"]), &[]).expect("there"), ["a.new=a.new"]);
    assert_eq!(targets(&only(&["a.ts", "z.*"]), &[]).expect("there"), ["a.ts=a.ts", "z.y=z.y"]);
}

#[test]
fn renames_apply_to_what_is_selected() {
    assert_eq!(targets(&only(&["a.b"]), &["a.b=q.r"]).expect("there"), ["a.b=q.r"]);
    assert_eq!(targets(&only(&["a.b", "z.y"]), &["a.b=z.y", "z.y=a.b"]).expect("swapped"), ["z.y=a.b", "a.b=z.y"]);
    assert_eq!(targets(&NamespaceSelection::Everything, &["a.*=c.*"]).expect("there"), ["a.b=c.b", "a.new=c.new", "a.ts=c.ts", "z.y=z.y"]);
}

#[test]
fn a_name_that_never_was_is_refused_with_those_that_are() {
    assert_eq!(message(&["a.nothing"], &[]), "`a.nothing` does not exist at this moment; what exists is `a.b`, `a.new`, `a.ts`, `a.v`");
    assert!(message(&["q.*"], &[]).contains("what exists is `a.b`"));
}

#[test]
fn a_name_that_was_dropped_or_renamed_says_when() {
    assert!(message(&["a.gone"], &[]).contains("does not exist at this moment: it was dropped at (1000,1);"));
    assert!(message(&["a.old"], &[]).contains("it was renamed to `a.new` at (1000,2);"));
    assert!(message(&["a.b"], &["a.gone=a.c"]).contains("it was dropped at (1000,1);"));
}

#[test]
fn a_rename_of_what_is_not_selected_is_refused() {
    assert!(message(&["a.b"], &["z.y=z.x"]).contains("renames nothing"));
}

#[test]
fn two_under_one_name_are_refused() {
    assert_eq!(message(&[], &["a.b=z.y"]), "`a.b` and `z.y` would both be restored as `z.y`; rename one of them or leave it out");
    assert!(message(&[], &["z.y=a.v"]).contains("would both be restored as `a.v`"), "views count");
}

#[test]
fn views_are_selected_beside() {
    let views = outcome().select_views(&only(&["a.*"]), &renames(&["a.*=c.*"])).expect("there");
    assert_eq!(views.iter().map(|view| view.target.to_string()).collect::<Vec<_>>(), ["c.v"]);
    assert_eq!(targets(&only(&["a.v"]), &[]).expect("a view alone"), Vec::<String>::new());
}

#[test]
fn a_collection_the_backup_does_not_hold_is_refused_by_name() {
    let insert_into = |name: &str| insert(name, 7, doc! { "_id": 1 });
    let outcome = Run::all(vec![spec("a.b", Some(1))], [insert_into("a.c")]);
    for selection in [only(&["a.c"]), only(&["a.*"])] {
        let error = outcome.select(&selection, &[]).expect_err("not in the backup");
        assert!(matches!(error, SelectError::NotInBackup { .. }), "{error}");
    }
    assert!(outcome.select(&only(&["a.b"]), &[]).is_ok(), "others are not concerned");
}

#[test]
fn a_selected_name_taken_over_by_a_collection_outside_the_backup_is_refused() {
    // A selective backup of a.b; then a.c, which it does not hold, was renamed over it.
    let outcome = Run::all(vec![spec("a.b", Some(1))], [rename(7, "a.c", "a.b", Some(1))]);
    assert!(matches!(outcome.select(&only(&["a.b"]), &[]), Err(SelectError::NotInBackup { .. })));
}

#[test]
fn thousands_of_names_do_not_flood_the_message() {
    let specs = (0..3000).map(|n| CollectionSpec { options: Document::new(), ..spec(&format!("a.c{n:04}"), None) }).collect();
    let outcome = Run::all(specs, []);
    let message = outcome.select(&only(&["a.x"]), &[]).expect_err("refused").to_string();
    assert!(message.ends_with("and 2988 more") && message.len() < 400, "{message}");
}
