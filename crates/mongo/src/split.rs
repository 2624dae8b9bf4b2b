//! Parts of a large collection that can be read at the same time.

use bson::raw::cstr;
use bson::{RawBson, RawDocumentBuf, doc, rawdoc};
use oplogue_oplog::CollectionKind;

use crate::connect::Connection;
use crate::error::MongoError;
use crate::snapshot_list::ListedCollection;

/// Samples per part: enough that the largest part is rarely twice the mean.
const SAMPLES_PER_PART: usize = 20;

/// A range of the index on `_id`: from `min`, inclusive, to `max`, exclusive; `None` is open. Values of every BSON type are in exactly
/// one of the ranges [`Connection::split`] returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdRange {
    pub min: Option<RawBson>,
    pub max: Option<RawBson>,
}

impl IdRange {
    /// True for the range that is the whole collection.
    pub fn is_everything(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Adds `hint`, `min` and `max` to a `find`. Bounds of the index, not comparisons: those would only see values of their own type.
    pub(crate) fn append_to(&self, command: &mut RawDocumentBuf) {
        if self.is_everything() {
            return;
        }
        command.append(cstr!("hint"), rawdoc! { "_id": 1 });
        for (key, bound) in [(cstr!("min"), &self.min), (cstr!("max"), &self.max)] {
            if let Some(bound) = bound {
                let mut document = RawDocumentBuf::new();
                document.append(cstr!("_id"), bound.clone());
                command.append(key, document);
            }
        }
    }
}

impl Connection {
    /// Cuts a collection into at most `parts` ranges of `_id` of about equal numbers of documents, by a random sample. One range over
    /// everything for what cannot be cut without losing its order or its exactness: views, time series, capped and clustered
    /// collections, collections without an index on `_id`; and for small ones.
    pub async fn split(&self, collection: &ListedCollection, parts: usize) -> Result<Vec<IdRange>, MongoError> {
        const WHAT: &str = "sample a collection";
        let whole = vec![IdRange::default()];
        let has_id_index = collection.spec.indexes.iter().any(|index| index.get_str("name").is_ok_and(|value| value == "_id_"));
        let samples = parts.saturating_mul(SAMPLES_PER_PART);
        if parts < 2
            || collection.spec.kind != CollectionKind::Collection
            || collection.is_capped()
            || collection.is_clustered()
            || !has_id_index
            || collection.documents < u64::try_from(samples).unwrap_or(u64::MAX)
        {
            return Ok(whole);
        }
        let size = i64::try_from(samples).unwrap_or(i64::MAX);
        let command = doc! {
            "aggregate": &collection.spec.namespace.collection,
            "pipeline": [{ "$sample": { "size": size } }, { "$project": { "_id": 1 } }, { "$sort": { "_id": 1 } }],
            "cursor": {},
            "allowDiskUse": true,
        };
        let found = match self.collect(WHAT, &collection.spec.namespace.database, command).await {
            Ok(found) => found,
            // Renamed, dropped, or the sampler found too many duplicates: reading it whole is right, only slower.
            Err(MongoError::Server { .. }) => return Ok(whole),
            Err(error) => return Err(error),
        };
        let ids: Vec<RawBson> = found.iter().filter_map(|sample| sample.get("_id").ok().flatten().map(Into::into)).collect();
        Ok(ranges(&ids, parts))
    }
}

/// Bounds at equal distances in a sorted sample.
fn ranges(ids: &[RawBson], parts: usize) -> Vec<IdRange> {
    let mut bounds: Vec<&RawBson> = (1..parts).filter_map(|part| ids.get(part * ids.len() / parts)).collect();
    bounds.dedup();
    let mut ranges = Vec::new();
    let mut min = None;
    for bound in bounds {
        // A range that begins where it ends would be refused.
        if min.as_ref() == Some(bound) {
            continue;
        }
        ranges.push(IdRange { min, max: Some(bound.clone()) });
        min = Some(bound.clone());
    }
    ranges.push(IdRange { min, max: None });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_have_open_ends() {
        let ids: Vec<RawBson> = (0..100).map(RawBson::Int32).collect();
        let cut = ranges(&ids, 4);
        assert_eq!(cut.len(), 4);
        assert_eq!((cut[0].min.clone(), cut[3].max.clone()), (None, None));
        for pair in cut.windows(2) {
            assert_eq!(pair[0].max, pair[1].min);
        }
        assert_eq!(cut[1], IdRange { min: Some(RawBson::Int32(25)), max: Some(RawBson::Int32(50)) });
    }

    #[test]
    fn equal_samples_make_no_empty_range() {
        assert_eq!(ranges(&vec![RawBson::Int32(1); 100], 4).len(), 2);
        assert_eq!(ranges(&[], 4), [IdRange::default()]);
    }
}
