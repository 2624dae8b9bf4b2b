//! Form fields: a label, the value that was typed, a hint, and what is wrong with it right beside it.
//!
//! `name` is the field's name in the API, so that [`FieldError`]s find their place: give [`Field::errors`] the whole list.
//! Begin a form with [`form`], which adds the hidden field `csrf`, and put [`summary`] at its top.

use maud::{Markup, Render, html};
use oplogue_api::FieldError;
use oplogue_api::users::Role;

use super::icon::{Icon, icon};
use crate::Frame;

/// `<form method=post>` with the hidden `csrf` field.
pub fn form(frame: &Frame, action: &str, inside: Markup) -> Markup {
    html! {
        form.form method="post" action=(action) novalidate { (csrf_token(&frame.csrf)) (inside) }
    }
}

/// The same, where it takes `role` to send it: others see who may, instead of fields that lead nowhere.
pub fn form_for(frame: &Frame, role: Role, action: &str, inside: Markup) -> Markup {
    if frame.may(role) { form(frame, action, inside) } else { super::empty::forbidden(frame, role) }
}

pub(crate) fn csrf_token(token: &str) -> Markup {
    html! { input type="hidden" name="csrf" value=(token); }
}

/// Everything that is wrong, with links to the fields. Renders nothing without errors.
pub fn summary(errors: &[FieldError]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.notice.tone-danger role="alert" tabindex="-1" id="errors" {
                (icon(Icon::Failed))
                div {
                    p.notice-title {
                        @if errors.len() == 1 { "One thing is not right yet" } @else { (errors.len()) " things are not right yet" }
                    }
                    ul {
                        @for error in errors {
                            li {
                                @if error.field.is_empty() { (error.message) }
                                @else { a href={ "#" (id(&error.field)) } { (error.message) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// By the last part of the name: `settings.bucket` is the same field as the `bucket` that an error may speak of.
fn id(name: &str) -> String {
    format!("field-{}", last_part(name).replace(['[', ']'], "-"))
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// One choice of a select or a group of radio cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
    /// A second line on a card, a word behind the label in a select.
    pub description: String,
    /// Shown, not choosable, and why.
    pub refusal: Option<String>,
}

impl Choice {
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), ..Self::default() }
    }

    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    #[must_use]
    pub fn unless(mut self, refusal: Option<impl Into<String>>) -> Self {
        self.refusal = refusal.map(Into::into);
        self
    }
}

/// A field; say what it is last: `.text()`, `.number(0, 10)`, `.select(&choices)`, …
///
/// `(Field::new("name", "Backup name").value(&typed.name).errors(errors).hint("…").required().text())`
#[derive(Debug, Clone)]
pub struct Field<'a> {
    name: &'a str,
    label: &'a str,
    value: &'a str,
    hint: Option<Markup>,
    error: Option<&'a str>,
    required: bool,
    refusal: Option<&'a str>,
    kind: Kind<'a>,
    unit: Option<&'a str>,
    placeholder: &'a str,
    autocomplete: &'a str,
    mono: bool,
    suggestions: &'a [&'a str],
}

#[derive(Debug, Clone)]
enum Kind<'a> {
    Text(&'static str),
    Number(u64, u64),
    Area(u8),
    Secret { stored: bool },
    Select(&'a [Choice]),
    Cards(&'a [Choice]),
    Check,
}

impl<'a> Field<'a> {
    pub fn new(name: &'a str, label: &'a str) -> Self {
        Self {
            name,
            label,
            value: "",
            hint: None,
            error: None,
            required: false,
            refusal: None,
            kind: Kind::Text("text"),
            unit: None,
            placeholder: "",
            autocomplete: "off",
            mono: false,
            suggestions: &[],
        }
    }

    /// What was typed, or what is stored. A checkbox is ticked by any text but `""`, `false` and `off`.
    #[must_use]
    pub fn value(mut self, value: &'a str) -> Self {
        self.value = value;
        self
    }

    /// Picks out what concerns this field.
    #[must_use]
    pub fn errors(mut self, errors: &'a [FieldError]) -> Self {
        let concerns = |error: &&FieldError| error.field == self.name || error.field == last_part(self.name);
        self.error = errors.iter().find(concerns).map(|error| error.message.as_str());
        self
    }

    #[must_use]
    pub fn hint(mut self, text: &str) -> Self {
        self.hint = Some(html! { (text) });
        self
    }

    /// A hint with links or code in it.
    #[must_use]
    pub fn hint_markup(mut self, hint: Markup) -> Self {
        self.hint = Some(hint);
        self
    }

    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Shown and locked, with the reason. The value is still sent, in a hidden field.
    #[must_use]
    pub fn locked(mut self, why: Option<&'a str>) -> Self {
        self.refusal = why;
        self
    }

    /// A word behind the input: "seconds", "days".
    #[must_use]
    pub fn unit(mut self, unit: &'a str) -> Self {
        self.unit = Some(unit);
        self
    }

    #[must_use]
    pub fn placeholder(mut self, text: &'a str) -> Self {
        self.placeholder = text;
        self
    }

    /// As HTML has them: `username`, `current-password`, `new-password`. `off` by default.
    #[must_use]
    pub fn autocomplete(mut self, what: &'a str) -> Self {
        self.autocomplete = what;
        self
    }

    /// For identifiers, URLs, expressions.
    #[must_use]
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// Offered while typing; anything else may be typed too.
    #[must_use]
    pub fn suggestions(mut self, texts: &'a [&'a str]) -> Self {
        self.suggestions = texts;
        self
    }

    /// Date and time, `2026-11-25T03:00`, in whatever zone the label says.
    #[must_use]
    pub fn date_time(mut self) -> Self {
        self.kind = Kind::Text("datetime-local");
        self
    }

    /// A time of day, `03:00`.
    #[must_use]
    pub fn time(mut self) -> Self {
        self.kind = Kind::Text("time");
        self
    }

    #[must_use]
    pub fn text(mut self) -> Self {
        self.kind = Kind::Text("text");
        self
    }

    #[must_use]
    pub fn search(mut self) -> Self {
        self.kind = Kind::Text("search");
        self
    }

    #[must_use]
    pub fn number(mut self, min: u64, max: u64) -> Self {
        self.kind = Kind::Number(min, max);
        self
    }

    #[must_use]
    pub fn textarea(mut self, rows: u8) -> Self {
        self.kind = Kind::Area(rows);
        self
    }

    /// A password or key. The value is never shown again; `stored` says that an empty field keeps what there is.
    #[must_use]
    pub fn secret(mut self, stored: bool) -> Self {
        self.kind = Kind::Secret { stored };
        self
    }

    #[must_use]
    pub fn select(mut self, choices: &'a [Choice]) -> Self {
        self.kind = Kind::Select(choices);
        self
    }

    /// Radio buttons as cards, for two to five choices that need a sentence.
    #[must_use]
    pub fn cards(mut self, choices: &'a [Choice]) -> Self {
        self.kind = Kind::Cards(choices);
        self
    }

    /// Sends `true`, or nothing.
    #[must_use]
    pub fn checkbox(mut self) -> Self {
        self.kind = Kind::Check;
        self
    }

    fn described_by(&self, id: &str) -> Option<String> {
        let mut ids = Vec::new();
        if self.error.is_some() {
            ids.push(format!("{id}-error"));
        }
        if self.hint.is_some() || self.refusal.is_some() || matches!(self.kind, Kind::Secret { stored: true }) {
            ids.push(format!("{id}-hint"));
        }
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn below(&self, id: &str) -> Markup {
        html! {
            @if let Some(error) = self.error {
                p.field-error id={ (id) "-error" } { (icon(Icon::Failed)) span { (error) } }
            }
            @if self.hint.is_some() || self.refusal.is_some() || matches!(self.kind, Kind::Secret { stored: true }) {
                p.hint id={ (id) "-hint" } {
                    @if let Some(why) = self.refusal { (icon(Icon::Lock)) " " (why) " " }
                    @if let Kind::Secret { stored: true } = self.kind { "Stored. Leave it empty to keep it. " }
                    @if let Some(hint) = &self.hint { (hint) }
                }
            }
        }
    }

    fn input(&self, id: &str) -> Markup {
        let described = self.described_by(id);
        let invalid = self.error.map(|_| "true");
        let mono = self.mono.then_some("mono");
        let placeholder = (!self.placeholder.is_empty()).then_some(self.placeholder);
        let locked = self.refusal.is_some();
        match &self.kind {
            Kind::Text(kind) => html! {
                input class=[mono] type=(kind) id=(id) name=(self.name) value=(self.value) required[self.required] readonly[locked]
                    placeholder=[placeholder] autocomplete=(self.autocomplete) spellcheck="false" aria-describedby=[described.as_deref()]
                    aria-invalid=[invalid] list=[(!self.suggestions.is_empty()).then(|| format!("{id}-list"))];
                @if !self.suggestions.is_empty() {
                    datalist id={ (id) "-list" } { @for text in self.suggestions { option value=(text) {} } }
                }
            },
            Kind::Number(min, max) => html! {
                // A browser drops what is no number from a field for numbers; what was typed stays in one for texts.
                input.number type=(if self.value.is_empty() || self.value.parse::<f64>().is_ok() { "number" } else { "text" }) inputmode="numeric" id=(id) name=(self.name) value=(self.value) min=(min) max=(max)
                    required[self.required] readonly[locked] placeholder=[placeholder] autocomplete="off"
                    aria-describedby=[described.as_deref()] aria-invalid=[invalid];
            },
            Kind::Area(rows) => html! {
                textarea class=[mono] id=(id) name=(self.name) rows=(rows) required[self.required] readonly[locked]
                    placeholder=[placeholder] spellcheck="false" aria-describedby=[described.as_deref()] aria-invalid=[invalid] { (self.value) }
            },
            Kind::Secret { .. } => {
                let autocomplete = if self.autocomplete == "off" { "new-password" } else { self.autocomplete };
                html! {
                    input.mono type="password" id=(id) name=(self.name) value="" required[self.required] placeholder=[placeholder]
                        autocomplete=(autocomplete) spellcheck="false" aria-describedby=[described.as_deref()] aria-invalid=[invalid];
                }
            }
            Kind::Select(choices) => html! {
                select id=(id) name=(self.name) required[self.required] disabled[locked] aria-describedby=[described.as_deref()]
                    aria-invalid=[invalid] {
                    @for choice in *choices {
                        option value=(choice.value) selected[choice.value == self.value] disabled[choice.refusal.is_some()] {
                            (choice.label)
                            @if !choice.description.is_empty() { " · " (choice.description) }
                            @if let Some(refusal) = &choice.refusal { " · " (refusal) }
                        }
                    }
                }
                @if locked { input type="hidden" name=(self.name) value=(self.value); }
            },
            Kind::Cards(_) | Kind::Check => html! {},
        }
    }

    fn render_cards(&self, choices: &[Choice], id: &str) -> Markup {
        let locked = self.refusal.is_some();
        html! {
            fieldset.field.cards-field id=(id) aria-describedby=[self.described_by(id)] {
                legend { (self.label) }
                div.cards {
                    @for choice in choices {
                        label.card {
                            input type="radio" name=(self.name) value=(choice.value) checked[choice.value == self.value]
                                disabled[choice.refusal.is_some() || (locked && choice.value != self.value)];
                            span.card-text {
                                span.card-title { (choice.label) }
                                @if !choice.description.is_empty() { span.card-description { (choice.description) } }
                                @if let Some(refusal) = &choice.refusal { span.card-description { (icon(Icon::Lock)) " " (refusal) } }
                            }
                        }
                    }
                }
                (self.below(id))
            }
        }
    }
}

impl Render for Field<'_> {
    fn render(&self) -> Markup {
        let id = id(self.name);
        match &self.kind {
            Kind::Cards(choices) => self.render_cards(choices, &id),
            Kind::Check => {
                let checked = !matches!(self.value, "" | "false" | "off");
                html! {
                    div.field.check-field {
                        label.check {
                            input type="checkbox" id=(id) name=(self.name) value="true" checked[checked] disabled[self.refusal.is_some()]
                                aria-describedby=[self.described_by(&id)] aria-invalid=[self.error.map(|_| "true")];
                            span { (self.label) }
                        }
                        @if self.refusal.is_some() && checked { input type="hidden" name=(self.name) value="true"; }
                        (self.below(&id))
                    }
                }
            }
            _ => html! {
                div class={ "field" @if self.error.is_some() { " wrong" } } {
                    label for=(id) {
                        (self.label)
                        @if !self.required { span.optional { "optional" } }
                    }
                    div.control {
                        (self.input(&id))
                        @if let Some(unit) = self.unit { span.unit { (unit) } }
                    }
                    (self.below(&id))
                }
            },
        }
    }
}

/// Fields that belong together, under a heading.
pub fn group(title: &str, lead: &str, inside: Markup) -> Markup {
    html! {
        section.group {
            div.group-head {
                h2 { (title) }
                @if !lead.is_empty() { p.lead { (lead) } }
            }
            div.group-body { (inside) }
        }
    }
}

/// Checkboxes that answer one question together. What is wrong with the set stands under it.
pub fn set(name: &str, legend: &str, errors: &[FieldError], inside: Markup) -> Markup {
    let id = id(name);
    let error = errors.iter().find(|error| error.field == name);
    html! {
        fieldset.field.set-field id=(id) aria-describedby=[error.map(|_| format!("{id}-error"))] {
            legend { (legend) }
            div.set { (inside) }
            @if let Some(error) = error {
                p.field-error id={ (id) "-error" } { (icon(Icon::Failed)) span { (error.message) } }
            }
        }
    }
}

/// What pressing Enter in a field does, whatever other buttons stand before the form's own.
pub fn default_button(name: &str, value: &str) -> Markup {
    html! { button.sr type="submit" name=(name) value=(value) tabindex="-1" aria-hidden="true" { "Submit" } }
}

/// Fields that most people leave alone; `open` when one of them is wrong or set.
pub fn advanced(title: &str, open: bool, inside: Markup) -> Markup {
    html! {
        details.advanced open[open] {
            summary { (icon(Icon::Right)) span { (title) } }
            div.group-body { (inside) }
        }
    }
}

/// The buttons at a form's end.
pub fn buttons(inside: Markup) -> Markup {
    html! { div.form-buttons { (inside) } }
}
