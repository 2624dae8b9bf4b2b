//! Backup management as people use it: a browser, a server, an agent, a replica set, an S3 server and a folder.
//!
//! The steps are those of the description this product began with, numbered as there.

use std::path::Path;
use std::time::Duration;

use bson::{Document, doc};
use mongodb::Client;
use oplogue_testkit::receivers::{HttpReceiver, MailReceiver};
use oplogue_testkit::{Browser, OplogueServer, ReplicaSet, ReplicaSetOptions, S3Bucket, S3Server, capture};
use tempfile::TempDir;

use crate::stage::newest;

struct Story {
    set: ReplicaSet,
    client: Client,
    bucket: S3Bucket,
    folder: TempDir,
    server: OplogueServer,
    browser: Browser,
}

impl Story {
    async fn begin() -> Self {
        let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
        let client = set.client().await.expect("the replica set answers");
        let bucket = S3Server::shared().await.expect("an S3 server").new_bucket().await.expect("a bucket");
        let program = Path::new(env!("CARGO_BIN_EXE_oplogue"));
        let server = OplogueServer::start(program, &["--refresh", "1s"]).await.expect("the server starts");
        let browser = Browser::start().await.expect("a browser starts");
        Self { set, client, bucket, folder: tempfile::tempdir().expect("a folder"), server, browser }
    }

    async fn go(&mut self, path: &str) {
        let url = format!("{}{path}", self.server.url());
        self.browser.goto(&url).await.expect("the page is there");
    }

    async fn fill(&mut self, label: &str, text: &str) {
        self.browser.fill(label, text).await.expect("the field is there");
    }

    async fn press(&mut self, button: &str) {
        self.browser.click("button", button).await.expect("the button is there");
    }

    async fn sees(&mut self, text: &str) {
        self.browser.wait_text(text, false).await.expect("it is to be seen");
    }

    /// Reloads until it is to be seen.
    async fn will_see(&mut self, text: &str) {
        self.browser.wait_text(text, true).await.expect("it is to be seen in the end");
    }

    async fn text(&mut self) -> String {
        self.browser.text().await.expect("the page has a text")
    }

    /// `/something/ID` of where the browser is.
    async fn id(&mut self) -> String {
        let url = self.browser.url().await.expect("an address");
        url.rsplit('/').next().unwrap_or_default().split(['?', '#']).next().unwrap_or_default().to_owned()
    }

    async fn sign_in(&mut self) {
        self.server.sign_in(&mut self.browser, "/backups").await.expect("signed in");
        self.sees("No backups found").await;
    }

    async fn add_locations(&mut self) {
        let bucket = self.bucket.clone();
        self.go("/locations/new").await;
        self.browser.choose("kind", "s3").await.expect("S3");
        self.fill("Name", "s3-main").await;
        self.fill("Endpoint", &bucket.endpoint).await;
        self.fill("Bucket name", &bucket.bucket).await;
        self.fill("Region", "us-east-1").await;
        self.fill("Access key", &bucket.access_key).await;
        self.fill("Secret key", "not the secret").await;
        self.press("Test").await;
        self.browser.wait_for("#test-result .tone-danger").await.expect("the wrong secret is found out");
        self.fill("Secret key", &bucket.secret_key).await;
        self.press("Test").await;
        self.sees("This storage location is valid").await;
        self.press("Add").await;
        self.sees("Backup location \"s3-main\" was successfully added").await;

        let path = self.folder.path().display().to_string();
        self.go("/locations/new").await;
        self.browser.choose("kind", "local").await.expect("a folder");
        self.fill("Name", "disk").await;
        self.fill("Path", "relative/path").await;
        self.press("Add").await;
        self.sees("Folder should be an absolute path (should contain leading slash).").await;
        assert_eq!(self.browser.value("Name").await.expect("the field is there"), "disk", "nothing typed is lost");
        self.fill("Path", &path).await;
        self.press("Add").await;
        self.sees("Backup location \"disk\" was successfully added").await;
    }

    async fn enrol_agent(&mut self) {
        self.go("/services/enrol").await;
        self.fill("Cluster label", "shop").await;
        self.press("Make a one-time token").await;
        self.sees("--token").await;
        let page = self.text().await;
        let token =
            page.split("--token ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("the command has the token").to_owned();
        let words = ["--cluster", "shop", "--service-name", "db1", "--token", token.trim_matches('\'')];
        self.server.spawn_agent("db1", &self.set.uri(), &words).expect("the agent starts");
        self.go("/services").await;
        self.will_see("Online").await;
        // The location is tried from beside the mongod, too.
        self.go("/locations").await;
        self.browser.click("link", "s3-main").await.expect("the location");
        self.press("Test").await;
        self.sees("db1").await;
    }

    /// Steps 1 to 12: a PITR job.
    async fn schedule_pitr(&mut self) {
        self.go("/backups").await; // 1
        self.browser.click("link", "Create backup").await.expect("the button is there"); // 2
        self.browser.choose("kind", "schedule").await.expect("Schedule Backup"); // 3
        self.fill("Backup name", "shop pitr!").await; // 4
        self.browser.pick("Service name", "db1").await.expect("the service is offered"); // 5
        self.browser.choose("data_model", "logical").await.expect("Logical"); // 6
        self.browser.pick("Location", "s3-main").await.expect("the location is offered"); // 7
        self.browser.choose("mode", "pitr").await.expect("PITR"); // 8
        self.fill("At", "03:00").await;
        self.fill("Number of backups", "3").await;
        self.press("Schedule").await;
        // Wrong names are told beside the field, and the rest stays as typed.
        self.sees("Backup name can contain only dots, colons, letters, digits, underscores and dashes.").await;
        assert_eq!(self.browser.value("At").await.expect("the field is there"), "03:00");
        self.fill("Backup name", "shop-pitr").await;
        self.browser.click_at("summary:has-text('Advanced')").await.expect("Advanced settings"); // 9
        self.browser.choose("retry_mode", "auto").await.expect("Auto");
        self.fill("Retries", "10").await;
        self.fill("Length of a slice", "2").await;
        assert_eq!(self.browser.value("Folder").await.expect("the field is there"), "shop", "the cluster label"); // 10
        self.press("Schedule").await; // 11
        self.sees("Backup successfully scheduled").await;
    }

    /// Step 12, and the artifact.
    async fn watch_first_backup(&mut self) {
        self.go("/backups").await;
        self.browser.wait_for("td .ellipsis").await.expect("an animated ellipsis while the backup is being created");
        self.will_see("Success").await;
        self.will_see("PITR").await;
    }
}

async fn load(client: &Client) {
    let orders = client.database("shop").collection::<Document>("orders");
    for batch in 0..8 {
        let some = (0..2_000).map(|id| doc! {"_id": batch * 2_000 + id, "paid": false, "note": format!("{:x<2000}", id)});
        orders.insert_many(some).await.expect("inserted");
    }
    orders.create_index(mongodb::IndexModel::builder().keys(doc! {"paid": 1}).build()).await.expect("indexed");
}

async fn trade(client: &Client) {
    let orders = client.database("shop").collection::<Document>("orders");
    orders.update_many(doc! {"_id": {"$mod": [7, 0]}}, doc! {"$set": {"paid": true}}).await.expect("paid");
    orders.delete_many(doc! {"_id": {"$mod": [11, 3]}}).await.expect("cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_collection_is_brought_back_in_the_browser() {
    let mut story = Story::begin().await;
    load(&story.client).await;
    story.sign_in().await;
    story.add_locations().await;
    story.enrol_agent().await;
    story.schedule_pitr().await;
    story.watch_first_backup().await;

    trade(&story.client).await;
    let before = capture(&story.client).await.expect("a state");
    story.client.database("shop").collection::<Document>("orders").drop().await.expect("dropped");
    let dropped = newest(&story.client, doc! {"o.drop": "orders"}).await;
    story.client.database("shop").collection::<Document>("complaints").insert_one(doc! {"_id": 1}).await.expect("inserted");
    restore(&mut story, &format!("{},{}", dropped.time, dropped.increment)).await;
    let after = capture(&story.client).await.expect("a state");
    assert_eq!(after.collections["shop.orders"].hash, before.collections["shop.orders"].hash);
    assert_eq!(after.collections["shop.orders"].indexes, before.collections["shop.orders"].indexes);
    assert!(after.collections.contains_key("shop.complaints"), "only what was chosen was touched");

    conflict(&mut story).await;
    failed_backup_is_told(&mut story).await;
    retention_and_delete(&mut story).await;
    let problems = story.browser.problems().await.expect("the browser answers");
    assert!(problems.is_empty(), "{problems:?}");
    let output = story.server.whole_output("server");
    assert!(!output.contains(" ERROR "), "{output}");
}

/// Timeline → moment → plan → typed confirmation → progress → proof.
async fn restore(story: &mut Story, moment: &str) {
    story.go("/timeline").await;
    story.sees("Restore").await;
    let (seconds, ordinal) = moment.split_once(',').expect("T,I");
    let service = story.server.get("/services").await.expect("services")[0]["id"].as_str().expect("an id").to_owned();
    let location = story.server.get("/locations").await.expect("locations");
    let location = location.as_array().and_then(|all| all.iter().find(|one| one["name"] == "s3-main")).expect("it is there")["id"].clone();
    let location = location.as_str().expect("an id");
    story
        .server
        .await_answer(&format!("/timelines?location_id={location}&folder=shop"), "the drop to be on the storage", |timeline| {
            let through = &timeline["restorable"].as_array()?.last()?["through"];
            let reached = (through["t"].as_u64()?, through["i"].as_u64()?);
            (reached >= (seconds.parse().ok()?, ordinal.parse().ok()?)).then_some(())
        })
        .await
        .expect("slices arrive");
    story.go(&format!("/restore?location_id={location}&folder=shop")).await;
    story.browser.choose("kind", "before").await.expect("just before an operation");
    story.fill("Moment, exactly", moment).await;
    story.browser.choose("service_id", &service).await.expect("the same service");
    story.fill("Only these namespaces", "shop.orders").await;
    story.press("Make the plan").await;
    story.will_see("Type “shop” to confirm").await;
    story.sees("shop.orders").await;
    story.fill("Type “shop” to confirm", "wrong").await;
    story.press("Restore shop").await;
    story.sees("type the name of the cluster that is restored to: shop").await;
    story.fill("Type “shop” to confirm", "shop").await;
    story.press("Restore shop").await;
    let restore = story.id().await;
    story.server.await_job(&restore).await.expect("the restore ends well");
    // The proof: what was found on the target, beside what was planned.
    story.will_see("Proof").await;
    story.go("/restores").await;
    story.sees("Done").await;
}

/// A second schedule for the same cluster is refused in the known words, and what was typed is kept.
async fn conflict(story: &mut Story) {
    story.go("/schedules/new").await;
    story.fill("Backup name", "nightly").await;
    story.browser.pick("Service name", "db1").await.expect("the service is offered");
    story.browser.pick("Location", "disk").await.expect("the location is offered");
    story.browser.choose("mode", "snapshot").await.expect("Full");
    story.press("Schedule").await;
    story.sees("A snapshot backup for cluster 'shop' can be performed only if there is no enabled PITR backup for this cluster.").await;
    story.sees("Disable these jobs and save").await;
    assert_eq!(story.browser.value("Backup name").await.expect("the field is there"), "nightly");
}

/// The storage is taken away, a backup fails, and a webhook and a mailbox hear of it.
async fn failed_backup_is_told(story: &mut Story) {
    let (hook, mailbox) = (HttpReceiver::start("200 OK", "").await, MailReceiver::start(None).await);
    story.go("/alerts/contact-points/new").await;
    story.browser.choose("kind", "webhook").await.expect("webhook");
    story.fill("Name", "on-call").await;
    story.browser.fill_name("secrets.webhook_url", &format!("http://{}/hook", hook.address)).await.expect("URL");
    story.press("Add").await;
    story.sees("was saved").await;
    story.go("/alerts/contact-points/new").await;
    story.browser.choose("kind", "email").await.expect("e-mail");
    story.fill("Name", "mailbox").await;
    story.fill("SMTP server", &mailbox.address).await;
    story.browser.select_value("settings.smtp_security", "none").await.expect("no encryption");
    story.fill("From", "oplogue@example.org").await;
    story.fill("To", "dba@example.org").await;
    story.press("Add").await;
    story.sees("was saved").await;
    let rules = story.server.get("/alerts/rules").await.expect("rules");
    let rule = rules.as_array().and_then(|all| all.iter().find(|rule| rule["template"] == "backup_failed")).expect("it is there by itself");
    story.go(&format!("/alerts/rules/{}", rule["id"].as_str().expect("an id"))).await;
    story.browser.check("on-call").await.expect("the contact point is offered");
    story.browser.check("mailbox").await.expect("the contact point is offered");
    story.press("Save").await;

    // A file where the folder was: nothing can be written there, not even by root.
    let path = story.folder.path().to_owned();
    std::fs::remove_dir_all(&path).expect("the storage is taken away");
    std::fs::write(&path, "not a folder").expect("written");
    back_up_to_disk(story, "before-release").await;
    story.will_see("Failed").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while hook.got().is_empty() || mailbox.got().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "{:?} {:?}", hook.got(), mailbox.got());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(hook.got()[0].body.contains("before-release"), "{:?}", hook.got());
    assert!(mailbox.got()[0].text.contains("Backup failed"), "{:?}", mailbox.got());
    // What was restorable before the failed run still is.
    story.go("/backups").await;
    story.sees("Error").await;
    story.sees("Success").await;
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("the storage is back");
}

async fn back_up_to_disk(story: &mut Story, name: &str) {
    story.go("/backups/new").await;
    story.fill("Backup name", name).await;
    story.browser.pick("Service name", "db1").await.expect("the service is offered");
    story.browser.pick("Location", "disk").await.expect("the location is offered");
    story.press("Back up now").await;
    story.sees("Backup successfully started").await;
}

/// Retention says beforehand what it would do; a backup that nothing needs is deleted with its objects.
async fn retention_and_delete(story: &mut Story) {
    let schedules = story.server.get("/schedules").await.expect("schedules");
    story.go(&format!("/schedules/{}/retention", schedules[0]["id"].as_str().expect("an id"))).await;
    story.sees("shop-pitr_").await;

    back_up_to_disk(story, "to-delete").await;
    let job = story.id().await;
    story.server.await_job(&job).await.expect("the backup is taken");
    story.go("/backups").await;
    story.will_see("to-delete_").await;
    let backups = story.server.get("/backups").await.expect("backups");
    let found = backups["items"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["name"].as_str().is_some_and(|name| name.starts_with("to-delete_"))));
    let id = found.expect("it is listed")["id"].as_str().expect("an id").to_owned();
    story.go(&format!("/backups/{id}/delete")).await;
    story.press("Delete").await;
    let job = story.id().await;
    story.server.await_job(&job).await.expect("the backup is deleted");
    let left = walk(story.folder.path());
    assert!(!left.iter().any(|name| name.contains("to-delete_")), "{left:?}");
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path().display().to_string()) }
        }
    }
    found
}
