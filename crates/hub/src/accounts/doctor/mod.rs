//! The doctor: what can go wrong between LINE and the hub, each with its state, its cause and what to do, in words.
//!
//! Owns `account_checks`. [`Finding`] is what every check gives, whoever makes it; the words stand in the language files
//! under `doctor-<code>-<variant>-title`, `-detail` and (where a person can do something) `-fix`.

mod model;

pub use model::{Code, Finding, Reader, State, Value};
