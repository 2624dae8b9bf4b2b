//! Users and roles brought back to the moment, without taking anything from those the backup does not speak of.

use bson::{Document, doc};
use oplogue_domain::plan::Moment;
use oplogue_testkit::state::{Comparing, differences_with};
use oplogue_testkit::{ReplicaSetOptions, State};

use crate::stage::{self, Recorded, Stage, fill, mix, only, run};

struct House {
    stage: Stage,
    base: State,
    then: Recorded,
    live: State,
}

fn role(name: &str, actions: &[&str]) -> Document {
    doc! {"createRole": name, "privileges": [{"resource": {"db": "shop", "collection": "people"}, "actions": actions}], "roles": []}
}

/// Users and roles of every kind of life: made or dropped before the base, between base and moment, and after it.
async fn house() -> anyhow::Result<House> {
    let mut stage = Stage::open(ReplicaSetOptions::default().auth(true)).await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 30).await?;
    run(&client, "shop", role("clerk", &["find"])).await?;
    run(&client, "shop", role("passing", &["find"])).await?;
    run(&client, "admin", doc! {"createRole": "held", "privileges": [], "roles": ["read"]}).await?;
    run(&client, "admin", doc! {"grantRolesToUser": "root", "roles": ["held"]}).await?;
    run(&client, "shop", doc! {"createUser": "ann", "pwd": "first of ann", "roles": ["clerk"]}).await?;
    run(&client, "shop", doc! {"createUser": "bob", "pwd": "first of bob", "roles": ["readWrite"]}).await?;
    run(&client, "admin", doc! {"createUser": "ops", "pwd": "first of ops", "roles": ["clusterMonitor"]}).await?;
    // The oplog of the base begins with the newest entry: let it be none of the above.
    stage.now().await?;
    stage.base().await?;
    let base = stage.state().await?;

    fill(&client, "shop", "people", 30, 30).await?;
    run(&client, "shop", doc! {"createUser": "carol", "pwd": "first of carol", "roles": ["clerk"], "customData": {"desk": 7}}).await?;
    run(&client, "shop", doc! {"updateUser": "ann", "pwd": "second of ann", "roles": ["clerk", "read"]}).await?;
    run(&client, "admin", doc! {"grantRolesToUser": "ops", "roles": ["backup"]}).await?;
    run(&client, "shop", doc! {"dropUser": "bob"}).await?;
    run(&client, "shop", doc! {"dropRole": "passing"}).await?;
    run(&client, "shop", role("auditor", &["collStats"])).await?;
    run(&client, "shop", doc! {"grantRolesToRole": "clerk", "roles": ["auditor"]}).await?;
    let then = stage.record().await?;

    client.database("shop").collection::<Document>("people").drop().await?;
    run(&client, "shop", doc! {"dropUser": "ann"}).await?;
    run(&client, "shop", doc! {"createUser": "bob", "pwd": "another bob", "roles": []}).await?;
    run(&client, "shop", role("passing", &["insert"])).await?;
    run(&client, "shop", doc! {"dropRole": "auditor"}).await?;
    run(&client, "admin", doc! {"updateUser": "ops", "pwd": "third of ops", "roles": []}).await?;
    run(&client, "shop", doc! {"createUser": "dave", "pwd": "first of dave", "roles": ["read"]}).await?;
    run(&client, "shop", role("later", &["find"])).await?;
    run(&client, "admin", doc! {"updateUser": "root", "customData": {"seen": "after the moment"}}).await?;
    run(&client, "admin", doc! {"updateRole": "held", "roles": ["readAnyDatabase"]}).await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;
    Ok(House { stage, base, then, live })
}

impl House {
    /// The users and roles that a restore to the moment must leave.
    fn expected(&self) -> State {
        let (then, live) = (&self.then.state, &self.live);
        let mut expected = then.clone();
        // Made after the moment: nothing that is read speaks of them. Held by the program that restores: not touched.
        for name in ["shop.dave", "admin.root"] {
            expected.users.insert(name.to_owned(), live.users[name].clone());
        }
        for name in ["shop.later", "admin.held"] {
            expected.roles.insert(name.to_owned(), live.roles[name].clone());
        }
        expected
    }

    async fn must_be(&self, expected: &State) -> anyhow::Result<()> {
        let comparing = Comparing { credentials: true, ..Comparing::default() };
        let wrong = differences_with(expected, &self.stage.state().await?, comparing);
        anyhow::ensure!(wrong.is_empty(), "not as expected:\n    {}", wrong.join("\n    "));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_roles_are_those_of_the_moment_and_nobody_else_is_touched() -> anyhow::Result<()> {
    let house = house().await?;
    let then = house.then.time;
    assert!(house.live.users["admin.root"] != house.then.state.users["admin.root"], "the story changes root after the moment");

    // A selective restore leaves them alone, unless asked.
    let mut request = house.stage.request(then).await?;
    request.selection = only(&["shop.people"])?;
    let prepared = stage::prepare(request.clone()).await?;
    assert_eq!(prepared.plan.users_and_roles, None);
    stage::restore(request.clone()).await?;
    house.must_be(&mix(&house.live, &house.then.state, |name| name == "shop.people")).await?;

    request.users_and_roles = true;
    let prepared = stage::prepare(request.clone()).await?;
    assert_eq!(prepared.plan.users_and_roles, Some((4, 3)), "root, ann, bob, ops; clerk, passing, held");
    let report = stage::restore(request).await?;
    house.must_be(&house.expected()).await?;
    assert!(report.notes.iter().any(|note| note.contains("admin.root") && note.contains("admin.held")), "{:?}", report.notes);

    // Everything, twice: the second finds what the first left.
    for _ in 0..2 {
        stage::restore(house.stage.request(then).await?).await?;
        house.must_be(&house.expected()).await?;
    }
    // Not a trace of how it was done, and the logins work.
    let client = house.stage.client.clone();
    let left: Vec<String> =
        client.database("admin").list_collection_names().await?.into_iter().filter(|name| name.starts_with("oplogueRestore")).collect();
    assert!(left.is_empty(), "{left:?}");
    let ops = oplogue_testkit::replica_set::connect(&house.stage.set.uri_as("ops", "first of ops")).await?;
    run(&ops, "admin", doc! {"serverStatus": 1}).await?;

    // The backup by itself: bob and his role are back, carol was never heard of and stays as she is.
    let mut request = house.stage.request(then).await?;
    request.moment = Moment::Backup("base".parse()?);
    stage::restore(request).await?;
    let mut expected = house.expected();
    for name in ["shop.ann", "shop.bob", "admin.ops"] {
        expected.users.insert(name.to_owned(), house.base.users[name].clone());
    }
    for name in ["shop.clerk", "shop.passing"] {
        expected.roles.insert(name.to_owned(), house.base.roles[name].clone());
    }
    expected.collections = house.base.collections.clone();
    house.must_be(&expected).await?;
    Ok(())
}

/// PBM's bug W3: a full backup without `pbmRUsers` and `pbmRRoles` makes PBM delete every user and role.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_users_deletes_nobody() -> anyhow::Result<()> {
    let house = house().await?;
    let folder = house.stage.folder.path();
    std::fs::remove_dir_all(folder.join("oplogue/backups"))?;
    let metadata = folder.join("base/rs0/metadata.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&metadata)?)?;
    let namespaces = json["namespaces"].as_array_mut().expect("metadata.json lists namespaces");
    let before = namespaces.len();
    namespaces.retain(|one| one["db"] != "admin");
    assert_eq!(namespaces.len() + 2, before, "pbmRUsers and pbmRRoles were there");
    std::fs::write(&metadata, serde_json::to_vec_pretty(&json)?)?;

    let mut request = house.stage.request(house.then.time).await?;
    request.moment = Moment::Backup("base".parse()?);
    let mut expected = house.live.clone();
    expected.collections = house.base.collections.clone();
    stage::restore(request).await?;
    house.must_be(&expected).await?;

    // To the moment: changes of users whose beginnings are unknown lead nowhere, so nobody is touched.
    let prepared = stage::prepare(house.stage.request(house.then.time).await?).await?;
    assert_eq!(prepared.plan.users_and_roles, None);
    stage::restore(house.stage.request(house.then.time).await?).await?;
    expected.collections = house.then.state.collections.clone();
    house.must_be(&expected).await?;
    let mut request = house.stage.request(house.then.time).await?;
    request.users_and_roles = true;
    let refused = stage::refusal(request).await?;
    assert!(refused.contains("no users and roles"), "{refused}");
    house.must_be(&expected).await
}
