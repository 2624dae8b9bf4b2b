//! Links and buttons. What may not be done now stays visible, and says why.

use maud::{Markup, Render, html};
use oplogue_api::users::Role;

use super::field;
use super::icon::{Icon, icon};
use crate::Frame;

/// A link or button. Verbs as labels ("Back up now").
///
/// `(Button::link(&url, "Create backup").primary().icon(Icon::Plus).needs(frame, Role::Operator))`
#[derive(Debug, Clone)]
pub struct Button {
    label: String,
    does: Does,
    class: &'static str,
    icon: Option<Icon>,
    refusal: Option<String>,
    /// Says what it is about, where many of the same stand in a table: "Delete" + "nightly".
    about: Option<String>,
    small: bool,
}

#[derive(Debug, Clone)]
enum Does {
    Link(String),
    /// Sends the form around it; name and value when there is more than one.
    Submit(Option<(String, String)>),
    /// A form of its own.
    Post {
        action: String,
        csrf: String,
        hidden: Vec<(String, String)>,
    },
}

impl Button {
    fn new(label: &str, does: Does) -> Self {
        Self { label: label.to_owned(), does, class: "button", icon: None, refusal: None, about: None, small: false }
    }

    pub fn link(url: &str, label: &str) -> Self {
        Self::new(label, Does::Link(url.to_owned()))
    }

    /// Sends the form it stands in.
    pub fn submit(label: &str) -> Self {
        Self::new(label, Does::Submit(None))
    }

    /// Sends the form it stands in, with which button was pressed.
    pub fn submit_as(label: &str, name: &str, value: &str) -> Self {
        Self::new(label, Does::Submit(Some((name.to_owned(), value.to_owned()))))
    }

    /// A form of its own around one button: `hidden` are its fields besides `csrf`.
    pub fn post(frame: &Frame, action: &str, label: &str, hidden: &[(&str, &str)]) -> Self {
        let hidden = hidden.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::new(label, Does::Post { action: action.to_owned(), csrf: frame.csrf.clone(), hidden })
    }

    /// The one thing to do on a page.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.class = "button primary";
        self
    }

    /// Data can be lost.
    #[must_use]
    pub fn danger(mut self) -> Self {
        self.class = "button danger";
        self
    }

    /// No border: "Cancel", and what is in menus.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.class = "button quiet";
        self
    }

    #[must_use]
    pub fn small(mut self) -> Self {
        self.small = true;
        self
    }

    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// What it is about, for screen readers: "Edit" of "nightly".
    #[must_use]
    pub fn about(mut self, about: &str) -> Self {
        self.about = Some(about.to_owned());
        self
    }

    /// Off, and says why, when the one who asks has a lesser role.
    #[must_use]
    pub fn needs(self, frame: &Frame, role: Role) -> Self {
        self.unless(frame.refusal(role).as_deref())
    }

    /// Off, with the reason, when there is one. The first reason wins.
    #[must_use]
    pub fn unless(mut self, refusal: Option<&str>) -> Self {
        self.refusal = self.refusal.or(refusal.map(ToOwned::to_owned));
        self
    }

    fn inside(&self) -> Markup {
        html! {
            @if let Some(symbol) = self.icon { (icon(symbol)) }
            span { (self.label) }
            @if let Some(about) = &self.about { span.sr { " " (about) } }
        }
    }
}

impl Render for Button {
    fn render(&self) -> Markup {
        let class = format!("{}{}", self.class, if self.small { " small" } else { "" });
        if let Some(refusal) = &self.refusal {
            return html! {
                button class=(class) type="button" aria-disabled="true" title=(refusal) {
                    (self.inside())
                    span.sr { " (not now: " (refusal) ")" }
                }
            };
        }
        match &self.does {
            Does::Link(url) => html! { a class=(class) href=(url) { (self.inside()) } },
            Does::Submit(None) => html! { button class=(class) type="submit" { (self.inside()) } },
            Does::Submit(Some((name, value))) => {
                html! { button class=(class) type="submit" name=(name) value=(value) { (self.inside()) } }
            }
            Does::Post { action, csrf, hidden } => html! {
                form.inline method="post" action=(action) {
                    (field::csrf_token(csrf))
                    @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
                    button class=(class) type="submit" { (self.inside()) }
                }
            },
        }
    }
}

/// A row's actions in one menu. `about` names the row ("nightly"); entries are mostly `.quiet()` buttons.
pub fn menu(about: &str, entries: &[Button]) -> Markup {
    html! {
        details.menu {
            summary { (icon(Icon::More)) span.sr { "Actions for " (about) } }
            div.menu-list {
                @for entry in entries { (entry.clone().about(about)) }
            }
        }
    }
}
