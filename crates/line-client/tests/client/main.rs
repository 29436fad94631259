//! The client against a LINE of a few lines on loopback, which answers whatever a test wants and remembers what it was asked.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod content;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod login;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sends;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trouble;
