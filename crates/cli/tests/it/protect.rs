//! The whole way over the REST API, with real processes: a PITR job, its slices, a dropped collection brought back, protection that goes on.

use std::path::Path;

use bson::{Document, doc};
use oplogue_testkit::{OplogueServer, ReplicaSet, ReplicaSetOptions};
use serde_json::{Value, json};

use crate::stage::{newest, typed};

async fn done(server: &OplogueServer, id: &str) -> Value {
    let over = |job: &Value| matches!(job["state"].as_str(), Some("done" | "failed" | "cancelled")).then(|| job.clone());
    let job = server.await_answer(&format!("/jobs/{id}"), "the job to end", over).await.expect("it ends");
    assert_eq!(job["state"], "done", "{job:#}");
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_collection_comes_back_and_protection_goes_on() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    let orders = client.database("shop").collection::<Document>("orders");
    orders.insert_many((0..500).map(|id| doc! {"_id": id, "paid": false})).await.expect("inserted");
    let server = OplogueServer::start(Path::new(env!("CARGO_BIN_EXE_oplogue")), &["--refresh", "1s"]).await.expect("the server starts");
    let service = server.start_agent("db1", &set.uri_of(0), "shop").await.expect("the agent comes online");
    let backups = tempfile::tempdir().expect("a folder");
    let location = json!({"name": "disk", "kind": "local", "settings": {"path": backups.path()}});
    let location = server.post("/locations", &location).await.expect("a location")["id"].as_str().expect("an id").to_owned();

    // The first snapshot begins by itself, slicing follows.
    let schedule = json!({
        "name": "pitr", "service_id": service, "location_id": location, "mode": "pitr", "cron": "0 3 * * *", "slice_seconds": 1,
    });
    let schedule = server.post("/schedules", &schedule).await.expect("a schedule")["id"].as_str().expect("an id").to_owned();
    let first = |page: &Value| page["items"][0]["id"].as_str().map(str::to_owned);
    let first = server.await_answer("/jobs?kind=backup", "the first snapshot to begin", first).await.expect("it begins");
    done(&server, &first).await;
    let sliced = |shown: &Value| shown["slicing"].as_str().filter(|text| text.starts_with("stored by the agent of db1")).map(str::to_owned);
    server.await_answer(&format!("/schedules/{schedule}"), "slicing to begin", sliced).await.expect("it slices");

    // Work goes on, then the mishap.
    orders.update_many(doc! {"_id": {"$lt": 100}}, doc! {"$set": {"paid": true}}).await.expect("updated");
    orders.drop().await.expect("dropped");
    let dropped = newest(&client, doc! {"op": "c", "o.drop": "orders"}).await;
    let folder = format!("/timelines?location_id={location}&folder=shop");
    let reaches = |timeline: &Value| {
        let last = timeline["restorable"].as_array()?.last()?["through"].clone();
        ((last["t"].as_u64()?, last["i"].as_u64()?) >= (dropped.time.into(), dropped.increment.into())).then_some(())
    };
    server.await_answer(&folder, "the timeline to reach the mishap", reaches).await.expect("it does");

    let restore =
        json!({"service_id": service, "location_id": location, "folder": "shop", "moment": {"kind": "before", "value": typed(dropped)}});
    let plan = server.post("/restores/plans", &restore).await.expect("a plan begins")["id"].as_str().expect("the job").to_owned();
    let planned = done(&server, &plan).await;
    assert!(planned["result"]["base"].as_str().is_some_and(|base| base.starts_with("pitr_")), "{planned:#}");
    let (status, refused) = server.ask("POST", "/restores", &json!({"plan_job_id": plan, "confirm": "shpo"})).await.expect("an answer");
    assert_eq!((status, &refused["fields"][0]["field"]), (422, &json!("confirm")), "{refused}");
    let restored = server.post("/restores", &json!({"plan_job_id": plan, "confirm": "shop"})).await.expect("it begins");
    done(&server, restored["id"].as_str().expect("the job")).await;
    assert_eq!(orders.count_documents(doc! {}).await.expect("counted"), 500);
    assert_eq!(orders.count_documents(doc! {"paid": true}).await.expect("counted"), 100);
    let shown = server.get(&format!("/restores/{}", restored["id"].as_str().expect("an id"))).await.expect("its history");
    assert!(shown["report"]["proofs"].as_array().is_some_and(|proofs| !proofs.is_empty()), "{shown:#}");

    // A fresh snapshot, and slices again.
    let base = |page: &Value| {
        page["items"].as_array()?.iter().find(|job| job["requested_by"] == "after a restore")?["id"].as_str().map(str::to_owned)
    };
    let base = server.await_answer("/jobs?kind=backup", "a fresh snapshot to begin", base).await.expect("it begins");
    done(&server, &base).await;
    server.await_answer(&format!("/schedules/{schedule}"), "slicing to go on", sliced).await.expect("it slices");
    orders.insert_one(doc! {"_id": "later"}).await.expect("inserted");
    let later = newest(&client, doc! {"op": "i", "ns": "shop.orders"}).await;
    let reaches = |timeline: &Value| {
        let last = timeline["restorable"].as_array()?.last()?.clone();
        let fresh = last["base"].as_str()? != planned["result"]["base"].as_str()? || !last["newer_bases"].as_array()?.is_empty();
        (fresh && last["through"]["t"].as_u64()? >= u64::from(later.time)).then_some(())
    };
    server.await_answer(&folder, "the timeline to go on", reaches).await.expect("it does");

    let listed = server.get("/backups").await.expect("backups");
    let rows = listed["items"].as_array().expect("rows");
    let of_mode = |mode: &str| rows.iter().filter(|row| row["mode"] == mode && row["status"] == "success").collect::<Vec<_>>();
    assert_eq!((of_mode("snapshot").len(), of_mode("pitr").len()), (2, 1), "{listed:#}");
    // What later moments need stays.
    let oldest = of_mode("snapshot")[1]["id"].as_str().expect("an id").to_owned();
    let (status, refused) = server.ask("DELETE", &format!("/backups/{oldest}"), &Value::Null).await.expect("an answer");
    assert_eq!(status, 412, "{refused}");
    assert!(refused["message"].as_str().is_some_and(|message| message.contains("could not be restored any more")), "{refused}");
    let on_demand = json!({"name": "release", "service_id": service, "location_id": location});
    let on_demand = server.post("/backups", &on_demand).await.expect("allowed beside PITR")["id"].as_str().expect("the job").to_owned();
    done(&server, &on_demand).await;
    // It goes when somebody accepts the loss.
    let deletion = server.call("DELETE", &format!("/backups/{oldest}?accept_loss=true"), &Value::Null).await.expect("accepted");
    done(&server, deletion["id"].as_str().expect("the job")).await;
    let gone = |page: &Value| page["items"].as_array()?.iter().all(|row| row["id"] != oldest.as_str()).then_some(());
    server.await_answer("/backups", "it to be gone", gone).await.expect("it is");
}
