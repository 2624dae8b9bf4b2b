//! A backup whose server and storage are away in the middle of it, once each and longer than any single call waits.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, ensure};
use bson::{Document, doc};
use oplogue_domain::plan::Moment;
use oplogue_engine::progress::{Progress, Silent, Step, Unit};
use oplogue_engine::{backup, restore};
use oplogue_mongo::{ConnectOptions, Connection};
use oplogue_repository::Repository;
use oplogue_storage::Storage;
use oplogue_storage::faulty::{StorageFault, faulty};
use oplogue_testkit::{Fault, ReplicaSet, ReplicaSetOptions, capture, differences, wait};
use tokio_util::sync::CancellationToken;

use crate::setup;

type Trap = Box<dyn FnOnce() + Send>;

/// Springs a trap when the next documents are read.
#[derive(Default)]
struct Traps {
    armed: Mutex<Option<Trap>>,
    /// How many notes there were when the last one sprang.
    before: Mutex<usize>,
    notes: Mutex<Vec<String>>,
}

impl Traps {
    fn arm(&self, trap: impl FnOnce() + Send + 'static) {
        *self.armed.lock().expect("no trap panics") = Some(Box::new(trap));
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no test panics while it holds the notes").clone()
    }

    /// Waits until the trap has sprung, and somebody has told that it hurt.
    async fn hurts<T>(&self, running: &tokio::task::JoinHandle<T>) -> anyhow::Result<()> {
        let sprung =
            || async { Ok(running.is_finished().then_some(()).or(self.armed.lock().expect("no trap panics").is_none().then_some(()))) };
        wait::until("documents to be read", sprung).await.with_context(|| format!("{:#?}", self.notes()))?;
        let before = *self.before.lock().expect("no trap panics");
        let told = || async {
            let told = self.notes()[before..].iter().any(|note| note.starts_with("trying again"));
            Ok((told || running.is_finished()).then_some(()))
        };
        wait::until("a failure to be told", told).await.with_context(|| format!("{:#?}", self.notes()))?;
        ensure!(!running.is_finished(), "the backup ended: {:#?}", self.notes());
        Ok(())
    }
}

impl Progress for Traps {
    fn begin(&self, _: Step, _: Unit, _: Option<u64>) {}
    fn end(&self, _: Step) {}

    fn advance(&self, step: Step, _: u64) {
        let mut armed = self.armed.lock().expect("no trap panics");
        if step == Step::Snapshot
            && let Some(spring) = armed.take()
        {
            *self.before.lock().expect("no trap panics") = self.notes().len();
            spring();
        }
    }

    fn note(&self, text: &str) {
        self.notes.lock().expect("no test panics while it holds the notes").push(text.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_on_after_its_server_and_its_storage_were_away() -> anyhow::Result<()> {
    let set = Arc::new(ReplicaSet::start(ReplicaSetOptions::default().proxied(true)).await?);
    let client = set.client_of(0).await?;
    let shop = client.database("shop");
    for name in ["a", "b", "c", "d"] {
        let documents = (0..4_000).map(|n| doc! { "_id": n, "text": format!("{name}{n}").repeat(100) });
        shop.collection(name).insert_many(documents).await?;
    }
    let (broken, faults) = faulty(&Storage::memory());
    let repository = Repository::new(broken);
    let mut request = setup::backup_request(&set, &repository).await?;
    let short = Duration::from_secs(1);
    let options = ConnectOptions { connect_timeout: short, command_timeout: short, batch_timeout: short, ..ConnectOptions::default() };
    request.connection = Connection::open(&set.uri(), &options).await?;
    request.parallel = 1;
    let (refused, silent, storage) = (set.clone(), set.clone(), faults.clone());
    let traps = Arc::new(Traps::default());
    traps.arm(move || refused.proxy(0).set(Fault::Refuse));
    let running = tokio::spawn(backup::run(request, traps.clone(), CancellationToken::new()));
    traps.hurts(&running).await?;
    // Clients reach the server all the while.
    shop.collection::<Document>("a").update_many(doc! { "_id": { "$lt": 50 } }, doc! { "$set": { "changed": true } }).await?;
    // As long as several calls wait.
    tokio::time::sleep(Duration::from_secs(3)).await;
    traps.arm(move || storage.set(StorageFault::Away));
    set.proxy(0).set(Fault::None);

    traps.hurts(&running).await?;
    shop.collection::<Document>("b").drop().await?;
    traps.arm(move || silent.proxy(0).set(Fault::Stall));
    faults.set(StorageFault::None);

    traps.hurts(&running).await?;
    shop.collection("c").insert_one(doc! { "_id": "late" }).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    set.proxy(0).set(Fault::None);
    let report = running.await?.with_context(|| format!("{:#?}", traps.notes()))?;

    let state = capture(&client).await?;
    let target = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let request = setup::restore_request(&target, &repository, Moment::At(report.restores_to)).await?;
    let prepared = restore::prepare(request, Arc::new(Silent), CancellationToken::new()).await?;
    restore::carry_out(prepared, Arc::new(Silent), CancellationToken::new()).await?;
    let wrong = differences(&state, &capture(&target.client().await?).await?);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
