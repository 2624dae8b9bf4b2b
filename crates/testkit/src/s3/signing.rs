//! AWS Signature Version 4, for one whole request.

use anyhow::Context;
use sha2::{Digest, Sha256};

/// What is signed. `path` and `query` are already percent-encoded; `date` is like `20261123T024400Z`.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
    pub(super) date: &'a str,
}

/// All headers to send: those of the request and those of the signature.
pub(super) fn sign(request: &Request<'_>, access_key: &str, secret_key: &str) -> Vec<(String, String)> {
    let body_hash = hex::encode(Sha256::digest(request.body));
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_string())).collect();
    headers.push(("x-amz-content-sha256".into(), body_hash.clone()));
    headers.push(("x-amz-date".into(), request.date.into()));
    let mut signed = headers.clone();
    signed.push(("host".into(), request.host.into()));
    signed.sort();
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = [request.method, request.path, request.query, &lines, &names, &body_hash].join("\n");

    let day = request.date.get(..8).unwrap_or_default();
    let scope = format!("{day}/us-east-1/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", request.date, hex::encode(Sha256::digest(canonical)));
    let mut key = format!("AWS4{secret_key}").into_bytes();
    for part in [day, "us-east-1", "s3", "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex::encode(hmac(&key, text.as_bytes()));
    let value = format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}");
    headers.push(("authorization".into(), value));
    headers
}

/// HMAC-SHA-256 (RFC 2104).
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

/// From an HTTP date, `Mon, 23 Nov 2026 02:44:00 GMT`, to `20261123T024400Z`.
pub(super) fn amz_date(http_date: &str) -> anyhow::Result<String> {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = http_date.split_whitespace().collect();
    let [_, day, month, year, time, _] = parts[..] else { anyhow::bail!("{http_date:?} is not an HTTP date") };
    let month = months.iter().position(|m| *m == month).with_context(|| format!("no month in {http_date:?}"))? + 1;
    Ok(format!("{year}{month:02}{day}T{}Z", time.replace(':', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_agrees_with_rfc_4231_case_2() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(hmac(b"Jefe", b"what do ya want for nothing?")), expected);
    }

    #[test]
    fn an_http_date_becomes_an_amz_date() {
        assert_eq!(amz_date("Mon, 03 Nov 2026 02:44:09 GMT").expect("a date"), "20261103T024409Z");
        assert!(amz_date("yesterday").is_err());
    }
}
