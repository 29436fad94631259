//! The sandbox through HTTP on loopback, as the hub, a script or an SDK meets it.

#![cfg(test)]

mod audiences;
mod clients;
mod console;
mod content;
mod control;
mod counts;
mod coupons;
mod crowd;
mod faults;
mod insight;
mod keep;
mod liff;
mod link;
mod login;
mod manager;
mod membership;
mod module;
mod multicast;
mod narrowcast;
mod phone;
mod phones;
mod rich_menus;
mod send;
mod signer;
mod stage;
mod tokens;
mod webhook;
