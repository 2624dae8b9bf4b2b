//! What was typed about a location, and the way to the API's values and back.

use oplogue_api::FieldError;
use oplogue_api::locations::{Location, LocationInput, LocationKind, LocationSecrets, LocationSettings};
use serde::Deserialize;

use crate::typed::{Reading, check, checked, optional, word};

/// Every field as typed. Those of the other kinds are kept too, so that trying another kind loses nothing.
///
/// Secrets travel one way: a page shows the form again without them.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LocationForm {
    pub name: String,
    pub description: String,
    pub kind: String,
    #[serde(rename = "settings.path")]
    pub path: String,
    #[serde(rename = "settings.endpoint")]
    pub endpoint: String,
    #[serde(rename = "settings.bucket")]
    pub bucket: String,
    #[serde(rename = "settings.region")]
    pub region: String,
    #[serde(rename = "settings.prefix")]
    pub prefix: String,
    /// `auto`, `path` or `host`.
    #[serde(rename = "settings.path_style")]
    pub path_style: String,
    #[serde(rename = "settings.storage_class")]
    pub storage_class: String,
    #[serde(rename = "settings.server_side_encryption")]
    pub server_side_encryption: String,
    #[serde(rename = "settings.kms_key_id")]
    pub kms_key_id: String,
    #[serde(rename = "settings.ca_pem")]
    pub ca_pem: String,
    #[serde(rename = "settings.insecure_tls")]
    pub insecure_tls: String,
    #[serde(rename = "settings.account")]
    pub account: String,
    #[serde(rename = "secrets.access_key")]
    pub access_key: String,
    #[serde(rename = "secrets.secret_key")]
    pub secret_key: String,
    #[serde(rename = "secrets.session_token")]
    pub session_token: String,
    #[serde(rename = "secrets.service_account")]
    pub service_account: String,
    #[serde(rename = "secrets.account_key")]
    pub account_key: String,
    /// `save`, `test`, or `kind` to show the fields of the chosen kind.
    pub action: String,
}

impl std::fmt::Debug for LocationForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocationForm({} {}, secrets hidden)", self.kind, self.name)
    }
}

/// What the button that was pressed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocationAction {
    Save,
    /// Write, read, list and delete, from everywhere; keep nothing.
    Test,
    /// Show the fields of the chosen kind.
    Kind,
}

impl LocationForm {
    pub fn new() -> Self {
        Self { kind: word(&LocationKind::S3), path_style: "auto".to_owned(), ..Self::default() }
    }

    pub fn action(&self) -> LocationAction {
        match self.action.as_str() {
            "test" => LocationAction::Test,
            "kind" => LocationAction::Kind,
            _ => LocationAction::Save,
        }
    }

    /// The kind that is chosen; S3 when none is.
    pub fn kind(&self) -> LocationKind {
        serde_json::from_value(serde_json::Value::String(self.kind.clone())).unwrap_or(LocationKind::S3)
    }

    /// Only the fields of the chosen kind go into it.
    pub fn to_input(&self) -> Result<LocationInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let kind = reading.choice::<LocationKind>("kind", &self.kind);
        let path_style = match self.path_style.as_str() {
            "" | "auto" => None,
            "path" => Some(true),
            "host" => Some(false),
            other => {
                reading.wrong("settings.path_style", format!("“{other}” is not one of the choices."));
                None
            }
        };
        let text = |text: &str| text.trim().to_owned();
        let input = kind.map(|kind| {
            let (s3, azure, local) = (kind == LocationKind::S3, kind == LocationKind::Azure, kind == LocationKind::Local);
            let when = |wanted: bool, typed: &str| if wanted { text(typed) } else { String::new() };
            let secret = |wanted: bool, typed: &str| if wanted { optional(typed) } else { None };
            LocationInput {
                name: text(&self.name),
                description: text(&self.description),
                kind,
                settings: LocationSettings {
                    path: when(local, &self.path),
                    endpoint: when(!local, &self.endpoint),
                    bucket: when(!local, &self.bucket),
                    region: when(s3, &self.region),
                    prefix: when(!local, &self.prefix),
                    path_style: path_style.filter(|_| s3),
                    storage_class: when(s3, &self.storage_class),
                    server_side_encryption: when(s3, &self.server_side_encryption),
                    kms_key_id: when(s3, &self.kms_key_id),
                    ca_pem: when(!local, &self.ca_pem),
                    insecure_tls: !local && checked(&self.insecure_tls),
                    account: when(azure, &self.account),
                },
                secrets: LocationSecrets {
                    access_key: secret(s3, &self.access_key),
                    secret_key: secret(s3, &self.secret_key),
                    session_token: secret(s3, &self.session_token),
                    service_account: secret(kind == LocationKind::Gcs, &self.service_account),
                    account_key: secret(azure, &self.account_key),
                },
            }
        });
        reading.done_with(input)
    }

    /// A location's values, to be changed. Its secrets are not known here and stay when nothing is typed.
    pub fn from_location(location: &Location) -> Self {
        let settings = &location.settings;
        Self {
            name: location.name.clone(),
            description: location.description.clone(),
            kind: word(&location.kind),
            path: settings.path.clone(),
            endpoint: settings.endpoint.clone(),
            bucket: settings.bucket.clone(),
            region: settings.region.clone(),
            prefix: settings.prefix.clone(),
            path_style: match settings.path_style {
                None => "auto",
                Some(true) => "path",
                Some(false) => "host",
            }
            .to_owned(),
            storage_class: settings.storage_class.clone(),
            server_side_encryption: settings.server_side_encryption.clone(),
            kms_key_id: settings.kms_key_id.clone(),
            ca_pem: settings.ca_pem.clone(),
            insecure_tls: check(settings.insecure_tls),
            account: settings.account.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_of_the_chosen_kind_are_sent() {
        let form = LocationForm {
            name: " backups ".into(),
            kind: "local".into(),
            path: "/srv/backups".into(),
            bucket: "typed-before-the-kind-was-changed".into(),
            secret_key: "hunter2".into(),
            ..LocationForm::new()
        };
        let input = form.to_input().expect("it is whole");
        assert_eq!(input.name, "backups");
        assert_eq!(input.settings, LocationSettings { path: "/srv/backups".into(), ..LocationSettings::default() });
        assert!(input.secrets.is_empty());
    }

    #[test]
    fn a_blank_secret_means_keep_what_is_stored() {
        let form = LocationForm { access_key: "AK".into(), ..LocationForm::new() };
        let input = form.to_input().expect("it is whole");
        assert_eq!(input.secrets.access_key.as_deref(), Some("AK"));
        assert_eq!(input.secrets.secret_key, None);
    }

    #[test]
    fn what_is_shown_when_debugging_holds_no_secret() {
        let form = LocationForm { secret_key: "hunter2".into(), ..LocationForm::new() };
        assert!(!format!("{form:?}").contains("hunter2"));
    }

    #[test]
    fn a_kind_that_does_not_exist_stands_beside_its_field() {
        let errors =
            LocationForm { kind: "tape".into(), path_style: "sideways".into(), ..LocationForm::new() }.to_input().expect_err("wrong");
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["kind", "settings.path_style"]);
    }
}
