//! What goes over the wire between `object_store` and the server, set right where the two would not keep our promises.
//!
//! `object_store` cannot name every key S3 can: its paths refuse control characters, and one key in a listing that it cannot name
//! (`a//b`, a tab) makes the whole listing fail. PBM writes such keys. So, below it:
//!
//! - [`escape`] gives it each control character as a private stand-in, and [`Wire`] puts the real one back into the request;
//! - listings are asked for with `encoding-type=url` (XML cannot hold control characters at all), and every key in the answer is
//!   handed up in hexadecimal, which [`listed_key`] reads.
//!
//! A request that was changed is signed again. Timeouts are here too, because they need to know what is a request's body.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::path::Path;
use percent_encoding::percent_decode_str;

/// `STAND_IN + c` stands for the control character `c`: the last 256 code points set aside for private use, less the non-characters.
const STAND_IN: u32 = 0x10_FF00;

/// A request's body gets this much time on top: a slower line than 64 KiB/s is as good as broken.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

/// The name for `object_store` of the object with this key.
pub(super) fn escape(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_control() { stand_in(c) } else { c }).collect()
}

/// A key that contains a stand-in itself cannot be told from an escaped one.
pub(super) fn problem(key: &str) -> Option<String> {
    let taken = key.chars().find(|&c| (STAND_IN..STAND_IN + 0x80).contains(&u32::from(c)))?;
    Some(format!("it contains the private-use character {}, which is used here for another purpose", taken.escape_unicode()))
}

fn stand_in(control: char) -> char {
    char::from_u32(STAND_IN + u32::from(control)).unwrap_or(control)
}

/// The key in a listing, from the name that [`Wire`] gave it.
pub(super) fn listed_key(location: &Path) -> Result<String, String> {
    let bytes = hex::decode(location.as_ref()).map_err(|error| format!("unreadable listing: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "the listing has a key that is not UTF-8".to_owned())
}

/// Makes [`Wire`]s.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) signing: Signing,
    pub(super) request_timeout: Duration,
}

/// How a request that was changed becomes valid again.
#[derive(Debug, Clone)]
pub(super) enum Signing {
    S3 {
        credentials: AwsCredentialProvider,
        region: String,
    },
    /// Its signature does not cover what is changed (Google), or nothing is ever changed (Azure).
    None,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Wire { inner, signing: self.signing.clone(), request_timeout: self.request_timeout }))
    }
}

#[derive(Debug)]
struct Wire {
    inner: HttpClient,
    signing: Signing,
    request_timeout: Duration,
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Google's client writes so where nobody has credentials; servers that let everybody in do not understand it.
        if request.headers().get("authorization").is_some_and(|value| value.as_bytes().trim_ascii() == b"Bearer") {
            request.headers_mut().remove("authorization");
        }
        let asks = |wanted: &str| request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == wanted));
        // S3 and Google; Azure.
        let (s3_listing, azure_listing) = (asks("list-type=2"), asks("comp=list"));
        let listing = s3_listing || azure_listing;
        let old = request.uri().to_string();
        let new = real_uri(&old, s3_listing);
        if new != old {
            *request.uri_mut() = new.parse().map_err(broken)?;
            self.sign_again(&mut request).await?;
        }
        let body_seconds = request.body().content_length() as u64 / UPLOAD_BYTES_PER_SECOND_MIN;
        let patience = self.request_timeout.saturating_add(Duration::from_secs(body_seconds));
        let answered = tokio::time::timeout(patience, self.answer(request, listing)).await;
        answered.unwrap_or_else(|_| {
            let cause = format!("no answer within {} s", patience.as_secs_f32());
            Err(HttpError::new(HttpErrorKind::Timeout, std::io::Error::new(std::io::ErrorKind::TimedOut, cause)))
        })
    }
}

impl Wire {
    async fn answer(&self, request: HttpRequest, listing: bool) -> Result<HttpResponse, HttpError> {
        let content = !listing && request.method().as_str() == "GET";
        let response = self.inner.execute(request).await.map_err(final_if_certificate)?;
        if content {
            return Ok(response);
        }
        // Other answers are small, and some say what happened in their body only. If the body breaks, all is to be asked again;
        // `object_store` repeats requests, but not for the sake of a body.
        let (parts, body) = response.into_parts();
        let pieces: Vec<Bytes> = body.bytes_stream().try_collect().await.map_err(interrupted)?;
        let body = pieces.concat();
        if !listing || !parts.status.is_success() {
            return Ok(HttpResponse::from_parts(parts, Bytes::from(body).into()));
        }
        let text = String::from_utf8(body).map_err(broken)?;
        Ok(HttpResponse::from_parts(parts, keys_in_hexadecimal(&text).into()))
    }

    async fn sign_again(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let Signing::S3 { credentials, region } = &self.signing else {
            return Ok(());
        };
        if request.headers_mut().remove("authorization").is_none() {
            return Ok(()); // anonymous
        }
        let digest = request.headers().get("x-amz-content-sha256").and_then(|digest| hex::decode(digest).ok());
        let credential = credentials.get_credential().await.map_err(broken)?;
        let authorizer = AwsAuthorizer::new(&credential, "s3", region);
        // No digest: payloads are not signed (`AWS_UNSIGNED_PAYLOAD`).
        let authorizer = authorizer.with_sign_payload(digest.is_some());
        authorizer.try_authorize(request, digest.as_deref()).map_err(broken)
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

fn interrupted(error: HttpError) -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, error)
}

/// A certificate that is not trusted will not be trusted next time: such errors are not tried again.
fn final_if_certificate(error: HttpError) -> HttpError {
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = source {
        if cause.to_string().contains("invalid peer certificate") {
            return HttpError::new(HttpErrorKind::Unknown, error);
        }
        source = cause.source();
    }
    error
}

/// The URI with control characters instead of their stand-ins, and with the encoding of listings asked for.
fn real_uri(uri: &str, listing: bool) -> String {
    let mut uri = uri.to_owned();
    if uri.contains("%F4%8F%B") {
        for control in (0u8..0x20).chain([0x7F]) {
            let mut bytes = [0; 4];
            let encoded = stand_in(char::from(control)).encode_utf8(&mut bytes).bytes();
            let encoded: String = encoded.map(|byte| format!("%{byte:02X}")).collect();
            uri = uri.replace(&encoded, &format!("%{control:02X}"));
        }
    }
    if listing {
        uri.push_str("&encoding-type=url");
    }
    uri
}

/// The answer to a listing with the name of each object and folder in hexadecimal.
///
/// S3 and Google: the text of `<Key>`, which stands only inside `<Contents>`, and of `<Prefix>` inside `<CommonPrefixes>` (elsewhere that is
/// what was asked for). Azure: the text of `<Name>`; with the attribute `Encoded` it is as in a URL. Servers that do not know
/// `encoding-type` say nothing of it in the answer; their keys are plain XML text. What URLs leave alone and XML does not (`'`) is an
/// entity in both.
fn keys_in_hexadecimal(answer: &str) -> String {
    let encoded = answer.contains("<EncodingType>url</EncodingType>");
    let mut rewritten = String::with_capacity(answer.len() * 2);
    let mut rest = answer;
    while let Some((before, key, after)) = next_key(rest) {
        let key = xml_decoded(key);
        let key = if encoded || before.ends_with(" Encoded=\"true\">") { url_decoded(&key) } else { key.into_bytes() };
        rewritten.push_str(before);
        rewritten.push_str(&hex::encode(key));
        rest = after;
    }
    rewritten.push_str(rest);
    rewritten
}

/// The next text that is a key, with everything before it and everything after.
fn next_key(answer: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + answer[from..].find('<')?;
        let element = &answer[at..];
        let (opening, closing) = if element.starts_with("<Key>") {
            ("<Key>", "</Key>")
        } else if element.starts_with("<CommonPrefixes>") {
            ("<Prefix>", "</Prefix>")
        } else if element.starts_with("<Name>") || element.starts_with("<Name ") {
            (">", "</Name>")
        } else {
            from = at + 1;
            continue;
        };
        let start = at + element.find(opening)? + opening.len();
        let end = start + answer[start..].find(closing)?;
        return Some((&answer[..start], &answer[start..end], &answer[end..]));
    }
}

/// S3 writes a space as `+` and a plus as `%2B`; others write `%20`. Both are read.
fn url_decoded(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

fn xml_decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        match after.split_once(';').and_then(|(entity, after)| Some((xml_entity(entity)?, after))) {
            Some((c, after)) => {
                decoded.push(c);
                rest = after;
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn xml_entity(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_come_back_in_the_request() {
        let escaped = escape("a\tb\n\u{7f}ü\u{1}");
        assert!(Path::parse(&escaped).is_ok(), "{escaped:?}");
        let encoded: String = escaped.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(real_uri(&format!("http://h/b/{encoded}"), false), "http://h/b/%61%09%62%0A%7F%C3%BC%01");
    }

    #[test]
    fn other_requests_stay_as_they_are() {
        let uri = "http://h/b/a%20b%25%F4%8F%80%80?uploads=";
        assert_eq!(real_uri(uri, false), uri);
        assert_eq!(real_uri("http://h/b?list-type=2", true), "http://h/b?list-type=2&encoding-type=url");
    }

    #[test]
    fn stand_ins_in_names_are_refused() {
        assert!(problem("a\u{10FF09}b").is_some());
        assert_eq!(problem("a\u{10FE09}b\u{10FFF0}"), None);
    }

    #[test]
    fn keys_of_listings_are_understood_in_every_encoding() {
        let table = [
            ("<EncodingType>url</EncodingType>", "a+b%2Bc%20d%09%25&apos;%26amp;", "a b+c d\t%'&amp;"),
            ("<EncodingType>url</EncodingType>", "a//b/", "a//b/"),
            ("", "a+b&amp;&lt;&gt;&quot;&apos;&#9;&#x41;%25", "a+b&<>\"'\tA%25"),
            ("", "&unknown; & end", "&unknown; & end"),
        ];
        for (encoding, text, key) in table {
            let answer = format!("<L>{encoding}<Contents><Key>{text}</Key><Size>1</Size></Contents><Contents><Key>z</Key></Contents></L>");
            let rewritten = keys_in_hexadecimal(&answer);
            let hexadecimal = hex::encode(key);
            let expected =
                format!("<L>{encoding}<Contents><Key>{hexadecimal}</Key><Size>1</Size></Contents><Contents><Key>7a</Key></Contents></L>");
            assert_eq!(rewritten, expected);
            let listed = listed_key(&Path::parse(&hexadecimal).expect("hexadecimal is a path"));
            assert_eq!(listed.as_deref(), Ok(key));
        }
    }

    #[test]
    fn folders_of_a_listing_are_understood_and_what_was_asked_for_is_left_alone() {
        let answer = "<L><Prefix>a/</Prefix><Contents><Key>a/1</Key></Contents><CommonPrefixes><Prefix>a/b&amp;c/</Prefix></CommonPrefixes>\
                      <CommonPrefixes> <Prefix>a/d/</Prefix></CommonPrefixes></L>";
        let expected = format!(
            "<L><Prefix>a/</Prefix><Contents><Key>{}</Key></Contents><CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>\
             <CommonPrefixes> <Prefix>{}</Prefix></CommonPrefixes></L>",
            hex::encode("a/1"),
            hex::encode("a/b&c/"),
            hex::encode("a/d/")
        );
        assert_eq!(keys_in_hexadecimal(answer), expected);
        assert_eq!(keys_in_hexadecimal("<CommonPrefixes>"), "<CommonPrefixes>");
        let azure = "<B><Blob><Name>a/ü&amp;</Name></Blob><Blob><Name Encoded=\"true\">a%0B</Name></Blob><BlobPrefix><Name>b/</Name></BlobPrefix></B>";
        let expected = format!(
            "<B><Blob><Name>{}</Name></Blob><Blob><Name Encoded=\"true\">{}</Name></Blob><BlobPrefix><Name>{}</Name></BlobPrefix></B>",
            hex::encode("a/ü&"),
            hex::encode("a\u{b}"),
            hex::encode("b/")
        );
        assert_eq!(keys_in_hexadecimal(azure), expected);
    }
}
