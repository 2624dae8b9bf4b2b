//! Services and the enrolment of their agents.
