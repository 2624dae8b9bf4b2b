//! What tests do to members: kill, restart, freeze, elect.

use std::time::Duration;

use anyhow::Context;
use bson::doc;
use mongodb::Client;

use super::{ReplicaSet, connect, is_master, process_name};
use crate::wait::{PATIENCE, until};

impl ReplicaSet {
    /// Ends a member with SIGKILL. Its data stays.
    pub async fn kill(&self, member: usize) -> anyhow::Result<()> {
        self.running(member)?;
        self.folder.kill(&process_name(member));
        Ok(())
    }

    /// Ends a member cleanly (SIGTERM).
    pub async fn stop(&self, member: usize) -> anyhow::Result<()> {
        self.running(member)?;
        self.folder.terminate(&process_name(member), PATIENCE).await
    }

    /// Starts a member again (killing it first if it runs), and waits until it listens.
    pub async fn restart(&self, member: usize) -> anyhow::Result<()> {
        self.folder.kill(&process_name(member));
        self.spawn(member)?;
        self.wait_listening(member).await
    }

    /// Freezes a member (SIGSTOP): its connections stay open and get no answer.
    pub async fn pause(&self, member: usize) -> anyhow::Result<()> {
        self.folder.signal(&process_name(member), "STOP")
    }

    /// Lets a frozen member go on (SIGCONT).
    pub async fn resume(&self, member: usize) -> anyhow::Result<()> {
        self.folder.signal(&process_name(member), "CONT")
    }

    /// Makes the primary step down, and waits for the next primary, which may be the same in a set of one. Returns its index.
    pub async fn step_down(&self) -> anyhow::Result<usize> {
        let primary = self.wait_primary().await?;
        let client = connect(&self.uri_of_internal(primary)).await?;
        // Alone it is to come back soon; otherwise it must not be the next one, but one of the next: a test may do this ten times.
        let (seconds, catch_up) = if self.options.members == 1 { (1, 0) } else { (5, 4) };
        let force = self.options.members == 1;
        let command = doc! {"replSetStepDown": seconds, "secondaryCatchUpPeriodSecs": catch_up, "force": force};
        let admin = client.database("admin");
        until("the primary to step down", || async {
            use mongodb::error::ErrorKind;
            match admin.run_command(command.clone()).await {
                Ok(_) => Ok(Some(())),
                // The server may close the connection instead of answering: then the step has been made.
                Err(error) if matches!(*error.kind, ErrorKind::Io(_)) => Ok(Some(())),
                // No longer primary, or nobody has caught up yet with clients that go on writing.
                Err(error) if matches!(*error.kind, ErrorKind::Command(ref command) if command.code == 10107) => Ok(Some(())),
                Err(error) => Err(error).context("replSetStepDown"),
            }
        })
        .await?;
        self.wait_primary_or_elect(Duration::ZERO).await
    }

    /// Waits for a primary and returns its index. When there is none, one of the others is soon asked to stand for election, so that
    /// this need not wait for the election timeout.
    pub async fn wait_primary(&self) -> anyhow::Result<usize> {
        self.wait_primary_or_elect(Duration::from_secs(1)).await
    }

    pub(super) async fn wait_primary_or_elect(&self, grace: Duration) -> anyhow::Result<usize> {
        let clients = self.running_clients().await?;
        let start = tokio::time::Instant::now();
        let found = until("a primary", || async {
            let found = primary_among(&clients).await;
            if found.is_none() && clients.len() > 1 && start.elapsed() >= grace {
                for (_, client) in &clients {
                    let admin = client.database("admin");
                    // Refused while it is not caught up, or may not become primary: then the next one, or later.
                    let step_up = admin.run_command(doc! {"replSetStepUp": 1});
                    if matches!(tokio::time::timeout(Duration::from_secs(5), step_up).await, Ok(Ok(_))) {
                        break;
                    }
                }
            }
            Ok(found)
        });
        found.await.with_context(|| format!("replica set {}", self.name()))
    }

    /// Index of the member that says it is primary now, if any.
    pub async fn primary(&self) -> anyhow::Result<Option<usize>> {
        Ok(primary_among(&self.running_clients().await?).await)
    }

    /// Whether the member's process runs (also when frozen).
    pub fn is_running(&self, member: usize) -> bool {
        self.folder.ended(&process_name(member)).is_none()
    }

    /// Process id of a running member.
    pub fn pid(&self, member: usize) -> Option<u32> {
        self.folder.pid(&process_name(member))
    }

    fn running(&self, member: usize) -> anyhow::Result<()> {
        let end = self.folder.ended(&process_name(member));
        end.map_or(Ok(()), |end| Err(anyhow::anyhow!("member {member} does not run: {end}")))
    }

    /// A direct client of each running member, made on the caller's own runtime.
    pub(super) async fn running_clients(&self) -> anyhow::Result<Vec<(usize, Client)>> {
        let mut clients = Vec::new();
        for member in (0..self.options.members).filter(|m| self.is_running(*m)) {
            clients.push((member, connect(&self.uri_of_internal(member)).await?));
        }
        Ok(clients)
    }
}

/// Asks all at once: a frozen member must not hold up the others' answers.
async fn primary_among(clients: &[(usize, Client)]) -> Option<usize> {
    let asked = clients.iter().map(|(member, client)| async move {
        let answer = is_master(client).await.ok()?;
        answer.get_bool("ismaster").unwrap_or(false).then_some(*member)
    });
    futures::future::join_all(asked).await.into_iter().flatten().next()
}
