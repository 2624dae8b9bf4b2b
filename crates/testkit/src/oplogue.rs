//! The program itself as people run it: a server, agents beside members of a replica set, and the REST API to talk to them.
//!
//! Processes lie in one [`ServerFolder`] with their data, and end with it. The administrator is made through the one-time link that the first start
//! prints; calls are made with an API token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::folder::{ServerFolder, tail};
use crate::http::{self, Response};
use crate::ports::Port;
use crate::wait::until;

/// Who signs in to the pages.
pub const NAME: &str = "admin";
pub const PASSWORD: &str = "correct horse battery staple";

/// A running server. Dropping it ends server and agents and removes their data.
#[derive(Debug)]
pub struct OplogueServer {
    program: PathBuf,
    folder: ServerFolder,
    port: Port,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    token: String,
}

impl OplogueServer {
    /// Starts `program server` on a free port, makes the administrator, and a token for calls. `arguments` are further ones of `server`.
    pub async fn start(program: &Path, arguments: &[&str]) -> anyhow::Result<OplogueServer> {
        Self::start_with(program, arguments, &[]).await
    }

    /// As [`start`](Self::start), with variables in the environment of server and agents.
    pub async fn start_with(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<OplogueServer> {
        let mut server = OplogueServer {
            program: program.to_owned(),
            folder: ServerFolder::new("server")?,
            port: Port::reserve()?,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            token: String::new(),
        };
        server.restart().await?;
        server.make_administrator().await.context("make the first administrator")?;
        Ok(server)
    }

    /// `http://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// An administrator's API token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where data and outputs lie.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the server with SIGKILL, as a crash would.
    pub fn kill(&self) {
        self.folder.kill("server");
    }

    /// Starts the server (again) on its port and data, and waits until it answers.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let data = self.folder.path().join("data");
        let mut words =
            vec!["server".to_owned(), "--listen".to_owned(), self.port.address(), "--data-dir".to_owned(), data.display().to_string()];
        words.extend(self.arguments.iter().cloned());
        self.folder.spawn("server", &self.program, &self.environment, &words)?;
        until("the server to answer", || async {
            if let Some(end) = self.folder.ended("server") {
                anyhow::bail!("the server {end}\n{}", self.output("server"));
            }
            let answer = http::exchange(&self.port.address(), "GET", "/v1/info", "", &[], &[]).await;
            Ok(answer.ok().filter(|answer| answer.status == 200).map(drop))
        })
        .await
    }

    /// Goes to a page and signs in there as the administrator.
    pub async fn sign_in(&self, browser: &mut Browser, path: &str) -> anyhow::Result<()> {
        browser.goto(&format!("{}{path}", self.url())).await?;
        browser.fill("Name", NAME).await?;
        browser.fill("Password", PASSWORD).await?;
        browser.click("button", "Sign in").await
    }

    /// The last lines that a process (`server`, or an agent's name) wrote.
    pub fn output(&self, name: &str) -> String {
        tail(&self.folder.path().join(format!("{name}.out")), 40)
    }

    /// Everything that a process wrote.
    pub fn whole_output(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.out"))).unwrap_or_default()
    }

    async fn make_administrator(&mut self) -> anyhow::Result<()> {
        let link = until("the server to print the link for the first administrator", || async {
            let output = self.whole_output("server");
            Ok(output.split_once("/first?code=").map(|(_, rest)| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()))
        });
        let code = link.await?;
        let first = self.send("POST", "/v1/first", &[], &json!({"code": code, "name": NAME, "password": PASSWORD})).await?;
        anyhow::ensure!(first.status == 200, "the link was not taken: {}", first.describe());
        let cookie =
            first.header("set-cookie").and_then(|cookie| cookie.split(';').next()).context("a session begins with a cookie")?.to_owned();
        let who: Value = serde_json::from_slice(&first.body)?;
        let csrf = who["csrf_token"].as_str().context("a session has a CSRF token")?.to_owned();
        let headers = [("Cookie".to_owned(), cookie), ("X-CSRF-Token".to_owned(), csrf)];
        let made = self.send("POST", "/v1/tokens", &headers, &json!({"name": "tests", "role": "administrator"})).await?;
        anyhow::ensure!(made.status == 201 || made.status == 200, "no token was made: {}", made.describe());
        let made: Value = serde_json::from_slice(&made.body)?;
        self.token = made["token"].as_str().context("a new token is told")?.to_owned();
        Ok(())
    }

    /// Any request, `path` with its query; whatever the answer is.
    pub async fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: &Value) -> anyhow::Result<Response> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = headers.to_vec();
        let bytes = match body {
            Value::Null => Vec::new(),
            body => {
                headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
                body.to_string().into_bytes()
            }
        };
        http::exchange(&self.port.address(), method, path, query, &headers, &bytes).await
    }

    /// A call of the REST API, `path` without `/v1`; whatever the answer is.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let headers = [("Authorization".to_owned(), format!("Bearer {}", self.token))];
        let answer = self.send(method, &format!("/v1{path}"), &headers, body).await?;
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Ok((answer.status, value))
    }

    /// A call that must succeed.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, value) = self.ask(method, path, body).await?;
        anyhow::ensure!((200..300).contains(&status), "{method} {path} {body}: HTTP {status} {value}");
        Ok(value)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call("POST", path, body).await
    }

    /// Waits until a call's answer is as wanted, and returns what `wanted` makes of it.
    pub async fn await_answer<T>(&self, path: &str, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> anyhow::Result<T> {
        until(what, || async {
            let answer = self.get(path).await?;
            wanted(&answer).map(Some).ok_or_else(|| anyhow::anyhow!("{answer}"))
        })
        .await
    }

    /// Waits until a job is over; an error when it did not end well.
    pub async fn await_job(&self, id: &str) -> anyhow::Result<Value> {
        let over = |job: &Value| matches!(job["state"].as_str(), Some("done" | "failed" | "cancelled")).then(|| job.clone());
        let job = self.await_answer(&format!("/jobs/{id}"), "the job to end", over).await?;
        anyhow::ensure!(job["state"] == "done", "job {id} did not end well: {job}");
        Ok(job)
    }

    /// Enrols an agent for the mongod at `uri` and runs it as the process `name`. Returns the id of its service once it is online.
    pub async fn start_agent(&self, name: &str, uri: &str, cluster: &str) -> anyhow::Result<String> {
        let enrolment = self.post("/enrolments", &json!({"cluster": cluster})).await?;
        let token = enrolment["token"].as_str().context("a token is told")?.to_owned();
        self.spawn_agent(name, uri, &["--cluster", cluster, "--service-name", name, "--token", &token])?;
        let online = |services: &Value| {
            let mine = services.as_array()?.iter().find(|service| service["name"] == name && service["agent"]["state"] == "online")?;
            mine["id"].as_str().map(str::to_owned)
        };
        let waited = self.await_answer("/services", "the agent to be online", online).await;
        waited.with_context(|| format!("agent {name}:\n{}", self.output(name)))
    }

    /// Runs an agent that is enrolled already (after [`kill_agent`](Self::kill_agent)), or with a token among `words`.
    pub fn spawn_agent(&self, name: &str, uri: &str, words: &[&str]) -> anyhow::Result<()> {
        let data = self.folder.path().join(format!("agent-{name}"));
        let mut all: Vec<String> = vec![
            "agent".into(),
            "--uri".into(),
            uri.into(),
            "--server".into(),
            self.url(),
            "--data-dir".into(),
            data.display().to_string(),
        ];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        self.folder.spawn(name, &self.program, &self.environment, &all)
    }

    pub fn kill_agent(&self, name: &str) {
        self.folder.kill(name);
    }

    /// Ends an agent or the server as a service manager would.
    pub async fn terminate(&self, name: &str) -> anyhow::Result<()> {
        self.folder.terminate(name, Duration::from_secs(30)).await
    }

    /// SIGSTOP and the like, to `server` or an agent's name.
    pub fn signal(&self, name: &str, signal: &str) -> anyhow::Result<()> {
        self.folder.signal(name, signal)
    }
}
