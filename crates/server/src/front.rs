//! Front door 2: pages and forms.
