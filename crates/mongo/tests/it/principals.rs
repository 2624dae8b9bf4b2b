//! Users, roles and privileges.

oplogue_testkit::on_every_version!(
    root_can_restore,
    users_and_roles_are_merged_without_locking_us_out,
    what_the_printed_commands_grant_is_enough
);

mod checks {
    use bson::{Document, doc};
    use futures::TryStreamExt;
    use oplogue_domain::{Namespace, NamespaceSelection, OplogTime};
    use oplogue_mongo::{Acquired, BatchEnd, Connection, Purpose};
    use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, Version};
    use std::time::Duration;

    use crate::connect;

    async fn guarded(version: Version) -> (ReplicaSet, Connection, mongodb::Client) {
        let set = ReplicaSet::start(ReplicaSetOptions::default().version(version).auth(true)).await.expect("a replica set starts");
        let connection = connect(&set.uri()).await;
        let client = set.client().await.expect("the driver connects");
        (set, connection, client)
    }

    async fn admin(client: &mongodb::Client, command: Document) {
        let text = command.to_string();
        client.database("admin").run_command(command).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    pub async fn root_can_restore(version: Version) {
        let (_set, connection, client) = guarded(version).await;
        assert_eq!(connection.privileges(Purpose::Restore).await.expect("asked").missing, []);
        populate(&client, version).await;
        restores(&connection).await;
    }

    async fn populate(client: &mongodb::Client, version: Version) {
        client.database("shop").collection::<Document>("c").insert_one(doc! { "_id": 1 }).await.expect("inserted");
        client.database("shop").collection::<Document>("system.js").insert_one(doc! { "_id": "f", "value": 1 }).await.expect("inserted");
        if version.series() >= (5, 0) {
            client
                .database("shop")
                .run_command(doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m" } })
                .await
                .expect("created");
        }
    }

    pub async fn users_and_roles_are_merged_without_locking_us_out(version: Version) {
        let (set, connection, client) = guarded(version).await;
        admin(&client, doc! { "createRole": "reader", "privileges": [], "roles": ["readAnyDatabase"] }).await;
        admin(&client, doc! { "createUser": "anna", "pwd": "first", "roles": ["reader"] }).await;
        admin(&client, doc! { "createUser": "bert", "pwd": "first", "roles": ["reader"] }).await;
        connection.majority_barrier().await.expect("on a majority");
        let saved = connection.users_and_roles().await.expect("read");
        assert_eq!((saved.users.len(), saved.roles.len()), (3, 1));
        assert!(!format!("{saved:?}").contains("SCRAM"));
        admin(&client, doc! { "updateUser": "anna", "pwd": "second" }).await;
        admin(&client, doc! { "dropUser": "bert" }).await;
        admin(&client, doc! { "createUser": "late", "pwd": "x", "roles": [] }).await;
        admin(&client, doc! { "dropRole": "reader" }).await;
        let root = saved
            .users
            .iter()
            .filter_map(|user| user.get_str("_id").ok())
            .find(|id| !id.contains("anna") && !id.contains("bert"))
            .expect("root")
            .to_owned();
        let report = connection.merge_principals(&saved, &["admin.late".to_owned(), root.clone()], &[]).await.expect("merged");
        assert_eq!((report.users_written, report.roles_written, report.users_deleted, report.kept), (2, 1, 1, vec![root]));
        connection.majority_barrier().await.expect("on a majority");
        let after = connection.users_and_roles().await.expect("read");
        // The server may write the fields in another order.
        let sorted =
            |documents: Vec<bson::RawDocumentBuf>| -> std::collections::BTreeMap<String, std::collections::BTreeMap<String, bson::Bson>> {
                let documents = documents.iter().map(|document| Document::try_from(document).expect("BSON"));
                documents.map(|document| (document.get_str("_id").expect("a name").to_owned(), document.into_iter().collect())).collect()
            };
        assert_eq!(sorted(after.users), sorted(saved.users));
        assert_eq!(after.roles, saved.roles);
        let anna = connect(&set.uri_as("anna", "first")).await;
        anna.list_collections(&NamespaceSelection::Everything).await.expect_err("no role for the counters of the server's own");
        assert_eq!(anna.user(), Some("anna@admin"));
    }

    pub async fn what_the_printed_commands_grant_is_enough(version: Version) {
        let (set, connection, client) = guarded(version).await;
        assert!(connection.privileges(Purpose::Backup).await.expect("asked").missing.len() <= 1, "root may do nearly everything");
        populate(&client, version).await;
        for purpose in [Purpose::Backup, Purpose::Restore] {
            let name = format!("user{}", purpose.role());
            admin(&client, doc! { "createUser": &name, "pwd": "secret", "roles": [] }).await;
            let user = connect(&set.uri_as(&name, "secret")).await;
            let report = user.privileges(purpose).await.expect("everybody may ask for their own");
            assert!(report.access_control && !report.missing.is_empty());
            assert_eq!(report.commands.len(), 2);
            println!("{}", report.commands.join("\n"));
            for command in &report.commands {
                admin(&client, shell(command)).await;
            }
            let user = connect(&set.uri_as(&name, "secret")).await;
            assert_eq!(user.privileges(purpose).await.expect("asked").missing, []);
            match purpose {
                Purpose::Backup => backs_up(&user).await,
                Purpose::Restore => restores(&user).await,
            }
        }
        let nobody = connect(&set.uri_without_credentials()).await.privileges(Purpose::Backup).await.expect("asked");
        assert_eq!((nobody.user, nobody.access_control), (None, true));
        assert!(!nobody.missing.is_empty());
    }

    /// The argument of `runCommand(…)` of a printed command.
    fn shell(command: &str) -> Document {
        let (_, argument) = command.split_once("runCommand(").expect("a command");
        let argument = argument.strip_suffix(')').expect("its end");
        let mut quoted = String::new();
        let mut word = String::new();
        let mut inside = false;
        // Quotes the bare keys, which makes JSON of it.
        for letter in argument.chars() {
            if letter == '"' {
                inside = !inside;
            }
            if !inside && (letter.is_alphanumeric() || letter == '_') {
                word.push(letter);
                continue;
            }
            if !word.is_empty() {
                quoted.push_str(&if letter == ':' { format!("\"{word}\"") } else { word.clone() });
                word.clear();
            }
            quoted.push(letter);
        }
        json(&quoted)
    }

    /// Enough of JSON for the commands above.
    fn json(text: &str) -> Document {
        fn value(text: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bson::Bson {
            while text.next_if(|letter| letter.is_whitespace()).is_some() {}
            match text.next() {
                Some('{') => {
                    let mut document = Document::new();
                    loop {
                        while text.next_if(|letter| letter.is_whitespace() || *letter == ',').is_some() {}
                        if text.next_if_eq(&'}').is_some() {
                            return bson::Bson::Document(document);
                        }
                        let bson::Bson::String(key) = value(text) else { panic!("a key") };
                        text.next_if_eq(&':').expect("a colon");
                        document.insert(key, value(text));
                    }
                }
                Some('[') => {
                    let mut list = Vec::new();
                    loop {
                        while text.next_if(|letter| letter.is_whitespace() || *letter == ',').is_some() {}
                        if text.next_if_eq(&']').is_some() {
                            return bson::Bson::Array(list);
                        }
                        list.push(value(text));
                    }
                }
                Some('"') => bson::Bson::String(std::iter::from_fn(|| text.next().filter(|letter| *letter != '"')).collect()),
                Some('t') => {
                    let _rest: Vec<char> = std::iter::from_fn(|| text.next_if(|letter| letter.is_alphabetic())).collect();
                    bson::Bson::Boolean(true)
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        match value(&mut text.chars().peekable()) {
            bson::Bson::Document(document) => document,
            other => panic!("not a document: {other}"),
        }
    }

    async fn backs_up(user: &Connection) {
        let listed = user.list_collections(&NamespaceSelection::Everything).await.expect("listed");
        assert!(listed.iter().any(|listed| listed.spec.namespace.collection == "system.js"), "{listed:?}");
        for collection in &listed {
            let events: Vec<_> = user.read_collection(collection, None, BatchEnd::Document).try_collect().await.expect("read");
            user.split(collection, 4).await.expect("split");
            assert!(events.len() <= 1, "{events:?}");
        }
        user.users_and_roles().await.expect("read");
        user.replica_set().await.expect("status");
        user.versions().await.expect("versions");
        user.oldest_open_transaction().await.expect("transactions");
        let through = user.append_note("a note").await.expect("a note");
        user.oplog_window().await.expect("the window");
        let batches: Vec<_> = user.read_oplog(through, OplogTime::MAX).try_collect().await.expect("the oplog");
        assert!(!batches.is_empty());
        let Acquired::Lease(lease) = user.acquire_lease("privileges", "user", Duration::from_secs(60)).await.expect("a lease") else {
            panic!("nobody else")
        };
        user.renew_lease(&lease, Duration::from_secs(60)).await.expect("renewed");
        assert!(user.lease("privileges").await.expect("asked").is_some());
        user.release_lease(&lease).await.expect("released");
    }

    async fn restores(user: &Connection) {
        let namespace = Namespace::new("shop", "made");
        let time_series = user.versions().await.expect("versions").abilities().time_series;
        for listed in user.target_state(&NamespaceSelection::Everything).await.expect("listed") {
            user.drop_namespace(&listed.spec.namespace).await.expect("dropped");
        }
        user.create_collection(
            &namespace,
            &doc! { "validator": { "x": 1 } },
            None,
            Some([1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16]),
        )
        .await
        .expect("created");
        user.insert_batch(&namespace, &[bson::rawdoc! { "_id": 1 }]).await.expect("inserted");
        user.apply_batch(&[bson::rawdoc! { "op": "d", "ns": "shop.made", "o": { "_id": 1 } }]).await.expect("applied");
        user.build_indexes(&namespace, &[doc! { "name": "x", "key": { "x": 1 }, "v": 2 }], false).await.expect("built");
        user.run_ddl("shop", &doc! { "collMod": "made", "validationLevel": "moderate" }).await.expect("changed");
        let functions = Namespace::new("shop", "system.js");
        user.insert_batch(&functions, &[bson::rawdoc! { "_id": "f", "value": 2 }]).await.expect("inserted");
        user.apply_batch(&[bson::rawdoc! { "op": "u", "ns": "shop.system.js", "o": { "_id": "f", "value": 3 }, "o2": { "_id": "f" } }])
            .await
            .expect("applied");
        user.create_view(&Namespace::new("shop", "seen"), &doc! { "viewOn": "made", "pipeline": [] }).await.expect("a view");
        if time_series {
            let series = Namespace::new("shop", "series");
            user.create_time_series(&series, &doc! { "timeseries": { "timeField": "t", "metaField": "m" } }).await.expect("a series");
            user.build_indexes(&series, &[doc! { "name": "m", "key": { "m": 1, "t": 1 } }], false).await.expect("built");
            let bucket = |id: u8| {
                bson::rawdoc! {
                    "_id": bson::oid::ObjectId::from_bytes([id; 12]),
                    "control": { "version": 1, "min": { "t": bson::DateTime::from_millis(0) }, "max": { "t": bson::DateTime::from_millis(0) } },
                    "meta": 1, "data": { "t": { "0": bson::DateTime::from_millis(0) } },
                }
            };
            user.insert_batch(&series.buckets(), &[bucket(1)]).await.expect("inserted");
            let insert = |id: u8| bson::rawdoc! { "op": "i", "ns": "shop.system.buckets.series", "o": bucket(id) };
            let delete =
                bson::rawdoc! { "op": "d", "ns": "shop.system.buckets.series", "o": { "_id": bson::oid::ObjectId::from_bytes([1; 12]) } };
            user.apply_batch(&[insert(2), insert(3), delete]).await.expect("applied");
        }
        let principals = user.users_and_roles().await.expect("read");
        user.merge_principals(&principals, &[], &[]).await.expect("merged");
        user.majority_barrier().await.expect("on a majority");
    }
}
