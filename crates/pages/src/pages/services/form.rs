//! What was typed about services and their enrolment, and the way to the API's values and back.

use oplogue_api::FieldError;
use oplogue_api::services::{EnrolmentRequest, Service, ServiceChange};
use serde::Deserialize;

use crate::typed::{Reading, optional};

/// Name and cluster label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceForm {
    pub name: String,
    pub cluster: String,
}

impl ServiceForm {
    pub fn to_input(&self) -> Result<ServiceChange, Vec<FieldError>> {
        Ok(ServiceChange { name: Some(self.name.trim().to_owned()), cluster: Some(self.cluster.trim().to_owned()) })
    }

    pub fn from_service(service: &Service) -> Self {
        Self { name: service.name.clone(), cluster: service.cluster.clone().unwrap_or_default() }
    }
}

/// Asks for a one-time token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EnrolForm {
    pub cluster: String,
    pub valid_seconds: String,
}

impl EnrolForm {
    pub fn new() -> Self {
        Self { valid_seconds: "3600".to_owned(), ..Self::default() }
    }

    pub fn to_input(&self) -> Result<EnrolmentRequest, Vec<FieldError>> {
        let mut reading = Reading::default();
        let valid_seconds = reading.optional_number("valid_seconds", &self.valid_seconds);
        reading.done(EnrolmentRequest { cluster: optional(&self.cluster), valid_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_label_takes_the_label_away_and_asks_for_none() {
        let change = ServiceForm { name: " shop-1 ".into(), cluster: " ".into() }.to_input().expect("nothing can be wrong");
        assert_eq!((change.name.as_deref(), change.cluster.as_deref()), (Some("shop-1"), Some("")));
        let request = EnrolForm::new().to_input().expect("a default is good");
        assert_eq!(request, EnrolmentRequest { cluster: None, valid_seconds: Some(3600) });
    }

    #[test]
    fn a_validity_that_is_no_number_stands_beside_its_field() {
        let errors = EnrolForm { valid_seconds: "an hour".into(), ..EnrolForm::new() }.to_input().expect_err("wrong");
        assert_eq!(errors[0].field, "valid_seconds");
    }
}
