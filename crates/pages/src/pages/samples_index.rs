//! All samples, in debug builds: what each page looks like in each state.

use maud::{Markup, html};

use crate::samples::Sample;
use crate::{Frame, layout, urls};

pub fn view(frame: &Frame, samples: &[Sample]) -> Markup {
    let mut pages: Vec<&str> = samples.iter().map(|sample| sample.page).collect();
    pages.dedup();
    let main = html! {
        (layout::header("Samples", html! { "Every page in every state, as the tests see it." }, html! {}))
        @for page in pages {
            (layout::section(page, html! {}, html! {
                ul.columns {
                    @for sample in samples.iter().filter(|sample| sample.page == page) {
                        li { a href=(urls::sample(sample.page, sample.name)) { (sample.name) } }
                    }
                }
            }))
        }
    };
    layout::page(frame, "Samples", main)
}
