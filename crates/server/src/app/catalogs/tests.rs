//! Folders that are watched: what is new appears, what is away stays with its error, what others made is found.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oplogue_api::locations::{LocationInput, LocationKind, LocationSecrets, LocationSettings};
use oplogue_testkit::{S3Server, unpack};
use tokio_util::sync::CancellationToken;

use super::{FolderView, keep_fresh};
use crate::app::{Actor, App};
use crate::config::ServerConfig;

const PATIENCE: Duration = Duration::from_secs(60);

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = ServerConfig { refresh: Duration::from_millis(50), ..ServerConfig::local(folder.path()) };
    (App::open(config).expect("it opens"), folder)
}

fn location(app: &App, kind: LocationKind, settings: LocationSettings, secrets: LocationSecrets) -> String {
    let input = LocationInput { name: "main".into(), description: String::new(), kind, settings, secrets };
    app.create_location(&Actor::server("test"), input).expect("created").id
}

fn local(app: &App, path: &Path) -> String {
    let settings = LocationSettings { path: path.display().to_string(), ..LocationSettings::default() };
    location(app, LocationKind::Local, settings, LocationSecrets::default())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm").join(name)
}

/// A slice, as far as its name and size go.
fn slice(folder: &Path, from: &str, to: &str) {
    let file = folder.join(format!("pbmPitr/rs0/{}/{from}-1.{to}-1.oplog.zst", &from[..8]));
    std::fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
    std::fs::write(file, "x").expect("written");
}

/// Waits until the view of the folder is as wanted.
async fn until(app: &App, location_id: &str, folder: &str, wanted: impl Fn(&FolderView) -> bool) -> Arc<FolderView> {
    let found = async {
        loop {
            if let Some(view) = app.folder_view(location_id, folder).filter(|view| wanted(view)) {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("the view is {:?}", app.folder_view(location_id, folder)))
}

#[tokio::test]
async fn a_repository_of_somebody_else_is_found_and_can_be_restored_from() {
    let (app, _folder) = app();
    let pbm = unpack(fixture("storage-pitr.tar")).expect("a fixture");
    let id = local(&app, pbm.path());
    app.refresh_all().await;
    let found: Vec<_> = app.location_folders(&id).expect("there").into_iter().filter(|folder| folder.backups > 0).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let timeline = app.timeline(&id, &found[0].folder).expect("there");
    assert!(timeline.stale.is_none() && timeline.as_of.is_some());
    let range = timeline.restorable.last().expect("PBM sliced");
    assert!(range.through.time() > range.from.time(), "{range:?}");
    assert!(timeline.backups.iter().all(|backup| backup.usable), "{:?}", timeline.backups);

    let folder = &found[0].folder;
    let choice = app.moment_choice(&id, folder, "latest").expect("an answer");
    assert_eq!((choice.moment.time(), choice.refusal), (timeline.restorable.last().expect("as above").through.time(), None));
    assert!(choice.slices > 0 && choice.read_bytes > 0 && choice.base.is_some());
    let later = format!("{},1", range.through.t + 1000);
    let refused = app.moment_choice(&id, folder, &later).expect("an answer");
    assert_eq!(refused.nearest_before.map(|moment| moment.time()), Some(range.through.time()));
    assert!(refused.refusal.is_some() && refused.base.is_none());
    assert_eq!(app.moment_choice(&id, folder, "yesterday").expect_err("no moment").fields[0].field, "moment");
    assert!(app.timeline("loc_none", "").is_err());
}

#[tokio::test]
async fn what_is_new_appears_by_itself_and_a_storage_that_is_away_keeps_its_view() {
    let (app, folder) = app();
    let backups = folder.path().join("backups");
    let cluster = backups.join("shop");
    slice(&cluster, "20261122100000", "20261122100010");
    let id = local(&app, &backups);
    let cancel = CancellationToken::new();
    let task = tokio::spawn(keep_fresh(app.clone(), cancel.clone()));

    let newest = |view: &FolderView| view.timeline.replica_sets.first().and_then(|one| one.newest_covered).map(|time| time.seconds);
    until(&app, &id, "shop", |view| newest(view) == Some(1_795_341_610)).await;
    slice(&cluster, "20261122100010", "20261122100020");
    let view = until(&app, &id, "shop", |view| newest(view) == Some(1_795_341_620)).await;
    assert_eq!((view.bytes, view.error.as_deref()), (2, None));

    // A file where the folder was: the storage answers, and not as one.
    std::fs::rename(&cluster, folder.path().join("aside")).expect("moved");
    std::fs::create_dir_all(cluster.join("pbmPitr")).expect("a folder");
    std::os::unix::fs::symlink(&cluster, cluster.join("pbmPitr/loop")).expect("a link");
    let away = until(&app, &id, "shop", |view| view.error.is_some()).await;
    assert_eq!(newest(&away), Some(1_795_341_620), "what was known stays");
    assert!(away.as_of <= app.clock.now() && away.read_at().is_some());
    let timeline = app.timeline(&id, "shop").expect("there");
    assert!(timeline.stale.is_some_and(|why| why.contains("nested too deeply")));

    std::fs::remove_dir_all(&cluster).expect("removed");
    std::fs::rename(folder.path().join("aside"), &cluster).expect("moved back");
    until(&app, &id, "shop", |view| view.error.is_none()).await;
    cancel.cancel();
    task.await.expect("it ends");
}

#[tokio::test]
async fn a_folder_that_somebody_asks_for_is_read_soon() {
    let (app, folder) = app();
    let id = local(&app, folder.path());
    let cancel = CancellationToken::new();
    let task = tokio::spawn(keep_fresh(app.clone(), cancel.clone()));
    let first = app.timeline(&id, "later/on").expect("there");
    assert!(first.as_of.is_none() && first.stale.is_some());
    until(&app, &id, "later/on", |view| view.read_at().is_some()).await;
    cancel.cancel();
    task.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_read_and_tried_with_the_stored_credentials() {
    let (app, _folder) = app();
    let bucket = S3Server::shared().await.expect("an S3 server").new_bucket().await.expect("a bucket");
    let settings = LocationSettings {
        bucket: bucket.bucket.clone(),
        endpoint: bucket.https_endpoint.clone(),
        prefix: "mongo".into(),
        ca_pem: std::fs::read_to_string(&bucket.ca_file).expect("a certificate"),
        ..LocationSettings::default()
    };
    let secrets = LocationSecrets {
        access_key: Some(bucket.access_key.clone()),
        secret_key: Some(bucket.secret_key.clone()),
        ..LocationSecrets::default()
    };
    let id = location(&app, LocationKind::S3, settings.clone(), secrets.clone());
    let test = app.test_saved_location(&Actor::server("test"), &id).await.expect("tried");
    assert!(test.ok, "{test:?}");

    let repository = app.repository(&id, "shop").expect("opened");
    for name in ["pbmPitr/rs0/20261122/20261122100000-1.20261122100010-1.oplog.zst", "broken.pbm.json"] {
        repository.storage().put(name, "x".into()).await.expect("written");
    }
    app.refresh_all().await;
    let view = app.folder_view(&id, "shop").expect("found");
    assert_eq!((view.catalog.slices.len(), view.catalog.unreadable.len()), (1, 1));
    repository.storage().delete("broken.pbm.json").await.expect("deleted");
    let view = app.look_for_news(&id, "shop").await.expect("read");
    assert_eq!(view.catalog.unreadable.len(), 0);

    let wrong = LocationSecrets { secret_key: Some("wrong".into()), ..secrets };
    let input = LocationInput { name: "main".into(), description: String::new(), kind: LocationKind::S3, settings, secrets: wrong };
    app.change_location(&Actor::server("test"), &id, input).expect("changed");
    let error = app.refresh_folder(&id, "shop").await.expect_err("the key is wrong");
    assert!(error.message.contains("SignatureDoesNotMatch") && !error.message.contains(&bucket.secret_key), "{error}");
    let view = app.folder_view(&id, "shop").expect("it says why");
    assert!(view.error.is_some() && view.read_at().is_none());
}
