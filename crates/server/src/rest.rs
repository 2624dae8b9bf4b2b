//! Front door 1: JSON in and out.
