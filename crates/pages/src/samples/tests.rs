//! What every page promises, held against every sample.

use std::collections::BTreeSet;

use super::*;

/// One opening tag: its name and attributes, in order.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The opening tags of what maud writes: attributes are quoted, and `<` stands nowhere else.
fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    for piece in html.split('<').skip(1).filter(|piece| !piece.starts_with(['/', '!'])) {
        let inside = &piece[..end_of_tag(piece)];
        let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
        let mut attributes = Vec::new();
        while let Some(key) = rest.trim_start().split([' ', '=']).next().filter(|key| !key.is_empty()) {
            let after = &rest.trim_start()[key.len()..];
            match after.strip_prefix("=\"") {
                Some(value) => {
                    let end = value.find('"').expect("maud closes what it quotes");
                    attributes.push((
                        key.to_owned(),
                        value[..end].replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"),
                    ));
                    rest = &value[end + 1..];
                }
                None => {
                    attributes.push((key.to_owned(), String::new()));
                    rest = after;
                }
            }
        }
        tags.push(Tag { name: name.to_owned(), attributes });
    }
    tags
}

/// A `>` within quotes does not end a tag.
fn end_of_tag(piece: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in piece.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at,
            _ => {}
        }
    }
    piece.len()
}

fn each(check: impl Fn(&str, &str, &[Tag])) {
    let samples = all();
    assert!(samples.len() > 40, "{}", samples.len());
    for sample in samples {
        let html = sample.html();
        check(&format!("{}.{}", sample.page, sample.name), &html, &tags(&html));
    }
}

#[test]
fn ids_are_unique_and_what_refers_to_one_finds_it() {
    each(|name, _, tags| {
        let mut ids = BTreeSet::new();
        for id in tags.iter().filter_map(|tag| tag.get("id")) {
            assert!(ids.insert(id), "{name}: two elements have the id {id}");
        }
        for tag in tags {
            for key in ["aria-describedby", "aria-labelledby", "for"] {
                for id in tag.get(key).into_iter().flat_map(str::split_whitespace) {
                    assert!(ids.contains(id), "{name}: {key} names {id}, which is not there");
                }
            }
        }
    });
}

#[test]
fn every_form_that_changes_something_has_the_csrf_token() {
    each(|name, html, _| {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or(form);
            let opening = &form[..end_of_tag(form)];
            if opening.contains("method=\"post\"") {
                assert!(form.contains("name=\"csrf\" value=\"sample-csrf\""), "{name}: a form without csrf: {opening}");
            } else {
                assert!(!form.contains("name=\"csrf\""), "{name}: the token must not get into a URL: {opening}");
            }
        }
    });
}

#[test]
fn every_input_has_a_label() {
    each(|name, html, tags| {
        let labelled: BTreeSet<&str> = tags.iter().filter(|tag| tag.name == "label").filter_map(|tag| tag.get("for")).collect();
        for tag in tags.iter().filter(|tag| matches!(tag.name.as_str(), "input" | "select" | "textarea")) {
            if matches!(tag.get("type"), Some("hidden")) {
                continue;
            }
            let id = tag.get("id").unwrap_or_default();
            // Radio buttons and checkboxes stand inside their label.
            let inside = matches!(tag.get("type"), Some("radio" | "checkbox")) && html.contains("<label");
            assert!(labelled.contains(id) || inside || tag.get("aria-label").is_some(), "{name}: no label for {:?}", tag.get("name"));
        }
    });
}

#[test]
fn nothing_is_inline_that_the_content_security_policy_refuses() {
    each(|name, html, tags| {
        for tag in tags {
            assert!(tag.get("style").is_none(), "{name}: style= on {}", tag.name);
            assert!(tag.name != "style", "{name}: a <style>");
            assert!(tag.name != "script" || tag.get("src").is_some(), "{name}: an inline script");
            if let Some((key, _)) = tag.attributes.iter().find(|(key, _)| key.starts_with("on")) {
                panic!("{name}: {key}= on {}", tag.name);
            }
            if let Some(link) = tag.get("href").filter(|link| link.contains("://") || link.starts_with("javascript:")) {
                assert!(tag.get("rel") == Some("noreferrer"), "{name}: {link} leaves the server");
            }
        }
        assert!(!html.contains("hx-on"), "{name}: htmx would evaluate text");
    });
}

#[test]
fn every_page_has_one_title_and_one_heading_of_the_first_order() {
    each(|name, html, tags| {
        assert_eq!(tags.iter().filter(|tag| tag.name == "h1").count(), 1, "{name}");
        assert!(html.contains("<title>") && html.starts_with("<!DOCTYPE html>"), "{name}");
        assert_eq!(tags.iter().filter(|tag| tag.name == "main").count(), 1, "{name}");
    });
}

/// The patterns of [`urls`], out of its source: whatever a page links to must be one of them.
#[test]
fn every_link_and_form_leads_to_a_page_there_is() {
    let source = include_str!("../urls.rs");
    let patterns: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1)).collect();
    let fits = |path: &str| {
        patterns.iter().any(|pattern| {
            let (want, have): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
            want.len() == have.len()
                && want.iter().zip(&have).all(|(want, have)| want == have || (want.starts_with('{') && !have.is_empty()))
        })
    };
    each(|name, _, tags| {
        for tag in tags {
            for link in ["href", "action", "hx-get"].iter().filter_map(|key| tag.get(key)) {
                let path = link.split(['?', '#']).next().unwrap_or_default();
                // The API is the server's other front door.
                assert!(path.is_empty() || path == "/metrics" || path.starts_with("/v1/") || fits(path), "{name}: {link} leads nowhere");
            }
        }
    });
}

#[test]
fn a_viewer_is_offered_nothing_to_submit_but_signing_out_and_their_own_settings() {
    let harmless = [urls::SIGN_OUT, urls::PASSWORD];
    for sample in all().into_iter().filter(|sample| sample.name.starts_with("viewer")) {
        let html = sample.html();
        for form in html.split("<form").skip(1).filter(|form| form[..end_of_tag(form)].contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap_or(form);
            let harmless = harmless.iter().any(|path| form.contains(&format!("action=\"{path}\"")));
            assert!(harmless || !form.contains("type=\"submit\""), "{}.{}: {}", sample.page, sample.name, &form[..form.len().min(200)]);
        }
    }
}

#[test]
fn hostile_texts_are_shown_and_not_obeyed() {
    let mut page = pages::restore_detail::Page { restore: fixtures::restore(oplogue_api::jobs::JobState::Failed) };
    page.restore.error = Some("</script><script>alert(1)</script>".into());
    page.restore.target_service = "\"><img src=x onerror=alert(1)>".into();
    let html = pages::restore_detail::view(&frame(urls::RESTORES), &page).into_string();
    assert!(!html.contains("<script>alert") && !html.contains("<img"));
}
