//! Signing in, and the administrator's first password.
//!
//! POST `/sign-in` sends [`SignInForm`]; POST `/first` sends [`FirstStartForm`]. Neither has a session yet: the front door's
//! `csrf` for them is that of a short-lived cookie.

use maud::{Markup, html};
use oplogue_api::FieldError;
use serde::Deserialize;

use crate::components::badge::Tone;
use crate::components::button::Button;
use crate::components::field::{self, Field};
use crate::components::notice::notice;
use crate::{Frame, layout, urls};

/// `next`: the path to go to afterwards, empty for the overview. The front door must refuse what does not begin with one `/`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SignInForm {
    pub csrf: String,
    pub name: String,
    pub password: String,
    pub next: String,
}

/// `token`: from the one-time link.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FirstStartForm {
    pub csrf: String,
    /// What stands after `code=` in the link.
    pub code: String,
    pub name: String,
    pub password: String,
    pub password_again: String,
}

pub enum Page {
    SignIn {
        form: SignInForm,
        errors: Vec<FieldError>,
        /// Why it is not possible now: wrong name or password, too many tries.
        refusal: Option<String>,
    },
    /// The administrator's first password.
    FirstStart {
        form: FirstStartForm,
        /// Whose password was lost; `None`: the first administrator.
        user: Option<String>,
        errors: Vec<FieldError>,
        /// The link was used or is too old.
        refusal: Option<String>,
    },
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    match page {
        Page::SignIn { form, errors, refusal } => {
            let main = html! {
                h1 { "Sign in" }
                @if let Some(refusal) = refusal { (notice(Tone::Danger, "Not signed in", html! { p { (refusal) } })) }
                (field::form(frame, urls::SIGN_IN, html! {
                    @if !form.next.is_empty() { input type="hidden" name="next" value=(form.next); }
                    (Field::new("name", "Name").value(&form.name).errors(errors).required().autocomplete("username").text())
                    (Field::new("password", "Password").errors(errors).required().autocomplete("current-password").secret(false))
                    (field::buttons(html! { (Button::submit("Sign in").primary()) }))
                }))
            };
            layout::bare("Sign in", main)
        }
        Page::FirstStart { form, user, errors, refusal } => {
            let main = html! {
                @match user {
                    Some(user) => { h1 { "A new password" } p.lead { "For " (user) ". Every session of " (user) " ends." } }
                    None => { h1 { "Welcome" } p.lead { "This server is new. Choose the name and password of its first administrator." } }
                }
                @if let Some(refusal) = refusal {
                    (notice(Tone::Danger, "This link does not work", html! { p { (refusal) } }))
                } @else {
                    (field::summary(errors))
                    (field::form(frame, urls::FIRST_START, html! {
                        input type="hidden" name="code" value=(form.code);
                        @if user.is_none() { (Field::new("name", "Name").value(&form.name).errors(errors).required().autocomplete("username").text()) }
                        (Field::new("password", "Password").errors(errors).required().autocomplete("new-password")
                            .hint("At least 12 characters. A few words are easier than a few symbols.").secret(false))
                        (Field::new("password_again", "Password again").errors(errors).required().autocomplete("new-password").secret(false))
                        (field::buttons(html! { (Button::submit("Set password and sign in").primary()) }))
                    }))
                }
            };
            layout::bare("First start", main)
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    let form = SignInForm { name: "anna".into(), next: "/backups".into(), ..SignInForm::default() };
    let first = FirstStartForm { name: "admin".into(), ..FirstStartForm::default() };
    vec![
        ("signed-out-empty", Page::SignIn { form: SignInForm::default(), errors: vec![], refusal: None }),
        (
            "signed-out-wrong",
            Page::SignIn {
                form,
                errors: vec![],
                refusal: Some("The name or the password is wrong. Four more tries within the next 15 minutes.".into()),
            },
        ),
        ("signed-out-reset", Page::FirstStart { form: first.clone(), user: Some("anna".into()), errors: vec![], refusal: None }),
        ("signed-out-first", Page::FirstStart { form: first.clone(), user: None, errors: vec![], refusal: None }),
        (
            "signed-out-first-errors",
            Page::FirstStart {
                form: first.clone(),
                user: None,
                errors: vec![
                    FieldError::new("password", "The password has 8 characters; it needs at least 12."),
                    FieldError::new("password_again", "The two passwords differ."),
                ],
                refusal: None,
            },
        ),
        (
            "signed-out-first-used",
            Page::FirstStart {
                form: first,
                user: None,
                errors: vec![],
                refusal: Some("this link was used already, is too old, or was never ours. To get another: restart the server.".into()),
            },
        ),
    ]
}
