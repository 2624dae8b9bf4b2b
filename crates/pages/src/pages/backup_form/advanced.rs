//! Advanced settings: retries, compression, namespaces, folder.

use maud::{Markup, html};

use super::form::{RETRIES_MAX, RETRY_INTERVAL_SECONDS_MAX};
use super::{Page, locked, schedule};
use crate::components::field::{self, Choice, Field};

const FIELDS: [&str; 6] = ["retry_mode", "retries", "retry_interval_seconds", "compression", "namespaces", "folder"];

pub(super) fn fields(page: &Page) -> Markup {
    field::advanced(
        "Advanced settings",
        is_open(page),
        html! {
            (retry(page))
            (compression(page))
            (Field::new("namespaces", "Namespaces").value(&page.form.namespaces).errors(&page.errors).mono().placeholder("shop.orders\nlogs.*")
                .hint("One a line, as db.collection or db.*. Empty for everything. A backup of some namespaces restores only these.").textarea(3))
            (Field::new("folder", "Folder").value(&page.form.folder).errors(&page.errors).mono().locked(locked(page)).placeholder("The cluster label")
                .hint("Where the cluster's backups lie within the location. The default is the cluster label; changing it is not recommended, because \
                       backups of one cluster in several folders have separate timelines.").text())
            (schedule::slice_seconds(page))
        },
    )
}

/// Opens by itself when something in it is wrong, or when the service has no cluster label to fill the folder with.
fn is_open(page: &Page) -> bool {
    page.errors.iter().any(|error| FIELDS.contains(&error.field.as_str()) || error.field == "slice_seconds")
        || page.form.service(&page.services).is_some_and(|service| service.cluster.is_none())
        || page.form.retry_mode == "auto"
        || !page.form.namespaces.trim().is_empty()
}

fn retry(page: &Page) -> Markup {
    let form = &page.form;
    let modes = [
        Choice::new("manual", "Manual").description("A failed backup stays failed until somebody retries it."),
        Choice::new("auto", "Auto").description("A failed backup is tried again by itself."),
    ];
    html! {
        (Field::new("retry_mode", "Retry mode").value(&form.retry_mode).errors(&page.errors).cards(&modes))
        div.fields data-retry="auto" {
            (Field::new("retries", "Retries").value(&form.retries).errors(&page.errors).required().unit("times").number(1, u64::from(RETRIES_MAX)))
            (Field::new("retry_interval_seconds", "Retry interval").value(&form.retry_interval_seconds).errors(&page.errors).required()
                .hint("At most 28800, which is 8 hours.").unit("seconds").number(1, u64::from(RETRY_INTERVAL_SECONDS_MAX)))
        }
    }
}

fn compression(page: &Page) -> Markup {
    let kinds = [
        Choice::new("zstd", "zstd").description("small and quick; the default"),
        Choice::new("s2", "s2").description("quickest"),
        Choice::new("lz4", "lz4"),
        Choice::new("snappy", "snappy"),
        Choice::new("gzip", "gzip").description("slow; for very old tools"),
        Choice::new("none", "none"),
    ];
    html! {
        (Field::new("compression", "Compression").value(&page.form.compression).errors(&page.errors).required()
            .hint("Percona Backup for MongoDB reads every one of them.").select(&kinds))
    }
}
