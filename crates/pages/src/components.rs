//! The parts that pages are made of. Each is a plain function or a small builder that is [`maud::Render`].
//!
//! Put a builder into markup in parentheses: `(Button::link(&url, "Restore").primary())`.

pub mod badge;
pub mod button;
pub mod code;
pub mod confirm;
pub mod conflict;
pub mod definitions;
pub mod empty;
pub mod field;
pub mod icon;
pub mod live;
pub mod notice;
pub mod number;
pub mod progress;
pub mod protection;
pub mod table;
pub mod tabs;
pub mod time;
pub mod timeline_strip;
