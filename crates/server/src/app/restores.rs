//! Restores: a plan first, then just that plan.
