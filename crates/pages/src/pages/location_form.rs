//! Add or edit a storage location, with a test before it is kept.
//!
//! Which fields are seen follows from the kind by the style sheet alone. The test is shown on the same page; secrets are never sent
//! back, so without JavaScript they have to be typed again after it. (With JavaScript only the result is taken over.)

mod form;

use maud::{Markup, html};
use oplogue_api::locations::LocationTest;
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

pub use self::form::{LocationAction, LocationForm};
use crate::components::button::Button;
use crate::components::field::{self, Choice, Field};
use crate::components::notice;
use crate::pages::backups::choices;
use crate::pages::locations;
use crate::{Frame, layout, urls};

pub struct Page {
    /// The location that is changed; `None` adds one.
    pub id: Option<String>,
    pub form: LocationForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
    /// Credentials are stored already.
    pub has_secret: bool,
    /// Of the test that was just asked for.
    pub test: Option<LocationTest>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let title = if page.id.is_some() { "Edit storage location" } else { "Add storage location" };
    let cancel = page.id.as_ref().map_or_else(|| urls::LOCATIONS.to_owned(), |id| urls::location(id));
    let path = frame.path_only();
    let main = html! {
        (layout::crumbs(&[("Storage locations", urls::LOCATIONS)]))
        (layout::header(title, html! {}, html! {}))
        div {
            (field::form_for(frame, Role::Administrator, path, html! {
                (field::default_button("action", "save"))
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("The location was not saved", failure)) }
                (field::group("Location", "", html! {
                    (Field::new("name", "Name").value(&page.form.name).errors(&page.errors).required().text())
                    (Field::new("description", "Description").value(&page.form.description).errors(&page.errors).textarea(2))
                    (kind(page))
                }))
                (field::group("Place", "", place(page)))
                div data-kind="s3 gcs azure" { (field::group("Credentials", "Kept encrypted, and never shown again.", credentials(page))) }
                div data-kind="s3 gcs azure" { (further(page)) }
                div #test-result aria-live="polite" { @if let Some(test) = &page.test { (locations::test_result(test)) } }
                (field::buttons(html! {
                    (Button::submit_as(if page.id.is_some() { "Save" } else { "Add" }, "action", "save").primary().needs(frame, Role::Administrator))
                    (test_button(frame, path))
                    (Button::link(&cancel, "Cancel").quiet())
                }))
            }))
        }
    };
    layout::page(frame, title, main)
}

/// Writes, reads, lists and deletes from the server and every agent. With JavaScript, the typed secrets stay where they are.
fn test_button(frame: &Frame, path: &str) -> Markup {
    if frame.refusal(Role::Administrator).is_some() {
        return html! { (Button::submit("Test").needs(frame, Role::Administrator)) };
    }
    html! {
        button.button type="submit" name="action" value="test" hx-post=(path) hx-target="#test-result" hx-select="#test-result"
            hx-swap="outerHTML" hx-disabled-elt="this" { span { "Test" } }
    }
}

fn kind(page: &Page) -> Markup {
    let kinds = [
        Choice::new("s3", "S3").description("Amazon S3 and everything that speaks it: MinIO, Ceph, Garage…"),
        Choice::new("gcs", "Google Cloud Storage"),
        Choice::new("azure", "Azure Blob Storage"),
        Choice::new("local", "Local").description("A folder, mounted at the same path on the server and beside every mongod."),
    ];
    let locked = page.id.as_ref().map(|_| "Fixed: backups were written with it. Add another location instead.");
    html! { (Field::new("kind", "Type").value(&page.form.kind).errors(&page.errors).locked(locked).cards(&kinds)) }
}

fn place(page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    let styles = choices(&[("auto", "By itself"), ("path", "Path: endpoint/bucket/key"), ("host", "Host: bucket.endpoint/key")]);
    html! {
        div data-kind="local" {
            (Field::new("settings.path", "Path").value(&form.path).errors(errors).required().mono().placeholder("/srv/backups")
                .hint("Absolute. The server and every agent must be able to write there.").text())
        }
        div data-kind="s3 gcs azure" {
            (Field::new("settings.endpoint", "Endpoint").value(&form.endpoint).errors(errors).mono().placeholder("https://s3.example.org")
                .hint("Empty for the provider's own. Without a scheme, https:// is meant.").text())
        }
        div data-kind="azure" { (Field::new("settings.account", "Storage account").value(&form.account).errors(errors).required().mono().text()) }
        div.fields data-kind="s3 gcs azure" {
            (Field::new("settings.bucket", "Bucket name").value(&form.bucket).errors(errors).required().mono().hint("Azure: the container.").text())
            (Field::new("settings.prefix", "Prefix").value(&form.prefix).errors(errors).mono().hint("A folder in the bucket that everything lies below.").text())
        }
        div.fields data-kind="s3" {
            (Field::new("settings.region", "Region").value(&form.region).errors(errors).mono().placeholder("us-east-1").text())
            (Field::new("settings.path_style", "Addressing").value(&form.path_style).errors(errors)
                .hint("By itself: path wherever there is an endpoint.").required().select(&styles))
        }
    }
}

fn credentials(page: &Page) -> Markup {
    let errors = &page.errors;
    let stored = page.has_secret;
    html! {
        div data-kind="s3" {
            (Field::new("secrets.access_key", "Access key").errors(errors).hint("Without keys, those of the environment or the machine's role are used.").secret(stored))
            (Field::new("secrets.secret_key", "Secret key").errors(errors).secret(stored))
            (Field::new("secrets.session_token", "Session token").errors(errors).hint("Only for temporary keys.").secret(false))
        }
        div data-kind="gcs" {
            (Field::new("secrets.service_account", "Service account key").errors(errors).hint("Paste the whole JSON file.").secret(stored))
        }
        div data-kind="azure" { (Field::new("secrets.account_key", "Account key").errors(errors).secret(stored)) }
    }
}

fn further(page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    let encryption = choices(&[("", "As the bucket says"), ("AES256", "AES256"), ("aws:kms", "aws:kms")]);
    let set = [&form.storage_class, &form.server_side_encryption, &form.kms_key_id, &form.ca_pem, &form.insecure_tls];
    let fields =
        ["settings.storage_class", "settings.server_side_encryption", "settings.kms_key_id", "settings.ca_pem", "settings.insecure_tls"];
    let open = set.iter().any(|text| !text.is_empty()) || errors.iter().any(|error| fields.contains(&error.field.as_str()));
    field::advanced(
        "Advanced settings",
        open,
        html! {
            div data-kind="s3" {
                (Field::new("settings.storage_class", "Storage class").value(&form.storage_class).errors(errors).mono().placeholder("STANDARD")
                    .hint("Of new objects. One whose objects must be thawed cannot be restored from.").text())
                (Field::new("settings.server_side_encryption", "Encryption by the storage").value(&form.server_side_encryption).errors(errors).select(&encryption))
                (Field::new("settings.kms_key_id", "KMS key").value(&form.kms_key_id).errors(errors).mono().text())
            }
            (Field::new("settings.ca_pem", "Certificate authorities").value(&form.ca_pem).errors(errors).mono()
                .placeholder("-----BEGIN CERTIFICATE-----").hint("PEM, trusted besides the system's.").textarea(4))
            (Field::new("settings.insecure_tls", "Accept any certificate").value(&form.insecure_tls).errors(errors)
                .hint("Whoever sits in between can read and change everything. For trying out only.").checkbox())
        },
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    use oplogue_api::ErrorCode;
    let page = |form| Page { id: None, form, errors: Vec::new(), failure: None, has_secret: false, test: None };
    let edit = |at: usize| {
        let location = world::locations().remove(at);
        Page { id: Some(location.id.clone()), has_secret: location.has_secret, ..page(LocationForm::from_location(&location)) }
    };
    let (good, bad) = world::location_tests();
    let wrong = LocationForm { name: "s3-main".into(), endpoint: "ftp://s3.example.org/path".into(), ..LocationForm::new() };
    let errors = vec![
        FieldError::new("name", "Location with name \"s3-main\" already exists."),
        FieldError::new("endpoint", "Invalid scheme 'ftp'"),
        FieldError::new("bucket", "S3 bucketName field is empty."),
        FieldError::new("secrets.secret_key", "S3 secretKey field is empty."),
    ];
    let failure = ErrorBody {
        code: ErrorCode::Conflict,
        message: "change location s3-main: a backup is being written to it".into(),
        hint: Some("Wait for the job, or cancel it.".into()),
        fields: Vec::new(),
        retryable: true,
        request_id: "req_01k9x3m2f7".into(),
    };
    let kind = |kind: &str| page(LocationForm { kind: kind.into(), ..LocationForm::new() });
    vec![
        ("empty", page(LocationForm::new())),
        ("local", kind("local")),
        ("gcs", kind("gcs")),
        ("azure", kind("azure")),
        ("edit", edit(0)),
        ("wrong", Page { errors, ..page(wrong) }),
        ("tested", Page { test: Some(good), ..edit(0) }),
        ("test-failed", Page { test: Some(bad), ..edit(0) }),
        ("failed", Page { failure: Some(failure), ..edit(0) }),
        ("long-names", edit(3)),
        ("viewer-forbidden", page(LocationForm::new())),
    ]
}
