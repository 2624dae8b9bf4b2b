//! The samples of all pages, read as a browser and a screen reader would: by element, label, role and text, never by class.

mod forms;
mod html;
mod lists;
