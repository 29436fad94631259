//! Tests of the binary, as an operator runs it.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod faults;
