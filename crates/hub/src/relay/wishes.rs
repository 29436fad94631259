//! What a person wants of a destination, checked.

use super::model::{
    CONCURRENCY, Destination, Filter, NewSecrets, OVERLAP, RATE_MAX, Signing, Standard, TIMEOUT_BOUNDS,
};
use super::service::{identity, open_secret, standard_identity};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult, FieldError};
use crate::guard::GuardError;
use crate::secrets::Secret;
use crate::text::cut;
use crate::webhooks;

/// The longest name, in characters.
const NAME_MAX: usize = 60;

/// Words of one part of a filter.
const WORDS_MAX: usize = 50;

/// The highest port below which only 443 (and 80, where plain http is allowed) may be called.
const LOW_PORTS: u16 = 1024;

/// What a person wants of a destination; what is left out stays, or is the default.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Its name among people.
    pub name: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// What it gets.
    pub filter: Option<Filter>,
    /// Who signs.
    pub signing: Option<Signing>,
    /// Whether a new secret of its own is made.
    pub new_secret: bool,
    /// Whether it gets a second signature in the form of Standard Webhooks.
    pub standard: Option<bool>,
    /// Whether a new secret is made for that; the one before it signs as well for a day.
    pub new_standard_secret: bool,
    /// Whether it is switched on.
    pub active: Option<bool>,
    /// Calls at once.
    pub concurrency: Option<i64>,
    /// Calls a second; `Some(None)` for no limit.
    pub rate: Option<Option<i64>>,
    /// How long a call may take, in ms.
    pub timeout_ms: Option<i64>,
    /// When the destination that was looked at had been changed last: if somebody changed it since, nothing is.
    pub of: Option<Timestamp>,
}

/// The destination as it is wanted, with its new secrets; all that is wrong is named at once.
pub(super) fn fulfil(
    hub: &Hub,
    mut to: Destination,
    wishes: Wishes,
    mut errors: Vec<FieldError>,
) -> AppResult<(Destination, NewSecrets)> {
    let is_new_address = wishes.url.is_some();
    if let Some(name) = wishes.name {
        to.name = name.trim().to_owned();
        if to.name.is_empty() {
            errors.push(FieldError::new("name", "required", "give the destination a name"));
        } else if to.name.chars().count() > NAME_MAX || to.name.chars().any(char::is_control) {
            let detail = format!("a name has at most {NAME_MAX} characters and no control characters");
            errors.push(FieldError::new("name", "invalid", detail));
        }
    }
    if let Some(url) = wishes.url {
        to.url = url.trim_matches(' ').to_owned();
    }
    if is_new_address && let Some(error) = refusal(hub, &to.url) {
        errors.push(error);
    }
    if let Some(filter) = wishes.filter {
        to.filter = filter;
        errors.extend(wrong_filter(&mut to.filter));
    }
    to.active = wishes.active.unwrap_or(to.active);
    let mut bounded = |field: &str, value: i64, (least, most): (i64, i64)| {
        if !(least..=most).contains(&value) {
            errors.push(FieldError::new(
                field,
                "out_of_range",
                format!("give a number from {least} to {most}"),
            ));
        }
        value
    };
    if let Some(value) = wishes.concurrency {
        to.concurrency = bounded("concurrency", value, (1, CONCURRENCY.1));
    }
    if let Some(value) = wishes.timeout_ms {
        to.timeout_ms = bounded("timeout_ms", value, TIMEOUT_BOUNDS);
    }
    if let Some(value) = wishes.rate {
        to.rate = value.map(|value| bounded("rate", value, (1, RATE_MAX)));
    }
    if !errors.is_empty() {
        return Err(AppError::invalid(errors));
    }
    to.signing = wishes.signing.unwrap_or(to.signing);
    let own = match to.signing {
        Signing::Line => {
            to.secret = None;
            None
        }
        Signing::Own if to.secret.is_some() && !wishes.new_secret => None,
        Signing::Own => {
            // In the form of a channel secret, because LINE's SDKs take it as one.
            let secret: String = hub.entropy.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
            to.secret = Some(hub.keyring.seal(&hub.entropy, &identity(&to.id), &secret));
            Some(Secret::from(secret))
        }
    };
    let standard = match wishes.standard.unwrap_or(to.standard.is_some()) {
        false => {
            to.standard = None;
            None
        }
        true if to.standard.is_some() && !wishes.new_standard_secret => None,
        true => {
            let secret = webhooks::new_secret(&hub.entropy);
            let sealed = hub.keyring.seal(&hub.entropy, &standard_identity(&to.id), secret.expose());
            // One that does not open signs nothing beside the new one either.
            let before = to.standard.take().map(|before| before.secret);
            let before = before
                .filter(|sealed| open_secret(hub, &to.id, &standard_identity(&to.id), sealed).is_ok())
                .map(|sealed| (sealed, hub.now().plus(OVERLAP)));
            to.standard = Some(Standard { secret: sealed, before });
            Some(secret)
        }
    };
    Ok((to, NewSecrets { own, standard }))
}

/// What is wrong with a filter; empty lists become none.
fn wrong_filter(filter: &mut Filter) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let parts = [
        ("filter.events", &mut filter.events),
        ("filter.sources", &mut filter.sources),
        ("filter.tags", &mut filter.tags),
    ];
    for (field, part) in parts {
        let Some(words) = part else { continue };
        for word in words.iter_mut() {
            *word = word.trim().to_owned();
        }
        words.retain(|word| !word.is_empty());
        words.dedup();
        if words.len() > WORDS_MAX || words.iter().any(|word| word.chars().count() > 64) {
            let detail = format!("give at most {WORDS_MAX} words of at most 64 characters");
            errors.push(FieldError::new(field, "too_many", detail));
        }
        if field == "filter.sources"
            && let Some(other) = words.iter().find(|word| !["user", "group", "room"].contains(&word.as_str()))
        {
            let detail = format!("{} is no kind of chat; there are user, group and room", cut(other, 20));
            errors.push(FieldError::new(field, "unknown", detail));
        }
        if words.is_empty() {
            *part = None;
        }
    }
    if filter.share.is_some_and(|share| !(1..=100).contains(&share)) {
        errors.push(FieldError::new("filter.share", "out_of_range", "give a number from 1 to 100"));
    }
    if filter.share == Some(100) {
        filter.share = None;
    }
    errors
}

/// Why the hub sends nothing to an address.
pub(super) fn refusal(hub: &Hub, address: &str) -> Option<FieldError> {
    let wrong = |code, detail: String| Some(FieldError::new("url", code, detail));
    let looped =
        || wrong("loop", "the address is this hub's own; events would come back to it for ever".to_owned());
    let url = match hub.guard.check(address, &hub.config.allow_private_destinations) {
        Ok(url) => url,
        Err(GuardError::Forbidden) if url::Url::parse(address).is_ok_and(|url| is_own(hub, &url)) => {
            return looped();
        }
        Err(GuardError::Forbidden) => {
            return wrong(
                "private",
                "the address leads into a network that is not public; give a public one, or ask the operator to allow \
                 it in TRUNKLINE_ALLOW_PRIVATE_DESTINATIONS"
                    .to_owned(),
            );
        }
        Err(error) => {
            let code = if let GuardError::Address(flaw) = error { flaw.code() } else { "not_usable" };
            return wrong(code, format!("{error}; give an address that begins with https://"));
        }
    };
    if url.fragment().is_some() {
        return wrong(
            "fragment",
            "the address has a part after #, which is never sent; leave it out".to_owned(),
        );
    }
    if is_own(hub, &url) {
        return looped();
    }
    let port = url.port_or_known_default().unwrap_or(0);
    if port < LOW_PORTS && port != 443 && !(port == 80 && url.scheme() == "http") {
        return wrong(
            "port",
            format!("port {port} belongs to another service; use 443, or one from 1024 on"),
        );
    }
    None
}

/// Whether two addresses are one, however they are written.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || url::Url::parse(one).ok().zip(url::Url::parse(other).ok()).is_some_and(|(a, b)| a == b)
}

/// Whether an address is the hub's public one, or, where private addresses may be reached, leads to one of its listeners: who
/// may not reach them is told nothing of them.
fn is_own(hub: &Hub, url: &url::Url) -> bool {
    let own = &hub.config.public_url;
    let name = |url: &url::Url| url.host_str().map(|host| host.trim_end_matches('.').to_owned());
    let is_public = name(url) == name(own) && url.port_or_known_default() == own.port_or_known_default();
    is_public || hub.guard.is_own(url, &hub.config.allow_private_destinations)
}
