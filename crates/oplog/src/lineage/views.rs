//! Views: the documents of `system.views`, one per view, with `database.view` as their `_id`.
//!
//! The server writes whole documents. A user who edits `system.views` by hand writes updates; those of top-level fields are
//! understood, others are refused. The document of a time-series collection is a part of that collection and left out.

use bson::{Bson, Document, RawDocument};
use oplogue_domain::namespace::BUCKETS_PREFIX;
use oplogue_domain::{Namespace, OplogTime};

use super::Lineage;
use crate::OplogError;
use crate::operation::{Kind, Operation};
use crate::outcome::{Departure, DepartureKind};
use crate::rules::refusal;

impl Lineage {
    pub(super) fn change_view(&mut self, operation: &Operation) -> Result<(), OplogError> {
        let criteria = match operation.kind {
            Kind::Update => operation.o2.as_ref(),
            _ => Some(&operation.o),
        };
        let namespace = criteria.and_then(|criteria| view_name(criteria));
        let Some(namespace) = namespace else {
            return Err(refusal(operation, "the view's `_id` is not its name"));
        };
        match operation.kind {
            Kind::Delete => {
                if self.views.remove(&namespace).is_some() {
                    self.departed.insert(namespace, Departure { time: operation.time, kind: DepartureKind::Dropped });
                }
            }
            Kind::Insert => self.put_view(namespace, decode(&operation.o, operation)?),
            Kind::Update => {
                let change = decode(&operation.o, operation)?;
                let is_replacement = !change.contains_key("$v") && !change.keys().any(|field| field.starts_with('$'));
                if is_replacement {
                    self.put_view(namespace, change);
                } else {
                    let mut options = self.views.get(&namespace).cloned().unwrap_or_default();
                    edit(&mut options, &change)
                        .ok_or_else(|| refusal(operation, "a view was edited by hand in a way that is not known"))?;
                    self.put_view(namespace, options);
                }
            }
            Kind::Command => {}
        }
        Ok(())
    }

    pub(super) fn drop_views(&mut self, database: &str, time: OplogTime) {
        let gone: Vec<_> = self.views.keys().filter(|view| view.database == database).cloned().collect();
        for view in gone {
            self.views.remove(&view);
            self.departed.insert(view, Departure { time, kind: DepartureKind::Dropped });
        }
    }

    fn put_view(&mut self, namespace: Namespace, mut options: Document) {
        options.remove("_id");
        if options.get_str("viewOn").is_ok_and(|on| on.starts_with(BUCKETS_PREFIX)) {
            return;
        }
        self.views.insert(namespace, options);
    }
}

fn view_name(document: &RawDocument) -> Option<Namespace> {
    document.get_str("_id").ok()?.parse().ok()
}

fn decode(document: &RawDocument, operation: &Operation) -> Result<Document, OplogError> {
    Document::try_from(document).map_err(|error| OplogError::malformed(operation.time, error.to_string()))
}

/// Applies `{$v: 1, $set, $unset}` or `{$v: 2, diff: {i, u, d}}` on top-level fields.
fn edit(options: &mut Document, change: &Document) -> Option<()> {
    let (sets, unsets, known) = match change.get_document("diff") {
        Ok(diff) => {
            (["i", "u"].map(|part| diff.get(part)), diff.get("d"), diff.keys().all(|part| matches!(part.as_str(), "i" | "u" | "d")))
        }
        Err(_) => {
            ([change.get("$set"), None], change.get("$unset"), change.keys().all(|part| matches!(part.as_str(), "$v" | "$set" | "$unset")))
        }
    };
    if !known {
        return None;
    }
    for part in sets.into_iter().flatten().chain(unsets) {
        let Bson::Document(fields) = part else { return None };
        if fields.keys().any(|field| field.contains('.')) {
            return None;
        }
    }
    if let Some(Bson::Document(fields)) = unsets {
        for field in fields.keys() {
            options.remove(field);
        }
    }
    for part in sets.into_iter().flatten() {
        if let Bson::Document(fields) = part {
            options.extend(fields.clone());
        }
    }
    Some(())
}
