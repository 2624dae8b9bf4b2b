//! The page between a dangerous button and the deed. It is a page, so it works without JavaScript, can be linked to, and says what will happen.

use maud::{Markup, html};

use super::button::Button;
use super::field;
use super::notice::{self};
use crate::components::badge::Tone;
use crate::{Frame, layout};

/// A question with its consequences.
pub struct Confirm<'a> {
    /// `Delete backup`
    pub title: &'a str,
    /// `Are you sure you want to delete "nightly"?`
    pub question: &'a str,
    /// What will happen, what is lost.
    pub details: Markup,
    /// Fields of the form: a checkbox, a typed name.
    pub fields: Markup,
    /// Where it is sent; usually this page's own URL.
    pub action: &'a str,
    /// `Delete`
    pub verb: &'a str,
    /// Data can be lost.
    pub danger: bool,
    /// Why it cannot be done now; the button is off then.
    pub refusal: Option<&'a str>,
    pub cancel: &'a str,
}

pub fn page(frame: &Frame, confirm: &Confirm<'_>) -> Markup {
    let button = Button::submit(confirm.verb).unless(confirm.refusal);
    let button = if confirm.danger { button.danger() } else { button.primary() };
    let main = html! {
        (layout::header(confirm.title, html! {}, html! {}))
        div.narrow {
            p.question { (confirm.question) }
            @if let Some(refusal) = confirm.refusal { (notice::notice(Tone::Attention, "Not possible now", html! { p { (refusal) } })) }
            (confirm.details)
            (field::form(frame, confirm.action, html! {
                (confirm.fields)
                (field::buttons(html! { (button) (Button::link(confirm.cancel, "Cancel").quiet()) }))
            }))
        }
    };
    layout::page(frame, confirm.title, main)
}
