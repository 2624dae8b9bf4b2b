//! Storage URL → [`Storage`].

use std::sync::Arc;

use ::url::Url;
use percent_encoding::percent_decode_str;

use crate::cloud::{AzurePlace, Cloud, GcsPlace, S3Place};
use crate::error::StorageError;
use crate::filesystem::Filesystem;
use crate::name;
use crate::options::StorageOptions;
use crate::storage::Storage;

const EXAMPLES: &str = "a storage URL looks like file:///backups, s3://bucket/prefix?endpoint=https://host:port&region=name&path-style=true, \
     gs://bucket/prefix or az://container/prefix?account=name";

pub(crate) fn open(text: &str, options: &StorageOptions) -> Result<Storage, StorageError> {
    let bad = |reason: String| StorageError::BadUrl { url: without_secrets(text), reason };
    let url = Url::parse(text).map_err(|error| bad(format!("{error}; {EXAMPLES}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        let reason = "credentials do not belong in the URL; give them as options or in the environment (e.g. AWS_ACCESS_KEY_ID)";
        return Err(bad(reason.into()));
    }
    if url.fragment().is_some() {
        return Err(bad("it contains a `#`; inside a name write it as %23".into()));
    }
    match url.scheme() {
        "file" => {
            if url.query().is_some() {
                return Err(bad("a file URL takes no `?…` part; inside a name write `?` as %3F".into()));
            }
            let root = url
                .to_file_path()
                .map_err(|()| bad("a file URL names an absolute folder on this machine, with three slashes: file:///backups".into()))?;
            Ok(Storage::over(Arc::new(Filesystem::new(root))))
        }
        "s3" => {
            let (bucket, prefix) = bucket_and_prefix(&url).map_err(&bad)?;
            let place = s3_place(&url, bucket).map_err(&bad)?;
            Ok(Storage::over(Arc::new(Cloud::s3(place, options).map_err(&bad)?)).within(&prefix))
        }
        "gs" => {
            let (bucket, prefix) = bucket_and_prefix(&url).map_err(&bad)?;
            let place = gcs_place(&url, bucket).map_err(&bad)?;
            Ok(Storage::over(Arc::new(Cloud::gcs(place, options).map_err(&bad)?)).within(&prefix))
        }
        "az" => {
            let (container, prefix) = bucket_and_prefix(&url).map_err(&bad)?;
            let place = azure_place(&url, container).map_err(&bad)?;
            Ok(Storage::over(Arc::new(Cloud::azure(place, options).map_err(&bad)?)).within(&prefix))
        }
        "gcs" => Err(bad("Google Cloud Storage is gs://bucket/prefix".into())),
        "azure" => Err(bad("Azure Blob Storage is az://container/prefix?account=name".into())),
        other => Err(bad(format!("{other}:// is not a kind of storage known here; {EXAMPLES}"))),
    }
}

/// Bucket (or container) and prefix, checked; or what is wrong with them.
fn bucket_and_prefix(url: &Url) -> Result<(String, String), String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let not_utf8 = |_| "it contains percent-encoded bytes that are not UTF-8".to_owned();
    let bucket = decoded(url.host_str().unwrap_or_default()).map_err(not_utf8)?;
    if bucket.is_empty() {
        return Err(format!("the bucket is missing; {EXAMPLES}"));
    }
    if url.port().is_some() {
        return Err("a bucket has no port; the server goes into the query: s3://bucket?endpoint=http://host:port".into());
    }
    let prefix = name::trim(&decoded(url.path()).map_err(not_utf8)?).to_owned();
    if !prefix.is_empty()
        && let Some(problem) = name::problem(&prefix)
    {
        return Err(format!("the prefix {prefix:?} cannot be: {problem}"));
    }
    Ok((bucket, prefix))
}

fn gcs_place(url: &Url, bucket: String) -> Result<GcsPlace, String> {
    let mut place = GcsPlace { bucket, endpoint: None };
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "endpoint" => place.endpoint = Some(endpoint(&value)?),
            other => return Err(format!("the query key {other:?} is not known; known is endpoint")),
        }
    }
    Ok(place)
}

fn azure_place(url: &Url, container: String) -> Result<AzurePlace, String> {
    let mut place = AzurePlace { container, account: None, endpoint: None };
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "endpoint" => place.endpoint = Some(endpoint(&value)?),
            "account" if value.is_empty() => return Err("the account is empty".into()),
            "account" => place.account = Some(value.into_owned()),
            other => return Err(format!("the query key {other:?} is not known; known are account, endpoint")),
        }
    }
    Ok(place)
}

fn s3_place(url: &Url, bucket: String) -> Result<S3Place, String> {
    let mut place = S3Place { bucket, endpoint: None, region: None, path_style: None };
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "endpoint" => place.endpoint = Some(endpoint(&value)?),
            "region" if value.is_empty() => return Err("the region is empty".into()),
            "region" => place.region = Some(value.into_owned()),
            "path-style" => {
                place.path_style = Some(value.parse().map_err(|_| format!("path-style is true or false, not {value:?}"))?);
            }
            other => {
                return Err(format!("the query key {other:?} is not known; known are endpoint, region, path-style"));
            }
        }
    }
    Ok(place)
}

fn endpoint(text: &str) -> Result<String, String> {
    let example = "an endpoint looks like https://host or http://host:port";
    let url = Url::parse(text).map_err(|error| format!("the endpoint {:?} is not a URL: {error}; {example}", without_secrets(text)))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("the endpoint {:?} is not an http or https URL; {example}", without_secrets(text)));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("the endpoint may only have host, port and path; {example}"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The URL for messages: what stands before an `@` might be a password, and so might unknown query values.
fn without_secrets(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let dots = if rest.len() > authority.len() + path.len() { "?…" } else { "" };
    match scheme {
        "" => format!("{host}{path}{dots}"),
        scheme => format!("{scheme}://{host}{path}{dots}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(url: &str) -> String {
        match open(url, &StorageOptions::default()) {
            Err(error @ StorageError::BadUrl { .. }) => error.to_string(),
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn bad_urls_say_what_would_be_right() {
        let table = [
            ("", "file:///backups"),
            ("/backups", "file:///backups"),
            ("backups", "file:///backups"),
            ("file://backups", "three slashes"),
            ("file:///backups?x=1", "%3F"),
            ("file:///backups#1", "%23"),
            ("ftp://host/x", "not a kind of storage"),
            ("gcs://bucket", "gs://bucket/prefix"),
            ("azure://container", "az://container/prefix"),
            ("gs://", "bucket is missing"),
            ("gs://bucket?account=x", "known is endpoint"),
            ("az://container?region=x", "known are account, endpoint"),
            ("az://container?account=", "account is empty"),
            ("s3://", "bucket is missing"),
            ("s3:///prefix", "bucket is missing"),
            ("s3://bucket:9000/x", "has no port"),
            ("s3://bucket?endpont=http://h", "known are endpoint, region, path-style"),
            ("s3://bucket?path-style=yes", "true or false"),
            ("s3://bucket?endpoint=host:9000", "http://host:port"),
            ("s3://bucket?endpoint=http://", "http://host:port"),
            ("s3://bucket?endpoint=ftp://host", "http://host:port"),
            ("s3://bucket?region=", "region is empty"),
            ("s3://bucket/a//b", "two of them in a row"),
            ("s3://bucket/%FF", "not UTF-8"),
        ];
        for (url, expected) in table {
            let reason = reason(url);
            assert!(reason.contains(expected), "{url}: {reason}");
        }
    }

    #[test]
    fn secrets_in_a_url_are_refused_and_not_repeated() {
        for url in ["s3://AKEY:HIDDEN@bucket/p", "s3://HIDDEN@bucket", "s3://b?endpoint=http://u:HIDDEN@h", "s3://b?secret_key=HIDDEN"] {
            let reason = reason(url);
            assert!(!reason.contains("HIDDEN"), "{reason}");
        }
    }

    #[test]
    fn locations_are_for_people() {
        let location = |url: &str| open(url, &StorageOptions::default()).expect("a good URL").location();
        assert_eq!(location("file:///back%20ups/%23x"), "file:///back ups/#x");
        let s3 = "s3://bucket/a/b/?endpoint=http%3A%2F%2F127.0.0.1%3A9000/&region=eu&path-style=true";
        assert_eq!(location(s3), "s3://bucket/a/b (http://127.0.0.1:9000)");
        let cluster = open("s3://bucket?endpoint=http://h", &StorageOptions::default()).expect("a good URL").within("c/1");
        assert_eq!(cluster.location(), "s3://bucket/c/1 (http://h)");
        assert_eq!(location("gs://bucket/a%20b?endpoint=http://h"), "gs://bucket/a b (http://h)");
        assert_eq!(location("az://container/x?account=a&endpoint=http://h/a"), "az://container/x (http://h/a)");
    }
}
