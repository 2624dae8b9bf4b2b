//! The page between "Delete backup" and the deed.

use maud::{Markup, html};
use oplogue_api::backups::{Backup, BackupMode, DeletePreview};
use oplogue_api::users::Role;
use serde::Deserialize;

use crate::components::badge::Tone;
use crate::components::confirm::{self, Confirm};
use crate::components::field::Field;
use crate::components::{code, notice};
use crate::pages::backup;
use crate::typed::{check, checked};
use crate::{Frame, urls};

/// What was ticked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BackupDeleteForm {
    pub storage: String,
    /// Also where moments that can be restored now could not be any more.
    pub accept_loss: String,
}

impl BackupDeleteForm {
    /// Ticked, as the page begins.
    pub fn new() -> Self {
        Self { storage: check(true), accept_loss: String::new() }
    }

    pub fn accepts_loss(&self) -> bool {
        checked(&self.accept_loss)
    }

    /// Whether the objects go too.
    pub fn with_storage(&self) -> bool {
        checked(&self.storage)
    }
}

pub struct Page {
    pub backup: Backup,
    pub form: BackupDeleteForm,
    pub preview: Option<DeletePreview>,
    /// The location's URL, for commands.
    pub storage_url: String,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let backup = &page.backup;
    let role = frame.refusal(Role::Operator);
    let refusal = backup.delete_refusal.as_deref().or(page.preview.as_ref().and_then(|preview| preview.refusal.as_deref()));
    // A loss may be accepted; nothing else may.
    let loss = refusal.filter(|_| page.preview.as_ref().is_some_and(|preview| preview.may_accept_loss));
    let refusal = role.as_deref().or(refusal.filter(|_| loss.is_none()));
    let what = match backup.mode {
        BackupMode::Snapshot => "The backup's objects are removed from the storage, its metadata first.",
        BackupMode::Pitr => "All stored oplog of this folder is removed from the storage. Its backups stay.",
    };
    let place = format!("--storage '{}'{}", page.storage_url, backup::folder_option(&backup.folder));
    let path = format!("/v1/backups/{}?storage={}", urls::escape(&backup.id), page.form.with_storage());
    confirm::page(
        frame,
        &Confirm {
            title: "Delete backup",
            question: &format!("Are you sure you want to delete “{}”?", backup.name),
            details: html! {
                @if let Some(loss) = loss { (notice::notice(Tone::Attention, "A restorable range needs it", html! { p { (loss) } })) }
                @if refusal.is_none() { (backup::consequences(page.preview.as_ref())) }
                @if backup.mode == BackupMode::Snapshot {
                    (code::equivalents(&format!("oplogue delete {} {place} --dry-run", backup.name), &code::curl(frame, "DELETE", &path, None)))
                }
            },
            fields: html! {
                (Field::new("storage", "Delete from storage").value(&page.form.storage)
                    .hint(&format!("{what} Without it, only what this server remembers goes, and everything on {} stays.", backup.location_name))
                    .checkbox())
                @if loss.is_some() {
                    (Field::new("accept_loss", "Accept that these moments are lost").value(&page.form.accept_loss)
                        .hint("Without it the backup is not deleted.").checkbox())
                }
            },
            action: &urls::at(urls::BACKUP_DELETE, &backup.id),
            verb: "Delete",
            danger: true,
            refusal,
            cancel: &urls::backup(&backup.id),
        },
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page =
        |backup: Backup, preview| Page { backup, form: BackupDeleteForm::new(), preview, storage_url: world::locations().remove(0).url };
    let of = |id: &str| world::backups().into_iter().find(|row| row.id == id).unwrap_or_else(world::backup);
    let harmless = DeletePreview { refusal: None, may_accept_loss: false, lost: Vec::new(), objects_bytes: 48_318_382_080 };
    let refused = DeletePreview { refusal: of("needed").delete_refusal, may_accept_loss: false, lost: Vec::new(), objects_bytes: 0 };
    vec![
        ("one", page(world::backup(), Some(harmless))),
        ("loses-moments", page(world::backup(), Some(world::delete_preview()))),
        ("local", page(of("found"), Some(world::delete_preview()))),
        ("refused", page(of("needed"), Some(refused))),
        ("running", page(of("running"), None)),
        ("pitr", page(world::pitr_row(), Some(world::delete_preview()))),
        ("long-names", page(of("long"), None)),
        ("viewer-forbidden", page(world::backup(), Some(world::delete_preview()))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unticked_box_keeps_what_is_on_the_storage() {
        assert!(BackupDeleteForm::new().with_storage());
        assert!(!BackupDeleteForm::default().with_storage());
    }
}
