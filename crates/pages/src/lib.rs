//! What people see: pure functions from values of the API to HTML.
//!
//! A page is a `struct Page` with everything its view needs, `view(&Frame, &Page) -> Markup`, the form it sends (all texts, so that
//! what was typed can be shown again beside what is wrong with it) and `samples()`. Nothing here reads a clock, a file or the
//! network: the [`Frame`] says who asks, when it is and which zone they read times in.
//!
//! Every page is a URL, every action a form, and everything works without JavaScript. The content security policy allows
//! nothing inline: no `style=`, no `<script>` text; geometry goes into attributes of SVG and `<progress>`.

pub mod assets;
pub mod components;
pub mod frame;
pub mod layout;
pub mod pages;
pub mod samples;
pub mod typed;
pub mod urls;

pub use frame::{Flash, Frame};
pub use maud::Markup;
