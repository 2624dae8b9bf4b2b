//! Carries out retention policies, and shows beforehand what they would do.
