//! From README.md to a replica set whose every moment can be restored: the commands as they stand there, in an empty folder, and the clicks
//! it names.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use oplogue_testkit::ports::Port;
use oplogue_testkit::{Browser, ReplicaSet, ReplicaSetOptions};
use tokio::process::{Child, Command};

const COMMANDS_MAX: usize = 5;
const PASSWORD: &str = "correct horse battery staple";

/// The commands between the markers, one a line.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).expect("README.md");
    let (_, rest) = readme.split_once("<!-- newcomer: begin").expect("the way of a newcomer is marked in README.md");
    let (inside, _) = rest.split_once("<!-- newcomer: end").expect("its end is marked");
    let blocks = inside.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

struct Newcomer {
    folder: tempfile::TempDir,
    set: ReplicaSet,
    port: Port,
    running: Vec<Child>,
}

impl Newcomer {
    /// Types a command into a shell in the folder and leaves it running.
    fn types(&mut self, command: &str, output: &str) {
        let program = Path::new(env!("CARGO_BIN_EXE_oplogue")).parent().expect("it lies in a folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let file = std::fs::File::create(self.folder.path().join(output)).expect("a file for what it says");
        let mut bash = Command::new("bash");
        // `exec`, so that the program itself is what ends with the test.
        bash.args(["-c", &format!("exec {command}")]).current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        bash.stdout(file.try_clone().expect("the same file")).stderr(file);
        bash.env("PATH", path)
            .env("OPLOGUE_URI", self.set.uri())
            .env("OPLOGUE_LISTEN", self.port.address())
            .env("HOME", self.folder.path());
        self.running.push(bash.spawn().expect("bash starts"));
    }

    async fn reads(&self, output: &str, sign: &str) -> String {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(self.folder.path().join(output)).unwrap_or_default();
            if text.contains(sign) && text.ends_with('\n') {
                return text;
            }
            assert!(tokio::time::Instant::now() < deadline, "`{sign}` was not said: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_gets_from_the_readme_to_a_restorable_pitr_job() {
    let commands = commands();
    assert!((2..=COMMANDS_MAX).contains(&commands.len()), "{commands:?}");
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("an existing replica set");
    let port = Port::reserve().expect("a free port");
    let mut newcomer = Newcomer { folder: tempfile::tempdir().expect("an empty folder"), set, port, running: Vec::new() };
    let mut browser = Browser::start().await.expect("a browser starts");

    newcomer.types(&commands[0], "server.log");
    let said = newcomer.reads("server.log", "/first?code=").await;
    let link = said.split_whitespace().find(|word| word.contains("/first?code=")).expect("it prints the link");
    browser.goto(link).await.expect("the link works");
    browser.fill("Name", "anna").await.expect("name");
    browser.fill("Password", PASSWORD).await.expect("password");
    browser.fill("Password again", PASSWORD).await.expect("again");
    browser.click("button", "Set password and sign in").await.expect("signed in");

    browser.click("link", "Storage locations").await.expect("the menu");
    browser.click("link", "Add storage location").await.expect("as README says");
    browser.choose("kind", "local").await.expect("a folder");
    browser.fill("Name", "disk").await.expect("name");
    browser.fill("Path", &newcomer.folder.path().join("backups").display().to_string()).await.expect("path");
    browser.click("button", "Add").await.expect("added");
    browser.wait_text("successfully added", false).await.expect("it says so");

    browser.click("link", "Services").await.expect("the menu");
    browser.click("link", "Enrol an agent").await.expect("as README says");
    browser.fill("Cluster label", "mycluster").await.expect("label");
    browser.click("button", "Make a one-time token").await.expect("a token");
    browser.wait_text("--token", false).await.expect("the command");
    let page = browser.text().await.expect("a text");
    let token = page.split("--token ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("the command has the token");
    let command = commands[1].replace("TOKEN", token).replace("http://127.0.0.1:8480", &format!("http://{}", newcomer.port.address()));
    newcomer.types(&command, "agent.log");
    browser.click("link", "Services").await.expect("the menu");
    browser.wait_text("Online", true).await.expect("the agent is online");

    browser.click("link", "Scheduled backup jobs").await.expect("the menu");
    browser.click("link", "Create scheduled backup").await.expect("as README says");
    browser.fill("Backup name", "every-moment").await.expect("name");
    let service = newcomer.set.uri();
    let member = service.trim_start_matches("mongodb://").split(['/', ',']).next().expect("a member").to_owned();
    browser.pick("Service name", &member).await.expect("the service is offered");
    browser.choose("mode", "pitr").await.expect("PITR");
    browser.pick("Location", "disk").await.expect("the location is offered");
    browser.click("button", "Schedule").await.expect("scheduled");
    browser.wait_text("Backup successfully scheduled", false).await.expect("it says so");
    browser.click("link", "Timeline").await.expect("the menu");
    browser.wait_text("Newest moment", true).await.expect("a moment can be restored");
    browser.click("link", "All backups").await.expect("the menu");
    browser.wait_text("restorable until", true).await.expect("and every moment after it");
}
