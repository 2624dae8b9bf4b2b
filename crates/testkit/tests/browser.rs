//! The browser does what it is told and tells what is wrong with a page.

use std::io::{Read, Write};
use std::net::TcpListener;

use oplogue_testkit::Browser;
use oplogue_testkit::browser::LOOKS;

const PAGE: &str = r#"<!doctype html><html lang="en"><head><title>t</title><meta name="viewport" content="width=device-width"></head>
<body><main><h1>Shop</h1><form><label>Name <input name="name"></label><button formaction="/done">Send</button></form>
<img src="/missing.png"></main></body></html>"#;

/// Serves the page to everybody until the test ends.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            // Whatever was asked for, it gets the page.
            let _ = stream.read(&mut request);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{PAGE}",
                PAGE.len()
            );
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn a_page_is_used_looked_at_and_checked() {
    let url = serve();
    let mut browser = Browser::start().await.expect("a browser starts");
    browser.goto(&url).await.expect("the page is there");
    browser.fill("Name", "lamp & desk").await.expect("the field is found by its label");
    browser.click("button", "Send").await.expect("the button is found by its name");
    assert!(browser.url().await.expect("an address").ends_with("/done?name=lamp+%26+desk"));
    browser.wait_text("Shop", false).await.expect("the heading is seen");
    assert!(browser.fill("No such field", "x").await.is_err());

    let found = browser.accessibility().await.expect("the checker runs");
    assert!(found.iter().any(|one| one.starts_with("image-alt")), "{found:?}");
    let folder = tempfile::tempdir().expect("a folder");
    for (index, look) in LOOKS.into_iter().enumerate() {
        let file = folder.path().join(format!("{index}.png"));
        browser.photograph(look, &file).await.expect("a picture");
        assert!(std::fs::metadata(&file).expect("it is there").len() > 1000);
    }
    browser.javascript(false).await.expect("a page without JavaScript");
    browser.wait_text("Shop", false).await.expect("the same page again");
}
