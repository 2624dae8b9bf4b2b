//! What was typed about users and the own password, and the way to the API's values and back.

use oplogue_api::FieldError;
use oplogue_api::users::{PasswordChange, Role, User, UserInput};
use serde::Deserialize;

use crate::typed::{Reading, check, checked, word};

/// A user. The password is never shown again.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UserForm {
    pub name: String,
    pub role: String,
    pub password: String,
    pub disabled: String,
}

impl std::fmt::Debug for UserForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserForm({}, {}, password hidden)", self.name, self.role)
    }
}

impl UserForm {
    pub fn new() -> Self {
        Self { role: word(&Role::Viewer), ..Self::default() }
    }

    /// A blank password keeps the one that is stored; a password is taken exactly as typed.
    pub fn to_input(&self) -> Result<UserInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let role = reading.choice::<Role>("role", &self.role);
        let password = Some(self.password.clone()).filter(|password| !password.is_empty());
        let input = role.map(|role| UserInput { name: self.name.trim().to_owned(), role, password, disabled: checked(&self.disabled) });
        reading.done_with(input)
    }

    pub fn from_user(user: &User) -> Self {
        Self { name: user.name.clone(), role: word(&user.role), password: String::new(), disabled: check(user.disabled) }
    }
}

/// The own password.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PasswordForm {
    pub current: String,
    pub new: String,
    pub again: String,
}

impl std::fmt::Debug for PasswordForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordForm(hidden)")
    }
}

impl PasswordForm {
    pub fn to_input(&self) -> Result<PasswordChange, Vec<FieldError>> {
        let mut reading = Reading::default();
        if self.new != self.again {
            reading.wrong("again", "The two new passwords differ.");
        }
        reading.done(PasswordChange { current: self.current.clone(), new: self.new.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_password_keeps_the_one_that_is_stored() {
        let user = User {
            id: "user-1".into(),
            name: "anna".into(),
            role: Role::Operator,
            disabled: true,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            last_sign_in: None,
        };
        let input = UserForm::from_user(&user).to_input().expect("it was valid");
        assert_eq!(input, UserInput { name: "anna".into(), role: Role::Operator, password: None, disabled: true });
    }

    #[test]
    fn a_role_that_does_not_exist_stands_beside_its_field() {
        let errors = UserForm { role: "king".into(), ..UserForm::new() }.to_input().expect_err("wrong");
        assert_eq!(errors[0].field, "role");
    }

    #[test]
    fn two_new_passwords_that_differ_are_refused() {
        let form = PasswordForm { current: "a".into(), new: "b".into(), again: "c".into() };
        assert_eq!(form.to_input().expect_err("they differ")[0].field, "again");
    }
}
