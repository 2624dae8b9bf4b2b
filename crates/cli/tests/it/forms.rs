//! Forms in a real browser whose server is slower than the person before it.

use std::path::Path;
use std::time::Duration;

use oplogue_testkit::{Browser, OplogueServer, ReplicaSet, ReplicaSetOptions};
use serde_json::json;

const LATE: Duration = Duration::from_millis(1500);

struct Desk {
    _set: ReplicaSet,
    _folder: tempfile::TempDir,
    _server: OplogueServer,
    browser: Browser,
}

impl Desk {
    /// Somebody signed in before a form, with an agent, a storage location, and answers that take their time.
    async fn at(path: &str) -> Self {
        let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
        let folder = tempfile::tempdir().expect("a folder");
        let server = OplogueServer::start(Path::new(env!("CARGO_BIN_EXE_oplogue")), &[]).await.expect("the server starts");
        server.start_agent("db1", &set.uri(), "shop").await.expect("an agent");
        let location = json!({"name": "disk", "kind": "local", "settings": {"path": folder.path()}});
        server.post("/locations", &location).await.expect("a storage location");
        let mut browser = Browser::start().await.expect("a browser starts");
        server.sign_in(&mut browser, "/backups").await.expect("signed in");
        browser.wait_text("No backups found", false).await.expect("signed in");
        browser.slow(LATE).await.expect("the browser waits");
        browser.goto(&format!("{}{path}", server.url())).await.expect("the page is there");
        Self { _set: set, _folder: folder, _server: server, browser }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_while_the_form_is_filled_in_stays() {
    let mut desk = Desk::at("/backups/new").await;
    let browser = &mut desk.browser;
    browser.fill("Backup name", "quick").await.expect("name");
    // The server is asked what follows from the service; nobody waits for that.
    browser.pick("Service name", "db1").await.expect("the service is offered");
    browser.pick("Location", "disk").await.expect("the location is offered");
    browser.fill("Description", "before the release").await.expect("description");
    browser.wait_for("input[name=db_technology][value^=MongoDB]").await.expect("it is filled in");
    assert_eq!(browser.value("Description").await.expect("the field is there"), "before the release");
    assert_ne!(browser.value("Location").await.expect("the field is there"), "", "what was chosen stays chosen");
    browser.click("button", "Back up now").await.expect("the button is there");
    browser.wait_text("Backup successfully started", false).await.expect("it is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_typed_while_the_template_is_filled_in_stays() {
    let mut desk = Desk::at("/alerts/rules/new").await;
    let browser = &mut desk.browser;
    browser.select_value("template", "restore_point_old").await.expect("the template is offered");
    browser.fill("Limit", "120").await.expect("the limit");
    browser.wait_for("#field-name[value]:not([value=''])").await.expect("it is filled in");
    assert_eq!(browser.value("Limit").await.expect("the field is there"), "120");
    assert_ne!(browser.value("Name").await.expect("the field is there"), "", "the template's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_sent_as_it_is_seen_also_before_it_is_filled_in() {
    let mut desk = Desk::at("/backups/new").await;
    let browser = &mut desk.browser;
    browser.fill("Backup name", "quicker").await.expect("name");
    browser.pick("Location", "disk").await.expect("the location is offered");
    browser.pick("Service name", "db1").await.expect("the service is offered");
    browser.click("button", "Back up now").await.expect("the button is there");
    browser.wait_text("Backup successfully started", false).await.expect("it is taken");
}
