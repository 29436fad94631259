//! The sandbox through HTTP on loopback, as the hub, a script or an SDK meets it.

#![cfg(test)]

mod content;
mod control;
mod faults;
mod keep;
mod manager;
mod phone;
mod rich_menus;
mod send;
mod stage;
mod tokens;
mod webhook;
