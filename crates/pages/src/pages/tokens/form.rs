//! What was typed about a new API token, and the way to the API's values.

use oplogue_api::FieldError;
use oplogue_api::tokens::ApiTokenInput;
use oplogue_api::users::Role;
use serde::Deserialize;

use crate::typed::{Reading, word};

/// A new token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TokenForm {
    pub name: String,
    pub role: String,
    /// Blank: does not expire.
    pub valid_days: String,
}

impl TokenForm {
    pub fn new() -> Self {
        Self { role: word(&Role::Viewer), valid_days: "365".to_owned(), ..Self::default() }
    }

    pub fn to_input(&self) -> Result<ApiTokenInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let role = reading.choice::<Role>("role", &self.role);
        let valid_days = reading.optional_number("valid_days", &self.valid_days);
        reading.done_with(role.map(|role| ApiTokenInput { name: self.name.trim().to_owned(), role, valid_days }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_validity_means_that_it_does_not_expire() {
        let input = TokenForm { name: "ci".into(), valid_days: String::new(), ..TokenForm::new() }.to_input().expect("valid");
        assert_eq!(input, ApiTokenInput { name: "ci".into(), role: Role::Viewer, valid_days: None });
    }

    #[test]
    fn a_validity_that_is_no_number_stands_beside_its_field() {
        let errors = TokenForm { valid_days: "long".into(), ..TokenForm::new() }.to_input().expect_err("wrong");
        assert_eq!(errors[0].field, "valid_days");
    }
}
