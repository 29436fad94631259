//! Tests of the whole hub: real HTTP, a real local LINE, real databases.

// Each file belongs to one part; `cfg(test)` tells clippy that tests may unwrap.
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod company;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod connect_errors;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod guide;
mod guide_fresh;
#[cfg(test)]
mod guide_seeds;
#[cfg(test)]
mod hidden_groups;
#[cfg(test)]
mod inbox_pages;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod login;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod relay_pages;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod second_signature;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod spine;
#[cfg(test)]
mod sql;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod trouble;
