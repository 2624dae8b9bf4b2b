//! Real deliveries to receivers on this machine.

mod delivering;
mod shapes;
