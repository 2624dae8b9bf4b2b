//! Clusters and how well they are protected.
