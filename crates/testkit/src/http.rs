//! Just enough HTTP/1.1 for tests: one request per connection, whole bodies.

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// e.g. 200
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Status and the beginning of the body, for messages.
    pub fn describe(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("HTTP {} {}", self.status, body.chars().take(300).collect::<String>())
    }
}

/// Sends a request to `host` (`address:port`) and reads the answer to its end.
pub(crate) async fn exchange(
    host: &str,
    method: &str,
    path: &str,
    query: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> anyhow::Result<Response> {
    let question = if query.is_empty() { "" } else { "?" };
    let mut head = format!("{method} {path}{question}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    head += &format!("Content-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let work = async {
        let mut connection = TcpStream::connect(host).await?;
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(body).await?;
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).await?;
        anyhow::Ok(bytes)
    };
    let bytes = tokio::time::timeout(crate::wait::PATIENCE, work).await.context("the server did not answer in time")?;
    parse(&bytes.with_context(|| format!("{method} {path} at {host}"))?)
}

fn parse(bytes: &[u8]) -> anyhow::Result<Response> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").context("an HTTP answer without an end of its header")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string())).collect();
    let body = bytes[end + 4..].to_vec();
    let mut response = Response { status: status.context("an HTTP answer without a status")?, headers, body };
    if response.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        response.body = unchunked(&response.body)?;
    }
    Ok(response)
}

fn unchunked(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n").context("a chunked answer that ends early")?;
        let length = String::from_utf8_lossy(&rest[..line]);
        let length = usize::from_str_radix(length.split(';').next().unwrap_or_default().trim(), 16)?;
        if length == 0 {
            return Ok(body);
        }
        let chunk = rest.get(line + 2..line + 2 + length).context("a chunk that ends early")?;
        body.extend_from_slice(chunk);
        rest = rest.get(line + 4 + length..).context("a chunk without an end")?;
    }
}

/// Percent-encoding as S3 signs it; `/` stays in keys.
pub(crate) fn encoded(text: &str, keep_slashes: bool) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || (keep_slashes && b == b'/');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Undoes percent-encoding; `+` is a space, as in S3's url-encoded listings.
pub(crate) fn decoded(text: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
                bytes.extend(hex::decode(digits).with_context(|| format!("a bad escape in {text:?}"))?);
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).with_context(|| format!("{text:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_joined() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let answer = parse(answer).expect("a good answer");
        assert_eq!((answer.status, answer.body.as_slice(), answer.header("x-a")), (200, b"abcde".as_slice(), Some("b")));
    }

    #[test]
    fn odd_keys_survive_encoding() {
        for key in ["a b", "a+b", "ü/%41", "\"*\\~#?", "a\tb"] {
            assert_eq!(decoded(&encoded(key, true)).expect("our own encoding"), key);
        }
    }
}
