//! What an attempt sent and was answered, for a person's eyes: what opens a door is masked.

use axum::http::HeaderValue;
use serde_json::Value;

use super::attempt::tags;
use super::deliver;
use super::model::Destination;
use super::repo::{Attempt, Parked};
use super::service;
use super::told::{self, Outcome, Told};
use super::unit::{Parcel, Unit};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::{AttemptId, DeliveryId, DestinationId};
use crate::ingress;
use crate::journal::Room;
use crate::scope::Scope;
use crate::text::cut;

/// What stands where something opens a door.
pub const MASK: &str = "••••••••";
/// The member of an event that opens a door.
const NAME: &str = "\"replyToken\"";
/// What is shorter is a word, and no key (PLATFORM 16: 32 characters).
const KEY_MIN: usize = 16;
/// How much of a body is shown, in characters.
const BODY_SHOWN: usize = 8_000;
/// What stands above a command that may not be the call that was made.
const DIFFERS: &str =
    "# Made of the destination as it is now; what was sent then may have been another call.";
/// The longest body that is put into a command, in bytes.
const COMMAND_MAX: usize = 64 << 10;

/// An attempt with what it sent.
#[derive(Debug)]
pub struct Opened {
    /// The destination.
    pub destination: Destination,
    /// The attempt; of what was put aside the newest that is kept, numbered 0 where it was never tried.
    pub attempt: Attempt,
    /// What was put aside, where that was opened.
    pub parked: Option<Parked>,
    /// What it sent, put together again by the destination as it is now; `None` when the journal no longer has it, or nothing
    /// passes any more.
    pub sent: Option<Sent>,
}

/// What was sent.
#[derive(Debug)]
pub struct Sent {
    /// When LINE's request was received.
    pub received_at: Timestamp,
    /// The headers, in the order in which they matter.
    pub headers: Vec<(String, String)>,
    /// The body, indented and cut.
    pub body: String,
    /// Whether it was cut.
    pub is_cut: bool,
    /// Whether something else may have been sent: the destination was changed since, or its filter asks for tags, which change.
    pub may_differ: bool,
    /// What stands in it, in the words of LINE.
    pub events: Vec<Told>,
    /// A command for a shell that makes the same call; without it where the body is too long for one.
    pub command: Option<String>,
}

impl Parked {
    /// How many requests are gone that stand in this one row; `None` where the row is one request.
    #[must_use]
    pub fn requests_gone(&self) -> Option<i64> {
        // `expire` writes it so.
        let rest =
            self.last_error.as_deref()?.strip_prefix("the journal no longer has the bytes of these ")?;
        rest.split(' ').next()?.parse().ok()
    }
}

/// Opens one attempt.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn open(hub: &Hub, scope: &Scope, id: &DestinationId, attempt: &AttemptId) -> AppResult<Opened> {
    let destination = service::get(hub, scope, id).await?;
    let attempt = service::attempt(hub, scope, id, attempt).await?;
    let sent = sent(hub, scope, &destination, &attempt).await?;
    Ok(Opened { destination, attempt, parked: None, sent })
}

/// Opens what was put aside, with its last attempt.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn open_parked(
    hub: &Hub,
    scope: &Scope,
    id: &DestinationId,
    delivery: &DeliveryId,
) -> AppResult<Opened> {
    let destination = service::get(hub, scope, id).await?;
    let parked = service::parked_one(hub, &destination, delivery).await?;
    let which = (Outcome::Any, delivery.as_str());
    let tried = service::attempts(hub, scope, id, which, None, 1).await?.into_iter().next();
    let attempt = tried.unwrap_or_else(|| Attempt {
        id: hub.id(),
        delivery: parked.id.clone(),
        first_position: parked.first_position,
        last_position: parked.last_position,
        event_ids: "[]".to_owned(),
        attempt: 0,
        at: parked.failed_at.unwrap_or(parked.received_at),
        status: None,
        ms: 0,
        error: parked.last_error.clone(),
        said: String::new(),
        next_at: None,
    });
    let sent = sent(hub, scope, &destination, &attempt).await?;
    Ok(Opened { destination, attempt, parked: Some(parked), sent })
}

/// What an attempt sent, with whom it was about.
async fn sent(
    hub: &Hub,
    scope: &Scope,
    destination: &Destination,
    attempt: &Attempt,
) -> AppResult<Option<Sent>> {
    let room = Room { events: i64::MAX, bytes: i64::MAX };
    let read = hub.journal.requests(attempt.first_position - 1, attempt.last_position, room).await?;
    let request = read.items.into_iter().find(|one| one.account_id == destination.account.as_str());
    let Some(request) = request else { return Ok(None) };
    let received_at = request.received_at;
    let unit = Unit::new(request);
    let tags = tags(hub, destination, &unit).await?;
    let bot = hub.accounts.by_id(&destination.account).map(|account| account.bot_user_id.clone());
    match unit.parcel(&destination.filter, bot.as_deref().unwrap_or_default(), &tags) {
        Parcel::Whole(body) | Parcel::Rebuilt(body) => {
            let mut sent = Sent::new(hub, destination, attempt, received_at, &String::from_utf8_lossy(&body));
            told::name_chats(hub, scope, destination, sent.events.iter_mut()).await?;
            Ok(Some(sent))
        }
        Parcel::Nothing | Parcel::Expired => Ok(None),
    }
}

impl Sent {
    fn new(
        hub: &Hub,
        destination: &Destination,
        attempt: &Attempt,
        received_at: Timestamp,
        body: &str,
    ) -> Self {
        let body = mask(body);
        let may_differ = destination.updated_at > attempt.at || destination.filter.tags.is_some();
        let mut headers = vec![
            ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
            ("user-agent".to_owned(), deliver::USER_AGENT.to_owned()),
            (deliver::SIGNATURE.to_string(), MASK.to_owned()),
            (deliver::DELIVERY.to_string(), attempt.delivery.to_string()),
            (deliver::ATTEMPT.to_string(), attempt.attempt.to_string()),
            (deliver::RECEIVED.to_string(), received_at.to_jiff().to_string()),
            (ingress::VIA.to_string(), ingress::own_name(hub)),
        ];
        // The command is without the second signature, which takes a secret of another form.
        let of_command = headers.clone();
        if destination.standard.is_some() {
            headers.extend([
                (deliver::WEBHOOK_ID.to_string(), attempt.delivery.to_string()),
                (deliver::WEBHOOK_TIMESTAMP.to_string(), (attempt.at.millis() / 1000).to_string()),
                (deliver::WEBHOOK_SIGNATURE.to_string(), MASK.to_owned()),
            ]);
        }
        let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
        let indented = indent(&body);
        let command = (body.len() <= COMMAND_MAX).then(|| {
            let command = command(&destination.url, &of_command, &body);
            if may_differ { format!("{DIFFERS}\n{command}") } else { command }
        });
        Self {
            received_at,
            is_cut: indented.chars().count() > BODY_SHOWN,
            may_differ,
            body: cut(&indented, BODY_SHOWN),
            events: parsed
                .pointer("/events")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(Told::new)
                .collect(),
            headers,
            command,
        }
    }
}

/// An answer without what opens a door of the request that it answers, however it is written there: reply tokens and the
/// signature.
pub(super) fn without_keys(said: &str, request: &[u8], signature: Option<&HeaderValue>) -> String {
    if said.is_empty() {
        return String::new();
    }
    let request = String::from_utf8_lossy(request);
    let tokens = request.split(NAME).skip(1).filter_map(|after| Some(value(after)?.1.0));
    let signature = signature.and_then(|value| value.to_str().ok());
    let keys = tokens.chain(signature).filter(|key| key.len() >= KEY_MIN);
    mask(&keys.fold(said.to_owned(), |said, key| said.replace(key, MASK)))
}

/// The text that follows a member's name, with what stands before and after it.
fn value(after: &str) -> Option<(&str, (&str, &str))> {
    let (gap, value) = after.split_once('"').filter(|(gap, _)| gap.trim() == ":")?;
    // A body that was cut may end within it.
    Some((gap, value.split_once('"').unwrap_or((value, ""))))
}

/// A body without its reply tokens: who has one may answer in the account's name.
fn mask(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    // In a text the quotes would be escaped, so what is found is a member's name.
    while let Some((before, after)) = rest.split_once(NAME) {
        out.push_str(before);
        out.push_str(NAME);
        let Some((gap, (_, tail))) = value(after) else {
            rest = after;
            continue;
        };
        for piece in [gap, "\"", MASK, "\""] {
            out.push_str(piece);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// JSON on lines of its own, its members in their order.
fn indent(json: &str) -> String {
    let (mut out, mut depth, mut in_text, mut is_escaped) = (String::new(), 0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth.min(20)));
    };
    for c in json.chars() {
        if in_text {
            in_text = is_escaped || c != '"';
            is_escaped = c == '\\' && !is_escaped;
            out.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                depth += 1;
                out.push(c);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => {
                in_text = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// The call for a shell. The signature is made there, from the secret in `CHANNEL_SECRET`: so the command can be passed on
/// without one.
fn command(url: &str, headers: &[(String, String)], body: &str) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut lines = vec![
        format!("BODY={}", quote(body)),
        "SIGNATURE=$(printf %s \"$BODY\" | openssl dgst -sha256 -hmac \"$CHANNEL_SECRET\" -binary | base64)"
            .to_owned(),
        format!("curl -X POST {} \\", quote(url)),
    ];
    for (name, value) in headers {
        let header = if value == MASK {
            format!("\"{name}: $SIGNATURE\"")
        } else {
            quote(&format!("{name}: {value}"))
        };
        lines.push(format!("  -H {header} \\"));
    }
    lines.push("  --data-binary \"$BODY\"".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_tokens_are_masked_and_nothing_else() {
        let body = r#"{"events":[{"replyToken": "0f3779fba3b349968c5d07db31eab56f","message":{"text":"\"replyToken\":\"no\""}},{"replyToken":"ab"}],"replyToken"#;
        assert_eq!(
            mask(body),
            format!(
                r#"{{"events":[{{"replyToken": "{MASK}","message":{{"text":"\"replyToken\":\"no\""}}}},{{"replyToken":"{MASK}"}}],"replyToken"#
            )
        );
        assert_eq!(mask(r#"{"replyToken":null,"a":"b"}"#), r#"{"replyToken":null,"a":"b"}"#);
    }

    #[test]
    fn an_answer_that_repeats_the_request_has_none_of_its_keys() {
        let token = "0f3779fba3b349968c5d07db31eab56f";
        let body = format!(r#"{{"events":[{{"replyToken":"{token}"}},{{"replyToken":"ok"}}]}}"#);
        let signature = HeaderValue::from_static("c2lnbmF0dXJlIG9mIHRoZSBib2R5");
        for said in [
            body.clone(),
            serde_json::json!({ "got": body }).to_string(),
            format!("{{'replyToken': '{token}'}} ok"),
            format!(
                "<pre>&quot;replyToken&quot;:&quot;{token}&quot; signed c2lnbmF0dXJlIG9mIHRoZSBib2R5 ok</pre>"
            ),
        ] {
            let kept = without_keys(&said, body.as_bytes(), Some(&signature));
            assert!(!kept.contains(token) && !kept.contains("c2lnbm") && kept.contains(MASK), "{kept}");
            assert!(!said.contains(" ok") || kept.contains(" ok"), "{kept}");
        }
        // Another request's, and one that was cut.
        assert_eq!(without_keys(r#"{"replyToken":"abc"#, b"", None), format!(r#"{{"replyToken":"{MASK}""#));
        assert_eq!(without_keys("thanks", body.as_bytes(), None), "thanks");
    }

    #[test]
    fn json_is_indented_in_its_order() {
        let json = r#"{"b": "x, {\"}", "a":[1,{"c":null}]}"#;
        let lines = "{\n  \"b\": \"x, {\\\"}\",\n  \"a\": [\n    1,\n    {\n      \"c\": null\n    }\n  ]\n}";
        assert_eq!(indent(json), lines);
    }

    #[test]
    fn a_command_holds_no_secret_and_survives_quotes() {
        let headers = [("x-line-signature".to_owned(), MASK.to_owned()), ("a".to_owned(), "b".to_owned())];
        let command = command("https://crm.example/hook?a='b'", &headers, r#"{"text":"it's"}"#);
        assert!(command.contains(r#"BODY='{"text":"it'\''s"}'"#), "{command}");
        assert!(command.contains(r"'https://crm.example/hook?a='\''b'\'''"), "{command}");
        assert!(command.contains("\"x-line-signature: $SIGNATURE\"") && command.contains("-H 'a: b'"));
    }
}
