//! Adding a member to a server, and the agent beside it: real processes, killed and stopped as machines do.

use std::path::Path;

use bson::doc;
use oplogue_testkit::{OplogueServer, ReplicaSet, ReplicaSetOptions};
use serde_json::{Value, json};

use crate::program::oplogue;

struct Stage {
    set: ReplicaSet,
    server: OplogueServer,
    backups: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let set = ReplicaSet::start(ReplicaSetOptions::default().test_commands(true)).await.expect("a replica set starts");
        let client = set.client().await.expect("it answers");
        let orders = client.database("shop").collection("orders");
        orders.insert_many((0..100).map(|id| doc! {"_id": id})).await.expect("inserted");
        let program = Path::new(env!("CARGO_BIN_EXE_oplogue"));
        let server = OplogueServer::start(program, &["--refresh", "1s"]).await.expect("the server starts");
        Self { set, server, backups: tempfile::tempdir().expect("a folder") }
    }

    /// Where the testbed's agent `db1` keeps its data.
    fn data_dir(&self) -> String {
        self.server.path().join("agent-db1").display().to_string()
    }

    async fn admin(&self, words: &[&str]) -> crate::program::Told {
        let url = self.server.url();
        let access = ["--server", url.as_str(), "--api-token", self.server.token()];
        oplogue(&[&["admin"], words, &access].concat()).await
    }

    async fn add(&self) -> crate::program::Told {
        let (uri, data_dir) = (self.set.uri_of(0), self.data_dir());
        let words = ["add", "mongodb", "--uri", &uri, "--cluster", "shop", "--service-name", "db1", "--data-dir", &data_dir];
        self.admin(&words).await
    }

    fn start_agent(&self) {
        self.server.spawn_agent("db1", &self.set.uri_of(0), &["--log-level", "info"]).expect("the agent starts");
    }

    async fn service_id(&self) -> String {
        let online = |services: &Value| {
            let ours = services.as_array()?.iter().find(|service| service["name"] == "db1" && service["agent"]["state"] == "online")?;
            ours["id"].as_str().map(str::to_owned)
        };
        self.server.await_answer("/services", "the agent to be online", online).await.expect("it comes online")
    }

    /// Begins a backup; the job's id.
    async fn begin_backup(&self) -> String {
        let path = self.backups.path().display().to_string();
        let location = self.server.post("/locations", &json!({"name": "disk", "kind": "local", "settings": {"path": path}})).await;
        let location = location.expect("a location")["id"].as_str().expect("an id").to_owned();
        let backup = json!({"name": "first", "service_id": self.service_id().await, "location_id": location});
        let begun = self.server.post("/backups", &backup).await.expect("a backup begins");
        begun["id"].as_str().expect("the job").to_owned()
    }

    async fn job(&self, id: &str, state: &str) -> Value {
        let wanted = |job: &Value| (job["state"] == state).then(|| job.clone());
        self.server.await_answer(&format!("/jobs/{id}"), &format!("the job to be {state}"), wanted).await.expect("it comes to that")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_added_listed_and_removed() {
    let stage = Stage::open().await;
    let told = stage.add().await.done();
    assert!(told.stdout.contains("`db1` is enrolled") && told.stdout.contains("systemctl enable --now oplogue-agent"), "{told:?}");
    assert!(told.stdout.contains(&format!("--data-dir {}", stage.data_dir())), "{told:?}");
    stage.add().await.ended(3, &["is enrolled already, as `db1`", "hint: "]);
    assert!(stage.admin(&["list"]).await.done().stdout.contains("db1"));

    stage.start_agent();
    stage.service_id().await;
    let listed = stage.admin(&["list", "--json"]).await.done().json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["cluster"], &listed[0]["role"]),
        (&json!("db1"), &json!("shop"), &json!("primary")),
        "{listed}"
    );
    stage.admin(&["remove", "db2"]).await.ended(3, &["no service `db2`", "db1"]);
    // Its directory is in use as long as it runs.
    stage.server.terminate("db1").await.expect("it stops when told to");
    stage.admin(&["remove", "db1", "--data-dir", &stage.data_dir()]).await.done();
    assert!(stage.admin(&["list"]).await.done().stdout.contains("knows no services"));
    stage.add().await.done();

    let url = stage.server.url();
    oplogue(&["admin", "list", "--server", &url, "--api-token", "wrong"]).await.ended(3, &["refused GET /services"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_in_the_middle_of_a_backup_says_so_and_the_job_can_be_tried_again() {
    let stage = Stage::open().await;
    stage.add().await.done();
    stage.start_agent();
    let admin = stage.set.client().await.expect("it answers").database("admin");
    let hang = doc! {"failCommands": ["listCollections"], "blockConnection": true, "blockTimeMS": 15_000, "appName": "oplogue agent"};
    admin.run_command(doc! {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": hang}).await.expect("set");
    let job = stage.begin_backup().await;
    let working = |job: &Value| job["steps"].as_array().is_some_and(|steps| !steps.is_empty()).then_some(());
    stage.server.await_answer(&format!("/jobs/{job}"), "the backup to be under way", working).await.expect("it works");
    stage.server.kill_agent("db1");
    admin.run_command(doc! {"configureFailPoint": "failCommand", "mode": "off"}).await.expect("let go");

    stage.start_agent();
    let failed = stage.job(&job, "failed").await;
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("the agent was stopped while it worked")), "{failed}");
    stage.server.post(&format!("/jobs/{job}/retry"), &json!({})).await.expect("tried again");
    stage.job(&job, "done").await;

    // The server is killed, too, while the agent goes on.
    stage.server.kill();
    stage.server.restart().await.expect("it comes back");
    stage.service_id().await;
    stage.server.terminate("db1").await.expect("it stops when told to");
    let output = stage.server.whole_output("db1");
    assert!(!output.contains("mistake of this program") && output.contains("in touch with the server"), "{output}");
}
