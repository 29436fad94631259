//! What the records say of a channel's webhook, and LINE's reasons in words.

use crate::words::Words;
use crate::world::{Delivery, World};

/// How many of the newest deliveries are looked at.
const LOOKED_AT: usize = 2_000;

/// A line of the error statistics (PLATFORM 15): a reason with its detail, and how often it came.
#[derive(Debug)]
pub(super) struct Statistic {
    pub(super) reason: &'static str,
    pub(super) detail: String,
    pub(super) count: usize,
    pub(super) last: i64,
}

/// The errors of a channel's webhooks, most frequent first. Verify calls are not counted (PLATFORM 15).
pub(super) fn statistics(world: &World, channel: &str) -> Vec<Statistic> {
    let mut found: Vec<Statistic> = Vec::new();
    for delivery in lately(world, channel).filter(|delivery| !is_ok(delivery)) {
        match found.iter_mut().find(|one| one.reason == delivery.reason && one.detail == delivery.detail) {
            Some(one) => one.count += 1,
            None => found.push(Statistic {
                reason: delivery.reason,
                detail: delivery.detail.clone(),
                count: 1,
                last: delivery.at,
            }),
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.count));
    found
}

/// How many of the channel's ten newest webhooks failed.
pub(super) fn failed_lately(world: &World, channel: &str) -> usize {
    lately(world, channel).take(10).filter(|delivery| !is_ok(delivery)).count()
}

/// How many webhooks the statistics look at.
pub(super) fn sent_lately(world: &World, channel: &str) -> usize {
    lately(world, channel).count()
}

/// The newest webhooks with events, newest first.
fn lately<'w>(world: &'w World, channel: &'w str) -> impl Iterator<Item = &'w Delivery> {
    let newest = world.deliveries.iter().rev().take(LOOKED_AT);
    newest.filter(move |delivery| delivery.channel == channel && !is_test(delivery))
}

pub(super) fn is_ok(delivery: &Delivery) -> bool {
    delivery.reason == "OK"
}

/// Tells whether a delivery was a Verify call: an empty batch.
pub(super) fn is_test(delivery: &Delivery) -> bool {
    delivery.body.contains("\"events\":[]")
}

/// LINE's reason and detail as a sentence that says what to do.
pub(super) fn in_words(words: &Words, reason: &str, detail: &str) -> String {
    match (reason, detail) {
        ("OK", _) => words.say_name("console-reason-ok", detail),
        ("COULD_NOT_CONNECT", "Unknown host") => words.say("console-reason-host"),
        ("COULD_NOT_CONNECT", "Invalid URL syntax") => words.say("console-reason-url"),
        ("COULD_NOT_CONNECT", detail) if detail.starts_with("TLS") => words.say("console-reason-tls"),
        ("COULD_NOT_CONNECT", _) => words.say("console-reason-connect"),
        ("REQUEST_TIMEOUT", _) => words.say("console-reason-timeout"),
        ("ERROR_STATUS_CODE", "401" | "403") => words.say_name("console-reason-refused", detail),
        ("ERROR_STATUS_CODE", "404" | "405") => words.say_name("console-reason-path", detail),
        ("ERROR_STATUS_CODE", _) => words.say_name("console-reason-status", detail),
        _ => words.say("console-reason-closed"),
    }
}
