//! Jobs: the queue of each cluster, and what became of each attempt.
