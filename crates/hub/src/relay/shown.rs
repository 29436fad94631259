//! What an attempt sent and was answered, for a person's eyes: what opens a door is masked.

use axum::http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::attempt::tags;
use super::deliver;
use super::model::{Destination, Signing};
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
    /// The address; masked behind `?` for those who may not change it.
    pub url: String,
    /// A command for a shell that makes the same call; without it where the body is too long for one.
    pub command: Option<String>,
    /// The variables that the command wants: the secrets, by which it signs.
    pub variables: Vec<&'static str>,
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

/// Opens one attempt; its address `in_full`, or masked behind `?`.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn open(
    hub: &Hub,
    scope: &Scope,
    id: &DestinationId,
    attempt: &AttemptId,
    in_full: bool,
) -> AppResult<Opened> {
    let destination = service::get(hub, scope, id).await?;
    let attempt = service::attempt(hub, scope, id, attempt).await?;
    let sent = sent(hub, scope, &destination, &attempt, in_full).await?;
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
    in_full: bool,
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
    let sent = sent(hub, scope, &destination, &attempt, in_full).await?;
    Ok(Opened { destination, attempt, parked: Some(parked), sent })
}

/// What an attempt sent, with whom it was about.
async fn sent(
    hub: &Hub,
    scope: &Scope,
    destination: &Destination,
    attempt: &Attempt,
    in_full: bool,
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
            let url = if in_full { destination.url.clone() } else { masked(&destination.url) };
            let mut sent =
                Sent::new(hub, destination, attempt, url, (received_at, &String::from_utf8_lossy(&body)));
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
        url: String,
        (received_at, body): (Timestamp, &str),
    ) -> Self {
        let body = mask(body);
        let may_differ = destination.updated_at > attempt.at || destination.filter.tags.is_some();
        let headers = sent_headers(hub, destination, attempt, received_at);
        let secrets = Secrets::of(destination);
        let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
        let indented = indent(&body);
        let command = (body.len() <= COMMAND_MAX).then(|| {
            let command = command(&url, &headers, secrets, &body);
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
            url,
            command,
            variables: [Some(secrets.line), secrets.standard].into_iter().flatten().collect(),
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

/// The headers of an attempt as they are sent today, in the order in which they matter.
fn sent_headers(
    hub: &Hub,
    destination: &Destination,
    attempt: &Attempt,
    received_at: Timestamp,
) -> Vec<(String, String)> {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
        ("user-agent".to_owned(), deliver::USER_AGENT.to_owned()),
        (deliver::SIGNATURE.to_string(), MASK.to_owned()),
        (deliver::DELIVERY.to_string(), attempt.delivery.to_string()),
        (deliver::ATTEMPT.to_string(), attempt.attempt.to_string()),
        (deliver::RECEIVED.to_string(), received_at.to_jiff().to_string()),
        (ingress::VIA.to_string(), ingress::own_name(hub)),
    ];
    if destination.standard.is_some() {
        headers.extend([
            (deliver::WEBHOOK_ID.to_string(), attempt.delivery.to_string()),
            (deliver::WEBHOOK_TIMESTAMP.to_string(), (attempt.at.millis() / 1000).to_string()),
            (deliver::WEBHOOK_SIGNATURE.to_string(), MASK.to_owned()),
        ]);
    }
    headers
}

/// The variables of a command that hold the secrets.
#[derive(Debug, Clone, Copy)]
struct Secrets {
    /// Of `x-line-signature`.
    line: &'static str,
    /// Of the second signature, where there is one.
    standard: Option<&'static str>,
}

impl Secrets {
    fn of(destination: &Destination) -> Self {
        Self {
            line: if destination.signing == Signing::Own { "DESTINATION_SECRET" } else { "CHANNEL_SECRET" },
            standard: destination.standard.is_some().then_some("WEBHOOK_SECRET"),
        }
    }
}

/// An address without the values behind `?`, which may open a door.
pub(super) fn masked(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let mask = |part: &str| {
        part.split_once('=').map_or_else(|| MASK.to_owned(), |(name, _)| format!("{name}={MASK}"))
    };
    format!("{path}?{}", query.split('&').map(mask).collect::<Vec<_>>().join("&"))
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

/// The call for a shell. The signatures are made there, from the secrets in its variables.
fn command(url: &str, headers: &[(String, String)], secrets: Secrets, body: &str) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut lines = vec![
        format!("BODY={}", quote(body)),
        format!(
            "SIGNATURE=$(printf %s \"$BODY\" | openssl dgst -sha256 -hmac \"${}\" -binary | base64)",
            secrets.line
        ),
    ];
    if let Some(secret) = secrets.standard {
        let of = |name: HeaderName| {
            headers.iter().find(|(other, _)| other == name.as_str()).map_or("", |(_, value)| value)
        };
        lines.extend([
            format!("ID={}", quote(of(deliver::WEBHOOK_ID))),
            // The time of now: one that is old is refused.
            "TIMESTAMP=$(date +%s)".to_owned(),
            format!("KEY=$(printf %s \"${{{secret}#whsec_}}\" | base64 -d | od -An -v -tx1 | tr -d ' \\n')"),
            "STANDARD=v1,$(printf %s \"$ID.$TIMESTAMP.$BODY\" | openssl dgst -sha256 -mac HMAC -macopt \"hexkey:$KEY\" -binary | base64)".to_owned(),
        ]);
    }
    lines.push(format!("curl -X POST {} \\", quote(url)));
    for (name, value) in headers {
        let made = if name == deliver::SIGNATURE.as_str() {
            Some("$SIGNATURE")
        } else if name == deliver::WEBHOOK_TIMESTAMP.as_str() {
            Some("$TIMESTAMP")
        } else {
            (name == deliver::WEBHOOK_SIGNATURE.as_str()).then_some("$STANDARD")
        };
        let header = made
            .map_or_else(|| quote(&format!("{name}: {value}")), |variable| format!("\"{name}: {variable}\""));
        lines.push(format!("  -H {header} \\"));
    }
    lines.push("  --data-binary \"$BODY\"".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret;
    use crate::webhooks;

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
        let secrets = Secrets { line: "DESTINATION_SECRET", standard: None };
        let command = command("https://crm.example/hook?a='b'", &headers, secrets, r#"{"text":"it's"}"#);
        assert!(command.contains("-hmac \"$DESTINATION_SECRET\""), "{command}");
        assert!(command.contains(r#"BODY='{"text":"it'\''s"}'"#), "{command}");
        assert!(command.contains(r"'https://crm.example/hook?a='\''b'\'''"), "{command}");
        assert!(command.contains("\"x-line-signature: $SIGNATURE\"") && command.contains("-H 'a: b'"));
    }

    // What a shell makes of it is what the hub sends: looked at where the tools are.
    #[test]
    fn a_command_makes_both_signatures() {
        let standard = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("x-line-signature", MASK),
            header("webhook-id", "dlv_1"),
            header("webhook-timestamp", "1"),
            header("webhook-signature", MASK),
        ];
        let secrets = Secrets { line: "CHANNEL_SECRET", standard: Some("WEBHOOK_SECRET") };
        let body = r#"{"text":"it's"}"#;
        let command = command("https://crm.example/", &headers, secrets, body);
        let (made, call) = command.split_once("curl ").unwrap();
        for named in
            ["\"webhook-timestamp: $TIMESTAMP\"", "\"webhook-signature: $STANDARD\"", "'webhook-id: dlv_1'"]
        {
            assert!(call.contains(named), "{call}");
        }
        let script = format!("{made}printf '%s\\n' \"$TIMESTAMP\" \"$SIGNATURE\" \"$STANDARD\"");
        let ran = std::process::Command::new("sh")
            .args(["-c", &script])
            .env("CHANNEL_SECRET", "secret")
            .env("WEBHOOK_SECRET", standard.expose())
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        let [seconds, line, second] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
        assert_eq!(line, line_api::signature::sign("secret", body.as_bytes()));
        let seconds = seconds.parse().unwrap();
        assert_eq!(Some(second.to_owned()), webhooks::sign(&standard, "dlv_1", seconds, body.as_bytes()));
    }

    #[test]
    fn an_address_is_masked_behind_its_question_mark() {
        let url = "https://crm.example/hook?token=s3cret&plain&a=b=c";
        assert_eq!(masked(url), format!("https://crm.example/hook?token={MASK}&{MASK}&a={MASK}"));
        assert_eq!(masked("https://crm.example/hook"), "https://crm.example/hook");
    }
}
