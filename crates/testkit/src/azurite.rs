//! Azure's blob storage as its maker's emulator has it: Azurite, in memory.
//!
//! It checks signatures and knows uncommitted blocks. It does not check the rules for names, nor does it know `startFrom` in listings.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::folder::{ServerFolder, tail};
use crate::ports::Port;
use crate::s3::signing::hmac;
use crate::wait::until;
use crate::{http, packages};

const PACKAGE: &str = "azurite@3.37.0";
const ACCOUNT: &str = "oplogueaccount";
/// The version of the interface that our own request speaks.
const VERSION: &str = "2021-08-06";

/// A running emulator; dropping it ends and removes everything.
#[derive(Debug)]
pub struct Azurite {
    port: Port,
    key: String,
    folder: ServerFolder,
}

/// A container with the key to it.
#[derive(Debug, Clone)]
pub struct AzuriteContainer {
    /// `http://127.0.0.1:<port>/<account>`.
    pub endpoint: String,
    pub account: String,
    pub container: String,
    /// In base64.
    pub account_key: String,
}

impl AzuriteContainer {
    /// `az://<container>/<folder>?account=…&endpoint=…`.
    pub fn url_within(&self, folder: &str) -> String {
        format!("az://{}/{folder}?account={}&endpoint={}", self.container, self.account, self.endpoint)
    }
}

impl Azurite {
    /// Starts it, fetching it first if need be, and waits until it answers.
    pub async fn start() -> anyhow::Result<Self> {
        let why = "tests of az:// need npm for the emulator of Azure's storage";
        let modules = tokio::task::spawn_blocking(move || packages::npm("azurite", &[PACKAGE], why)).await??;
        let folder = ServerFolder::new("azurite")?;
        let port = Port::reserve()?;
        let key = BASE64_STANDARD.encode(crate::s3::unique().as_bytes().repeat(4));
        let environment = [("AZURITE_ACCOUNTS".to_owned(), format!("{ACCOUNT}:{key}"))];
        let number = port.number().to_string();
        let arguments = [
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            &number,
            "--inMemoryPersistence",
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--silent",
        ];
        let arguments: Vec<String> = arguments.into_iter().map(String::from).collect();
        folder.spawn("azurite", &modules.join(".bin/azurite-blob"), &environment, &arguments)?;
        let azurite = Self { port, key, folder };
        until("Azurite to answer", || async {
            if let Some(end) = azurite.folder.ended("azurite") {
                return Ok(Some(Err(end)));
            }
            let answer = http::exchange(&azurite.port.address(), "GET", "/", "", &[], &[]).await;
            Ok(answer.ok().map(|_| Ok(())))
        })
        .await?
        .map_err(|end| anyhow::anyhow!("Azurite {end}\n{}", tail(&azurite.folder.path().join("azurite.out"), 15)))?;
        Ok(azurite)
    }

    /// A new, empty container.
    pub async fn new_container(&self, name: &str) -> anyhow::Result<AzuriteContainer> {
        let host = self.port.address();
        let date = http::exchange(&host, "GET", "/", "", &[], &[]).await?.header("date").unwrap_or_default().to_owned();
        let path = format!("/{ACCOUNT}/{name}");
        // Method, eleven headers that are not there, ours, and the resource, which begins with the account.
        let text = format!("PUT{}x-ms-date:{date}\nx-ms-version:{VERSION}\n/{ACCOUNT}{path}\nrestype:container", "\n".repeat(12));
        let signature = BASE64_STANDARD.encode(hmac(&BASE64_STANDARD.decode(&self.key)?, text.as_bytes()));
        let headers = [
            ("x-ms-date".to_owned(), date),
            ("x-ms-version".to_owned(), VERSION.to_owned()),
            ("authorization".to_owned(), format!("SharedKey {ACCOUNT}:{signature}")),
        ];
        let made = http::exchange(&host, "PUT", &path, "restype=container", &headers, &[]).await?;
        anyhow::ensure!(made.status == 201, "making container {name}: {}", made.describe());
        Ok(AzuriteContainer {
            endpoint: format!("http://{host}/{ACCOUNT}"),
            account: ACCOUNT.to_owned(),
            container: name.to_owned(),
            account_key: self.key.clone(),
        })
    }
}
