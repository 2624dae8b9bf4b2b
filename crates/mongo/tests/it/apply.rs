//! How each version applies operations.

oplogue_testkit::on_every_version!(
    a_batch_is_applied_whole_and_in_order,
    an_update_of_a_missing_document_invents_nothing,
    an_upsert_is_an_upsert,
    a_refused_operation_is_named,
    documents_of_sixteen_megabytes_are_applied,
    validators_do_not_stop_a_replay,
);

mod checks {
    use bson::{Bson, Document, RawDocumentBuf, doc, rawdoc};
    use oplogue_mongo::MongoError;
    use oplogue_testkit::Version;

    use crate::Bench;

    fn operations(bench: &Bench, collection: &str, list: Vec<Document>) -> Vec<RawDocumentBuf> {
        list.into_iter()
            .map(|mut operation| {
                operation.insert("ns", bench.namespace(collection).to_string());
                RawDocumentBuf::try_from(&operation).expect("an operation of the test")
            })
            .collect()
    }

    async fn state(bench: &Bench, collection: &str) -> Vec<Document> {
        let documents = bench.documents(collection).await;
        let mut documents: Vec<Document> = documents.iter().map(|document| Document::try_from(document).expect("BSON")).collect();
        documents.sort_by_key(|document| document.get("_id").map(Bson::to_string));
        documents
    }

    pub async fn a_batch_is_applied_whole_and_in_order(version: Version) {
        let bench = Bench::new(version, "apply_batch").await;
        bench.run(doc! { "create": "c" }).await;
        let mut list = vec![
            doc! { "op": "i", "o": { "_id": 1, "n": 0 } },
            doc! { "op": "u", "o": { "$v": 1, "$set": { "n": 1 } }, "o2": { "_id": 1 } },
            doc! { "op": "u", "o": { "$set": { "m": 1 } }, "o2": { "_id": 1 } },
            doc! { "op": "i", "o": { "_id": 2, "n": 0 } },
            doc! { "op": "u", "o": { "_id": 2, "replaced": true }, "o2": { "_id": 2 } },
            doc! { "op": "i", "o": { "_id": 3 } },
            doc! { "op": "d", "o": { "_id": 3 } },
            doc! { "op": "d", "o": { "_id": "never there" } },
        ];
        if bench.at_least(5, 0) {
            list.push(doc! { "op": "u", "o": { "$v": 2, "diff": { "u": { "n": 2 }, "i": { "added": [1, 2] } } }, "o2": { "_id": 1 } });
            list.push(doc! { "op": "u", "o": { "$v": 2, "diff": { "sadded": { "a": true, "u1": 5 } } }, "o2": { "_id": 1 } });
        }
        let list = operations(&bench, "c", list);
        let report = bench.connection.apply_batch(&list).await.expect("applied");
        assert_eq!((report.applied, report.missing.len()), (list.len(), 0));
        let first = if bench.at_least(5, 0) {
            doc! { "_id": 1, "n": 2, "m": 1, "added": [1, 5] }
        } else {
            doc! { "_id": 1, "n": 1, "m": 1 }
        };
        assert_eq!(state(&bench, "c").await, [first, doc! { "_id": 2, "replaced": true }]);
    }

    pub async fn an_update_of_a_missing_document_invents_nothing(version: Version) {
        let bench = Bench::new(version, "apply_missing").await;
        bench.run(doc! { "create": "c" }).await;
        let mut list = vec![
            doc! { "op": "i", "o": { "_id": 1 } },
            doc! { "op": "u", "o": { "$v": 1, "$set": { "n": 1 } }, "o2": { "_id": 7 } },
            doc! { "op": "u", "o": { "_id": 8, "whole": 1 }, "o2": { "_id": 8 } },
            doc! { "op": "i", "o": { "_id": 2 } },
        ];
        let mut missing = vec![1, 2];
        if bench.at_least(5, 0) {
            missing.push(list.len());
            list.push(doc! { "op": "u", "o": { "$v": 2, "diff": { "u": { "n": 2 } } }, "o2": { "_id": 9 } });
        }
        list.push(doc! { "op": "u", "o": { "$v": 1, "$set": { "n": 1 } }, "o2": { "_id": 2 } });
        let list = operations(&bench, "c", list);
        let report = bench.connection.apply_batch(&list).await.expect("missing documents are no error");
        assert_eq!((report.missing.clone(), report.applied), (missing, list.len() - report.missing.len()));
        assert_eq!(state(&bench, "c").await, [doc! { "_id": 1 }, doc! { "_id": 2, "n": 1 }]);
    }

    pub async fn an_upsert_is_an_upsert(version: Version) {
        let bench = Bench::new(version, "apply_upsert").await;
        bench.run(doc! { "create": "c" }).await;
        let list = operations(
            &bench,
            "c",
            vec![doc! { "op": "u", "b": true, "o": { "_id": 8, "whole": 1 }, "o2": { "_id": 8 } }, doc! { "op": "i", "o": { "_id": 9 } }],
        );
        let report = bench.connection.apply_batch(&list).await.expect("applied");
        assert_eq!(report.missing, Vec::<usize>::new());
        assert_eq!(state(&bench, "c").await, [doc! { "_id": 8, "whole": 1 }, doc! { "_id": 9 }]);
    }

    pub async fn a_refused_operation_is_named(version: Version) {
        let bench = Bench::new(version, "apply_refused").await;
        bench.run(doc! { "createIndexes": "c", "indexes": [{ "name": "x", "key": { "x": 1 }, "unique": true }] }).await;
        let list = operations(
            &bench,
            "c",
            vec![
                doc! { "op": "i", "o": { "_id": 1, "x": 1 } },
                doc! { "op": "i", "o": { "_id": 2, "x": 1 } },
                doc! { "op": "i", "o": { "_id": 3, "x": 3 } },
            ],
        );
        let error = bench.connection.apply_batch(&list).await.expect_err("x is unique");
        println!("{error}");
        assert!(
            matches!(&error, MongoError::ApplyFailed { index: 1, operation, .. } if operation.contains("apply_refused.c, _id 2")),
            "{error:?}"
        );
        assert_eq!(state(&bench, "c").await, [doc! { "_id": 1, "x": 1 }], "before it everything, after it nothing");
    }

    pub async fn documents_of_sixteen_megabytes_are_applied(version: Version) {
        let bench = Bench::new(version, "apply_big").await;
        bench.run(doc! { "create": "c" }).await;
        let big = |id: i32| {
            let empty = rawdoc! { "_id": id, "fill": "" }.as_bytes().len();
            rawdoc! { "_id": id, "fill": "x".repeat(16 * 1024 * 1024 - empty) }
        };
        let insert = |id: i32| {
            let mut operation = rawdoc! { "op": "i", "ns": bench.namespace("c").to_string() };
            operation.append(bson::raw::cstr!("o"), big(id));
            operation
        };
        let list = vec![insert(1), rawdoc! { "op": "i", "ns": bench.namespace("c").to_string(), "o": { "_id": 2 } }, insert(3)];
        assert_eq!(bench.connection.apply_batch(&list).await.expect("applied").applied, 3);
        assert_eq!(
            bench.connection.insert_batch(&bench.namespace("c"), &[big(4), rawdoc! { "_id": 5 }, big(6)]).await.expect("inserted"),
            3
        );
        let sizes: Vec<usize> = bench.documents("c").await.iter().map(|document| document.as_bytes().len()).collect();
        assert_eq!(sizes.iter().filter(|size| **size == 16 * 1024 * 1024).count(), 4, "{sizes:?}");
    }

    pub async fn validators_do_not_stop_a_replay(version: Version) {
        let bench = Bench::new(version, "apply_validator").await;
        bench.run(doc! { "create": "c", "validator": { "x": { "$exists": true } } }).await;
        let list = operations(&bench, "c", vec![doc! { "op": "i", "o": { "_id": 1 } }, doc! { "op": "i", "o": { "_id": 2 } }]);
        bench.connection.apply_batch(&list).await.expect("applied");
        bench.connection.insert_batch(&bench.namespace("c"), &[rawdoc! { "_id": 3 }]).await.expect("inserted");
        assert_eq!(state(&bench, "c").await.len(), 3);
    }
}
