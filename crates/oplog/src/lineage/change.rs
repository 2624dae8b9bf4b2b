//! What commands do to the lives of collections.

use bson::Document;
use oplogue_domain::Namespace;

use super::{Collection, CollectionId, CollectionKind, Lineage, NO_SUCH_INDEX, STRANGER, indexes};
use crate::operation::Operation;
use crate::outcome::{Departure, DepartureKind};
use crate::rules::{Ddl, DropTarget, refusal};
use crate::timeseries;
use crate::{OplogError, Uuid};

impl Lineage {
    pub(super) fn change(&mut self, operation: &Operation, ddl: &Ddl) -> Result<Option<CollectionId>, OplogError> {
        match ddl {
            Ddl::Create { options, id_index } => self.create(operation, options, id_index.as_ref()),
            Ddl::Rename { to, drop_target, stay_temp } => Ok(self.rename(operation, to, *drop_target, *stay_temp)),
            Ddl::Drop => Ok(self.drop_collection(operation)),
            // Every collection of the database was dropped by an entry of its own before this one.
            Ddl::DropDatabase => Ok(None),
            Ddl::CreateIndexes(_)
            | Ddl::CommitIndexBuild(_)
            | Ddl::DropIndexes(_)
            | Ddl::CollMod(_)
            | Ddl::EmptyCapped
            | Ddl::ConvertToCapped { .. } => {
                let Some(id) = self.resolve(operation.ui, &operation.namespace) else {
                    self.meet_stranger(operation);
                    return Ok(None);
                };
                if !indexes::change(self.get_mut(id), operation, ddl)? {
                    self.tally(NO_SUCH_INDEX);
                }
                Ok(Some(id))
            }
        }
    }

    fn create(
        &mut self,
        operation: &Operation,
        options: &Document,
        id_index: Option<&Document>,
    ) -> Result<Option<CollectionId>, OplogError> {
        let namespace = &operation.namespace;
        if options.contains_key("viewOn") {
            self.views.insert(namespace.clone(), options.clone());
            return Ok(None);
        }
        let is_time_series = options.contains_key("timeseries");
        if is_time_series != namespace.is_buckets() {
            return Err(refusal(operation, "its time-series collection is not stored the way MongoDB 5.0 to 8.0 do"));
        }
        let (kind, options, indexes) = if is_time_series {
            (CollectionKind::TimeSeries, timeseries::user_options(options), Vec::new())
        } else {
            (CollectionKind::Collection, options.clone(), indexes::initial(options, id_index))
        };
        let known = match operation.ui {
            Some(uuid) => self.by_uuid.get(&uuid).copied().or_else(|| {
                // A holder without a UUID was listed after this entry, or its name would not have been free.
                let holder = self.by_name.get(namespace)?.last().copied()?;
                self.get(holder)?.uuid.is_none().then_some(holder)
            }),
            None => self.by_name.get(namespace).and_then(|holders| holders.last()).copied(),
        };
        let collection = Collection {
            namespace: namespace.clone(),
            kind,
            uuid: operation.ui,
            source: None,
            created: Some(operation.time),
            options,
            indexes,
            alive: true,
            writes: 0,
            capped_last_id: None,
            skip_inserts_through: None,
        };
        match known {
            Some(id) => {
                self.release_name(id);
                if let Some(uuid) = operation.ui {
                    self.by_uuid.insert(uuid, id);
                }
                self.by_name.entry(namespace.clone()).or_default().push(id);
                *self.get_mut(id) = collection;
                Ok(Some(id))
            }
            None => Ok(Some(self.add(collection))),
        }
    }

    fn drop_collection(&mut self, operation: &Operation) -> Option<CollectionId> {
        match self.resolve(operation.ui, &operation.namespace) {
            Some(id) => {
                self.bury(id, operation, DepartureKind::Dropped);
                Some(id)
            }
            None => {
                self.part_with_stranger(operation.ui);
                None
            }
        }
    }

    fn rename(&mut self, operation: &Operation, to: &Namespace, drop_target: DropTarget, stay_temp: bool) -> Option<CollectionId> {
        let from = &operation.namespace;
        let target = match drop_target {
            DropTarget::Nothing => None,
            DropTarget::Collection(uuid) => {
                // First the collection itself, or a holder of `to` without a UUID could be taken for the replaced one though it is
                // the renamed one, listed after the rename. That is so when nobody has the old name any more.
                let renamed_is_known = self.resolve(operation.ui, from).is_some();
                let holder = self.by_uuid.get(&uuid).copied();
                if holder.is_none() {
                    self.part_with_stranger(Some(uuid));
                }
                holder.or_else(|| if renamed_is_known { self.resolve(Some(uuid), to) } else { None })
            }
            DropTarget::Namesake => self.by_name.get(to).and_then(|holders| holders.last()).copied(),
        };
        // The renamed collection, by its UUID, under its old name, or (listed without a UUID after the rename) under the new one.
        let id = self.resolve(operation.ui, from).or_else(|| match operation.ui {
            Some(uuid) => self.resolve(Some(uuid), to),
            None => None,
        });
        if let Some(target) = target.filter(|target| Some(*target) != id) {
            self.bury(target, operation, DepartureKind::Replaced { by: from.clone() });
        }
        let Some(id) = id else {
            self.meet_stranger(operation);
            if let Some(stranger) = operation.ui.and_then(|uuid| self.strangers.get_mut(&uuid)) {
                stranger.namespace = to.clone();
            }
            return None;
        };
        self.release_name(id);
        self.by_name.entry(to.clone()).or_default().push(id);
        let collection = self.get_mut(id);
        collection.namespace = to.clone();
        let was_temporary = collection.options.get_bool("temp").unwrap_or(false);
        if !stay_temp {
            collection.options.remove("temp");
        }
        // Nobody will ask for the temporary collections of $out, and there can be very many.
        if from != to && !was_temporary {
            self.departed.insert(from.logical(), Departure { time: operation.time, kind: DepartureKind::Renamed { to: to.logical() } });
        }
        Some(id)
    }

    fn bury(&mut self, id: CollectionId, operation: &Operation, kind: DepartureKind) {
        self.release_name(id);
        let collection = self.get_mut(id);
        if !std::mem::replace(&mut collection.alive, false) {
            return;
        }
        let name = collection.namespace.logical();
        self.departed.insert(name, Departure { time: operation.time, kind });
    }

    fn release_name(&mut self, id: CollectionId) {
        let namespace = self.get_mut(id).namespace.clone();
        if let Some(holders) = self.by_name.get_mut(&namespace) {
            holders.retain(|holder| *holder != id);
            if holders.is_empty() {
                self.by_name.remove(&namespace);
            }
        }
    }

    /// A collection the snapshot never saw is gone, as it must be.
    fn part_with_stranger(&mut self, uuid: Option<Uuid>) {
        self.tally(STRANGER);
        if let Some(uuid) = uuid {
            self.strangers.remove(&uuid);
        }
    }
}
