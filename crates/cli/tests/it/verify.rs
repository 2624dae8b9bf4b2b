//! `verify` and `copy` by the program: what is printed, and how it ends.

use crate::examples::unpacked;
use crate::program::oplogue;
use crate::stage::Stage;

#[tokio::test]
async fn a_whole_repository_ends_with_0_and_a_damaged_one_with_1() {
    let stage = Stage::shared().await;
    let told = oplogue(&["verify", "--storage", &stage.storage()]).await.done();
    assert!(told.stdout.contains("nothing is damaged") && told.stdout.contains("CAN BE RESTORED"), "{told:?}");
    assert!(told.stderr.contains("reading everything back"), "progress is told: {told:?}");

    let copied = stage.copied_storage();
    let slice = copied.files(&["Pitr/", ".oplog."]).remove(1);
    let mut bytes = std::fs::read(&slice).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&slice, bytes).expect("written");
    let told = oplogue(&["verify", "--storage", &copied.storage()]).await.ended(1, &[]);
    let name = slice.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(
        told.stdout.contains(name) && told.stdout.contains("CAN STILL BE RESTORED") && told.stdout.contains("LOST BY THE DAMAGE"),
        "{told:?}"
    );
    let json = oplogue(&["verify", "--storage", &copied.storage(), "--json"]).await.ended(1, &[]).json();
    assert_eq!(
        (&json["whole"], &json["findings"][0]["kind"], &json["findings"][0]["loss"]),
        (&false.into(), &"content".into(), &"slice".into())
    );
    assert_eq!((&json["backups"][0]["standing"], &json["lost"].as_array().map(Vec::len)), (&"whole".into(), &Some(1)), "{json}");
    oplogue(&["verify", "--storage", &copied.storage(), "--backup", "base"]).await.done();
    oplogue(&["verify", "--storage", &copied.storage(), "--backup", "unheard-of"]).await.ended(3, &["unheard-of"]);
}

#[tokio::test]
async fn a_sample_says_its_seed_and_reads_the_same_again() {
    let (_keep, folder) = unpacked("storage-pitr");
    let storage = format!("file://{}", folder.display());
    let words = ["verify", "--storage", &storage, "--sample", "20%", "--json"];
    let first = oplogue(&words).await.done().json();
    let seed = first["seed"].to_string();
    let again = oplogue(&[&words[..], &["--seed", &seed]].concat()).await.done().json();
    assert_eq!(first, again);
    let (read, all) = (first["totals"]["read_to_the_end"].as_u64(), first["totals"]["objects"].as_u64());
    assert!(read > Some(0) && read < all, "{first}");
    let text = oplogue(&["verify", "--storage", &storage, "--sample", "3"]).await.done().stdout;
    assert!(text.contains("a sample of 3 objects, --seed"), "{text}");
}

#[tokio::test]
async fn what_pbm_wrote_is_copied_and_listed_alike() {
    let (_keep, folder) = unpacked("storage-pitr");
    let to = tempfile::tempdir().expect("a folder");
    let (from, to) = (format!("file://{}", folder.display()), format!("file://{}", to.path().display()));
    let told = oplogue(&["copy", "--from", &from, "--to", &to, "--to-folder", "copy", "--all", "--with-slices"]).await.done();
    assert!(told.stdout.contains("whole"), "{told:?}");
    let there = oplogue(&["list", "--storage", &to, "--folder", "copy", "--json"]).await.done().json();
    assert_eq!(there, oplogue(&["list", "--storage", &from, "--json"]).await.done().json());
    oplogue(&["copy", "--from", &from, "--to", &to, "--backup", "unheard-of"]).await.ended(3, &["unheard-of"]);
}
