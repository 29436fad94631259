//! The sandbox through HTTP on loopback, as the hub, a script or an SDK meets it.

mod control;
mod content;
mod faults;
mod send;
mod stage;
mod tokens;
mod webhook;
