//! Tests of the crate as its users see it.

mod batching;
mod lineage;
mod pbm_mistakes;
mod real_oplogs;
mod routing;
mod selection;
mod simulation;
mod support;
mod table;
mod time_series;
mod transactions;
