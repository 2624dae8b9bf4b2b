//! What every form keeps: labels, and errors beside their fields. What every page keeps is tested beside the samples.

use oplogue_pages::samples::{self, Sample};

use crate::html::{Element, Html};

fn each(check: impl Fn(&Sample, &Html)) {
    let all = samples::all();
    assert!(all.len() > 100, "{} samples", all.len());
    for sample in all {
        check(&sample, &Html::read(&sample.html()));
    }
}

fn is_field(element: &Element) -> bool {
    matches!(element.name.as_str(), "input" | "select" | "textarea") && element.get("type") != Some("hidden")
}

#[test]
fn every_field_has_a_label() {
    each(|sample, html| {
        for (at, element) in html.elements.iter().enumerate().filter(|(_, element)| is_field(element)) {
            assert!(html.label(at).is_some(), "{}.{}: {:?} has no label", sample.page, sample.name, element.get("name"));
        }
    });
}

#[test]
fn every_button_and_link_says_what_it_does() {
    each(|sample, html| {
        for element in html.elements.iter().filter(|element| matches!(element.name.as_str(), "a" | "button" | "summary")) {
            let named = !element.text.trim().is_empty() || element.get("aria-label").is_some_and(|label| !label.is_empty());
            assert!(named, "{}.{}: a {} without words", sample.page, sample.name, element.name);
        }
    });
}

#[test]
fn forms_do_not_stand_in_forms() {
    each(|sample, html| {
        for (at, _) in html.elements.iter().enumerate().filter(|(_, element)| element.name == "form") {
            assert!(!html.within(at, "form"), "{}.{}", sample.page, sample.name);
        }
    });
}

/// (page, sample, field's label, what is said beside it)
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("backup_form", "wrong", "Backup name", "Backup name can contain only dots, colons, letters, digits, underscores and dashes."),
    ("backup_form", "wrong", "Cron expression", "Invalid cron expression"),
    ("backup_form", "wrong", "Time zone", "There is no time zone"),
    ("backup_form", "wrong", "Retry interval", "Exceeded max retry interval 8h0m0s."),
    ("backup_form", "wrong", "Folder", "Specified folder refers to a parent directory."),
    ("location_form", "wrong", "Endpoint", "Invalid scheme 'ftp'"),
    ("location_form", "wrong", "Secret key", "S3 secretKey field is empty."),
    ("alert_rule", "wrong", "Limit", "Must be 30 to 604800."),
    ("contact_point", "wrong", "To", "is not an address."),
    ("silence", "wrong", "Or until", "Must lie in the future."),
    ("service_edit", "wrong", "Name", "Must not be empty."),
    ("user", "wrong", "Password", "needs at least 12"),
    ("token_new", "wrong", "Valid for", "Must be 3650 at most."),
    ("password", "wrong", "New password again", "The two new passwords differ."),
    ("alert_templates", "wrong", "YAML", "is about nothing that is watched here."),
];

#[test]
fn an_error_stands_beside_its_field_and_in_the_summary() {
    for (page, name, label, message) in WRONG {
        let sample = samples::find(page, name).unwrap_or_else(|| panic!("no sample {page}.{name}"));
        let html = Html::read(&sample.html());
        let field = html
            .elements
            .iter()
            .enumerate()
            .find(|(at, element)| {
                is_field(element) && element.get("type") != Some("radio") && html.label(*at).is_some_and(|text| text.starts_with(label))
            })
            .unwrap_or_else(|| panic!("{page}.{name} has no field {label}"))
            .1;
        assert_eq!(field.get("aria-invalid"), Some("true"), "{page}.{name}: {label}");
        let beside = field.get("aria-describedby").unwrap_or_default().split_whitespace();
        let said = beside.filter_map(|id| html.elements.iter().find(|element| element.get("id") == Some(id))).map(|element| &element.text);
        assert!(said.clone().any(|text| text.contains(message)), "{page}.{name}: {label}");
        let summary = html.elements.iter().find(|element| element.get("id") == Some("errors")).unwrap_or_else(|| panic!("{page}.{name}"));
        assert!(summary.get("role") == Some("alert") && summary.text.contains(message), "{page}.{name}: {label}");
    }
}

#[test]
fn nothing_typed_is_lost_when_something_is_wrong() {
    let html = Html::read(&samples::find("backup_form", "wrong").expect("a sample").html());
    let value =
        |name: &str| html.elements.iter().find(|element| element.get("name") == Some(name)).and_then(|element| element.get("value"));
    assert_eq!(value("name"), Some("Copy of nightly!"));
    assert_eq!(value("cron"), Some("61 * * * *"));
    assert_eq!(value("retries"), Some("eleven"));
    assert_eq!(value("folder"), Some("../other"));
    assert_eq!(value("filled_folder"), Some("shop"));
}

#[test]
fn secrets_never_come_back() {
    each(|sample, html| {
        for secret in html.elements.iter().filter(|element| element.get("type") == Some("password")) {
            assert_eq!(secret.get("value"), Some(""), "{}.{}", sample.page, sample.name);
        }
    });
}

#[test]
fn enter_sends_the_form_even_where_other_buttons_stand_before() {
    for (page, first) in [("backup_form", "submit"), ("location_form", "save"), ("alert_rule", "save")] {
        for sample in samples::all().iter().filter(|sample| sample.page == page && !sample.name.starts_with("viewer")) {
            let html = Html::read(&sample.html());
            let buttons = html.elements.iter().find(|element| element.get("name") == Some("action")).expect("a form with buttons");
            assert_eq!(buttons.get("value"), Some(first), "{page}.{}", sample.name);
        }
    }
}
