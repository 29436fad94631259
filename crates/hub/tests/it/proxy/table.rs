//! The table of operations: all that LINE has, and `docs/PROXY.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use hub::relay::proxy::table::{About, OPERATIONS, Way};
use line_api::schema::Schema;

const INTRO: &str = "\
# What the proxy does with each call

A destination's proxy key (`POST /api/v1/destinations/{id}/proxy-key`) stands where LINE's SDKs put the channel access token, and the hub's address
where they have `https://api.line.me` and `https://api-data.line.me`. This page is made of the table that the proxy works by; a test compares it with LINE's
OpenAPI files and fails when it no longer holds (rewrite with `TRUNKLINE_WRITE_PROXY=1 cargo test --workspace --test it -- proxy::table`).

- **passed**: goes to LINE with the account's own token; status, body, `x-line-request-id` and `Retry-After` of the answer are LINE's. Query and body go as they came, but the JSON of a gesture, which is
  written anew from what was read of it.
- **mediated**: goes through the outbox, like what agents write: on disk before LINE sees it, with a retry key of the hub's, in order with the chat's other
  sends. LINE's answer is waited for, at most 30 seconds; then 500, and a repeat with the same `X-Line-Retry-Key` tells what became of it. What could not
  even begin by then is withdrawn. The message stands in the conversation under the destination's name.
- **refused**: 403 in LINE's shape, with the reason in `details`. What LINE does not have is 404.

What differs from LINE, and why:

- 401 is a key that is unknown or revoked, was replaced more than 24 hours ago, or whose destination was deleted. A destination that is paused keeps its key.
- A key that is replaced works for 24 hours beside the new one, or until it is ended (`end_before`); both have the same scopes and limit. What a key may do is
  changed by `PATCH` without a new key; a call that was let in before sends nothing under the former limit.
- A reply token works for the destination that owns it (`reply_owner` of the account), until 50 seconds after the event, once. The event may still be on its way through
  the hub: the proxy waits for it, at most 3 seconds. With `reply_as_push` a reply whose token is somebody else's, or came too late, goes out as a paid push,
  once for each token, marked by the header `x-trunkline-sent-as: push`. A reply once begun never becomes a push: its repeat is 400 `Invalid reply token`.
- `monthly_paid_limit` counts what the key's paid sends cost that ended in LINE's month or are open, sent or possibly sent; beyond it 429 `You have reached your monthly limit.` with the figures in
  `details`. A push to a group costs its members, who are counted just before.
- A push to somebody whom the hub has not met opens a conversation when LINE has a profile of them (for a group: a summary); otherwise 400 `Failed to send messages`.
- A person, chat or message is *known* to a destination when the account has met it and the destination's filter passes it: share and tags for a person, the kind of source for a
  chat, all of these for a message. Whether that very event was delivered is not looked at. Others are 404. Where the filter leaves out the source `user`, nobody's own
  profile is told, only that of a member by the path of the group or room. A destination with tags or a share gets no lists of members.
- A retry key counts for 24 hours and for its destination alone, and is looked up before the limit; a send that failed leaves it free. A send to many that may have gone out
  fails only by LINE's 400; else it stays open, and ends as unknown.
- Multicasts, broadcasts and narrowcasts belong to no conversation and do not stand in the inbox; `GET /usage` counts them by kind, and the audit log names each. What LINE alone can price is, with a
  monthly limit, counted as a narrowcast's `limit.max`, else as all friends who had not blocked the account yesterday, as LINE counts them; where LINE does not tell, it is refused. Without a limit its cost is not counted here.
- 100 calls a second for each key, 200 at once, 64 under way; then 429. Bodies up to 2 MB, 10 MB on the data paths.
";

fn page() -> String {
    let mut page = INTRO.to_owned();
    page.push_str("\n| Operation | Call | | Scope | |\n| --- | --- | --- | --- | --- |\n");
    for operation in &OPERATIONS {
        let way = match operation.way {
            Way::Passed { .. } => "passed",
            Way::Mediated(_) => "mediated",
            Way::Refused => "refused",
        };
        let scope = operation.scope().map_or(String::new(), |scope| format!("`{}`", scope.as_str()));
        let mut why = operation.why.to_owned();
        if let Way::Passed { kept, .. } = operation.way
            && kept > 0
        {
            write!(why, "; an answer holds for {kept} seconds, as names seldom change").unwrap();
        }
        let (id, method, path) = (operation.id, operation.method, operation.path);
        writeln!(page, "| `{id}` | `{method} {path}` | {way} | {scope} | {why} |").unwrap();
    }
    page
}

#[test]
fn every_operation_of_line_is_in_the_table_and_nothing_else() {
    let Some(schema) = Schema::load() else { return };
    let key = |method: &str, path: &str, id: &str| format!("{method} {path} {id}");
    let lines: BTreeSet<String> = schema
        .operations()
        .iter()
        .map(|operation| key(&operation.method, &operation.path_template, &operation.operation_id))
        .collect();
    let ours: BTreeSet<String> =
        OPERATIONS.iter().map(|operation| key(operation.method, operation.path, operation.id)).collect();
    assert_eq!(ours.len(), OPERATIONS.len(), "one row each");
    assert_eq!(lines, ours);
}

#[test]
fn what_is_about_somebody_names_them_in_its_path_or_body() {
    for operation in &OPERATIONS {
        let Way::Passed { about, .. } = operation.way else { continue };
        let first = operation.path.split('/').find(|segment| segment.starts_with('{'));
        let fits = match about {
            About::Person => first == Some("{userId}"),
            About::Chat => matches!(first, Some("{groupId}" | "{roomId}")),
            About::Message => first == Some("{messageId}"),
            About::Named(place) => first.is_none() && place.starts_with('/'),
            // Nothing that names a person or a chat in its path is open without a look, but what `manage` may change.
            About::Anything => {
                !matches!(first, Some("{userId}" | "{groupId}" | "{roomId}" | "{messageId}"))
                    || operation.is_change()
            }
        };
        assert!(fits, "{}", operation.id);
    }
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PROXY.md");
    if std::env::var_os("TRUNKLINE_WRITE_PROXY").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page(), "docs/PROXY.md does not say what the table says; see its head");
}
