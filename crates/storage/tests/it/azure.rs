//! Azure, as its maker's emulator has it.

use bytes::Bytes;
use oplogue_storage::{Storage, StorageError, StorageOptions, conformance};
use oplogue_testkit::{Azurite, AzuriteContainer};

use crate::s3::MIB;

fn open(container: &AzuriteContainer, folder: &str, account_key: &str) -> Storage {
    let options = StorageOptions {
        account_key: Some(account_key.to_owned()),
        part_bytes: 5 * MIB,
        retry_delay_max: std::time::Duration::from_millis(200),
        ..Default::default()
    };
    Storage::open(&container.url_within(folder), &options).expect("a good URL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_keeps_the_promises_for_every_name_it_can_hold() {
    let azurite = Azurite::start().await.expect("the emulator of Azure's storage");
    let container = azurite.new_container("promises").await.expect("a container");
    let refused =
        ["back\\slash\\", "tab\there", "line\nfeed\r\n", "\u{1}\u{1f}\u{7f} control", "\u{85}\u{a0}\u{200b} invisible", "...", "trailing."];
    let storage = open(&container, "prefix/of%20mine", &container.account_key);
    conformance::check_all_but(storage.clone(), &refused).await;
    assert!(storage.probe().await.is_ok());

    let wrong = open(&container, "", "d3Jvbmc=");
    let error = wrong.put("object", Bytes::from("x")).await.expect_err("the key is wrong");
    assert!(matches!(error, StorageError::BadCredentials { .. } | StorageError::Denied { .. }), "{error}");
    assert!(!error.to_string().contains(&container.account_key) && !error.to_string().contains("d3Jvbmc"), "{error}");

    let nowhere = AzuriteContainer { container: "nowhere".to_owned(), ..container.clone() };
    let error = open(&nowhere, "", &container.account_key).list("").await.expect_err("there is no such container");
    assert!(matches!(error, StorageError::MissingBucket { .. }), "{error}");
}
