//! One bucket, and plain access to its objects that does not go through the code under test.

use std::path::PathBuf;

use super::signing;
use crate::http::{self, Response};

/// A bucket with the keys to it.
#[derive(Debug, Clone)]
pub struct S3Bucket {
    /// `http://127.0.0.1:<port>`.
    pub endpoint: String,
    /// The same server over TLS.
    pub https_endpoint: String,
    /// PEM file of the authority to trust for `https_endpoint`.
    pub ca_file: PathBuf,
    /// Name of the bucket.
    pub bucket: String,
    /// Access key of its owner.
    pub access_key: String,
    /// Secret key of its owner.
    pub secret_key: String,
}

impl S3Bucket {
    /// `s3://<bucket>?endpoint=…&region=us-east-1&path-style=true`.
    pub fn url(&self) -> String {
        self.url_within("")
    }

    /// As [`url`](Self::url) with a folder inside the bucket, e.g. `backups/shop`.
    pub fn url_within(&self, folder: &str) -> String {
        self.url_at(&self.endpoint, folder)
    }

    /// As [`url_within`](Self::url_within), over TLS.
    pub fn https_url_within(&self, folder: &str) -> String {
        self.url_at(&self.https_endpoint, folder)
    }

    fn url_at(&self, endpoint: &str, folder: &str) -> String {
        let slash = if folder.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{folder}?endpoint={endpoint}&region=us-east-1&path-style=true", self.bucket)
    }

    /// Names of all objects, sorted by the server (by bytes).
    pub async fn keys(&self) -> anyhow::Result<Vec<String>> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().cloned().unwrap_or_default();
            let query = [("encoding-type", "url"), ("list-type", "2"), ("start-after", after.as_str())];
            let answer = self.request("GET", None, &query, &[], &[]).await?;
            anyhow::ensure!(answer.status == 200, "listing bucket {}: {}", self.bucket, answer.describe());
            let text = String::from_utf8_lossy(&answer.body);
            let before = keys.len();
            for part in text.split("<Key>").skip(1) {
                keys.push(http::decoded(part.split("</Key>").next().unwrap_or_default())?);
            }
            if !text.contains("<IsTruncated>true</IsTruncated>") || keys.len() == before {
                return Ok(keys);
            }
        }
    }

    /// The whole object.
    pub async fn get(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.request("GET", Some(key), &[], &[], &[]).await?;
        anyhow::ensure!(answer.status == 200, "getting {key:?}: {}", answer.describe());
        Ok(answer.body)
    }

    /// Stores an object under exactly this key.
    pub async fn put(&self, key: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let answer = self.request("PUT", Some(key), &[], &[], bytes).await?;
        anyhow::ensure!(answer.status == 200, "putting {key:?}: {}", answer.describe());
        Ok(())
    }

    /// Removes an object; absent is fine.
    pub async fn delete(&self, key: &str) -> anyhow::Result<()> {
        let answer = self.request("DELETE", Some(key), &[], &[], &[]).await?;
        anyhow::ensure!(answer.status == 204, "deleting {key:?}: {}", answer.describe());
        Ok(())
    }

    /// Any signed request over plain HTTP: on an object (`key`) or on the bucket itself. `query` must be sorted by name.
    pub async fn request(
        &self,
        method: &str,
        key: Option<&str>,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Response> {
        let path = match key {
            Some(key) => format!("/{}/{}", self.bucket, http::encoded(key, true)),
            None => format!("/{}", self.bucket),
        };
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", http::encoded(name, false), http::encoded(value, false))).collect();
        let query = query.join("&");
        let host = self.endpoint.trim_start_matches("http://");
        // The server's own clock: no clock of ours can be wrong then.
        let date = signing::amz_date(http::exchange(host, "GET", "/", "", &[], &[]).await?.header("date").unwrap_or_default())?;
        let request = signing::Request { method, host, path: &path, query: &query, headers, body, date: &date };
        let signed = signing::sign(&request, &self.access_key, &self.secret_key);
        http::exchange(host, method, &path, &query, &signed, body).await
    }
}
