//! From journaled events to conversations, on both databases.

use std::time::Duration;

use bytes::Bytes;
use rstest::rstest;
use serde_json::{Value, json};

use super::consumer::Inbox;
use super::model::{Conversation, Message};
use super::service::{self, Filter};
use crate::app::Hub;
use crate::app::testing::{START, TestHub};
use crate::args;
use crate::clock::{Entropy, Timestamp};
use crate::db::Sql;
use crate::db::testing::Engine;
use crate::ids::{AccountId, Id, TenantId, UserId};
use crate::journal::consumer::{Reader, Replayed, drain, replay};
use crate::journal::{NewEvent, NewRequest, cursors};
use crate::scope::Scope;

const ALICE: &str = "Uaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "Ubbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const GROUP: &str = "Cccccccccccccccccccccccccccccccccc";

struct World {
    test: TestHub,
    tenant: TenantId,
    account: AccountId,
    events: u32,
}

impl World {
    async fn new(engine: Engine) -> Option<Self> {
        let test = TestHub::new(engine).await?;
        let entropy = Entropy::seeded(99);
        let (tenant, account) = (TenantId::new(START, &entropy), AccountId::new(START, &entropy));
        let mut world = Self { test, tenant, account, events: 0 };
        let (tenant, account) = (world.tenant.clone(), world.account.clone());
        world.add_account(&tenant, &account).await;
        Some(world)
    }

    fn hub(&self) -> &Hub {
        &self.test.hub
    }

    fn scope(&self) -> Scope {
        Scope::tenant_wide(self.tenant.clone())
    }

    async fn add_account(&mut self, tenant: &TenantId, account: &AccountId) {
        const TEXT: &str = "INSERT INTO accounts (id, tenant_id, messenger, channel_id, webhook_key, bot_user_id, display_name, basic_id,
                chat_mode, mark_as_read_mode, environment, status, oversized, bad_signatures, created_at, updated_at)
            VALUES ($1, $2, 'line', $1, $1, '', '', '', 'bot', 'auto', 'live', 'connected', 0, 0, 0, 0)";
        let sql = Sql { sqlite: TEXT, postgres: TEXT };
        let mut tx = self.hub().db.begin().await.unwrap();
        tx.run(&sql, args![account, tenant]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn set_groups(&self, word: &str) {
        const TEXT: &str = "UPDATE accounts SET group_chats = $2 WHERE id = $1";
        let mut tx = self.hub().db.begin().await.unwrap();
        tx.run(&Sql { sqlite: TEXT, postgres: TEXT }, args![&self.account, word]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The kinds of all jobs that were ever queued.
    async fn jobs(&self) -> Vec<String> {
        const TEXT: &str = "SELECT kind FROM jobs ORDER BY id";
        let rows: Vec<(String,)> =
            self.hub().db.all(&Sql { sqlite: TEXT, postgres: TEXT }, args![]).await.unwrap();
        rows.into_iter().map(|(kind,)| kind).collect()
    }

    /// Journals events (each with the fields that differ) in one request, and lets the inbox read them.
    async fn arrive(&mut self, events: Vec<Value>) {
        let account = self.account.clone();
        self.arrive_at(&account, events).await;
    }

    async fn arrive_at(&mut self, account: &AccountId, events: Vec<Value>) {
        let mut body = String::from("{\"destination\":\"U\",\"events\":[");
        let mut places = Vec::new();
        for event in &events {
            self.events += 1;
            let mut full = json!({
                "mode": "active",
                "timestamp": START.millis(),
                "source": { "type": "user", "userId": ALICE },
                "webhookEventId": format!("01KDV0Z{:019}", self.events),
                "deliveryContext": { "isRedelivery": false },
            });
            for (name, value) in event.as_object().unwrap() {
                full[name] = value.clone();
            }
            let text = full.to_string();
            if !places.is_empty() {
                body.push(',');
            }
            places.push(NewEvent {
                start: body.len(),
                len: text.len(),
                webhook_event_id: full["webhookEventId"].as_str().map(str::to_owned),
                kind: full["type"].as_str().unwrap().to_owned(),
                redelivered: false,
                event_at: Timestamp(full["timestamp"].as_i64().unwrap()),
            });
            body.push_str(&text);
        }
        body.push_str("]}");
        let request = NewRequest {
            account_id: account.clone(),
            body: Bytes::from(body),
            signature: "s".to_owned(),
            received_at: self.hub().now(),
            events: places,
        };
        self.hub().journal.append(request).await.unwrap();
        self.read().await;
    }

    fn reader(&self) -> Reader {
        let hub = self.hub();
        Reader {
            journal: hub.journal.clone(),
            db: hub.db.clone(),
            clock: hub.clock.clone(),
            node: hub.node.clone(),
        }
    }

    async fn read(&self) {
        drain(&self.reader(), &Inbox::new(self.hub().clone())).await.unwrap();
    }

    async fn conversations(&self) -> Vec<Conversation> {
        let filter = Filter { limit: 50, ..Filter::default() };
        service::list(self.hub(), &self.scope(), &filter).await.unwrap()
    }

    async fn only(&self) -> Conversation {
        let mut all = self.conversations().await;
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// Oldest first.
    async fn messages(&self, conversation: &Conversation) -> Vec<Message> {
        let mut page =
            service::messages_before(self.hub(), &self.scope(), &conversation.id, None, 100).await.unwrap();
        page.reverse();
        page
    }
}

fn text(id: &str, text: &str) -> Value {
    json!({ "type": "message", "replyToken": format!("token-{id}"),
        "message": { "type": "text", "id": id, "quoteToken": "q", "text": text } })
}

fn at(mut event: Value, ms: i64) -> Value {
    event["timestamp"] = json!(START.millis() + ms);
    event
}

fn in_group(mut event: Value, user: Option<&str>) -> Value {
    event["source"] = json!({ "type": "group", "groupId": GROUP });
    if let Some(user) = user {
        event["source"]["userId"] = json!(user);
    }
    event
}

fn said(message: &Message) -> Option<&str> {
    message.content.as_ref()?["text"].as_str()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_message_opens_a_conversation_that_waits(#[case] engine: Engine) {
    // S3-03, S4-37
    let Some(mut world) = World::new(engine).await else { return };
    world.arrive(vec![text("1", "你好 \u{1F375}"), at(text("2", "有人嗎"), 5)]).await;
    let conversation = world.only().await;
    assert_eq!(conversation.unread_count, 2);
    assert_eq!(conversation.unanswered_since, Some(START));
    assert_eq!(conversation.contact.as_ref().unwrap().following, Some(true));
    assert!(conversation.free_until.is_some_and(|until| until > START));
    let messages = world.messages(&conversation).await;
    assert_eq!(messages.iter().map(said).collect::<Vec<_>>(), [Some("你好 \u{1F375}"), Some("有人嗎")]);
    assert_eq!(conversation.last_message.unwrap().id, messages[1].id);
    let counts = service::counts(world.hub(), &world.scope()).await.unwrap();
    assert_eq!((counts[0].unanswered, counts[0].unread, counts[0].open), (1, 2, 1));
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_reply_window_closes_by_the_clock(#[case] engine: Engine) {
    let Some(mut world) = World::new(engine).await else { return };
    world.arrive(vec![text("1", "hi")]).await;
    assert!(world.only().await.free_until.is_some());
    world.test.clock.advance(Duration::from_secs(61));
    assert_eq!(world.only().await.free_until, None);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn events_out_of_order_stand_in_order(#[case] engine: Engine) {
    // GOTCHAS A4: order by (timestamp, arrival).
    let Some(mut world) = World::new(engine).await else { return };
    world.test.clock.advance(Duration::from_secs(10));
    world.arrive(vec![at(text("2", "second"), 2000)]).await;
    world.arrive(vec![at(text("1", "first"), 1000)]).await;
    let conversation = world.only().await;
    let messages = world.messages(&conversation).await;
    assert_eq!(messages.iter().map(said).collect::<Vec<_>>(), [Some("first"), Some("second")]);
    assert_eq!(conversation.last_message.unwrap().id, messages[1].id);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn only_newer_acts_change_following(#[case] engine: Engine) {
    // GOTCHAS A4, A19.
    let Some(mut world) = World::new(engine).await else { return };
    let follow = || json!({ "type": "follow", "replyToken": "f", "follow": { "isUnblocked": false } });
    let unfollow = || json!({ "type": "unfollow" });
    let relation = async |world: &World| {
        let contact = world.only().await.contact.unwrap();
        (contact.following, contact.blocked_at.map(|at| at.millis() - START.millis()))
    };
    world.arrive(vec![at(follow(), 10)]).await;
    assert_eq!(relation(&world).await, (Some(true), None));
    world.arrive(vec![at(unfollow(), 30)]).await;
    assert_eq!(relation(&world).await, (Some(false), Some(30)));
    // Older than the block: changes nothing.
    world.arrive(vec![at(follow(), 20), at(text("1", "late"), 25)]).await;
    assert_eq!(relation(&world).await, (Some(false), Some(30)));
    // Who writes in the chat does not block.
    world.arrive(vec![at(text("2", "back"), 40)]).await;
    assert_eq!(relation(&world).await, (Some(true), None));
    world.test.close().await;
}

fn edit(id: &str, text: &str) -> Value {
    json!({ "type": "messageEdited", "replyToken": format!("e-{text}"),
        "message": { "type": "text", "id": id, "quoteToken": "q2", "text": text } })
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_unsent_message_leaves_a_tombstone_whichever_comes_first(#[case] engine: Engine) {
    // GOTCHAS A16
    let Some(mut world) = World::new(engine).await else { return };
    let unsend = |id: &str| json!({ "type": "unsend", "unsend": { "messageId": id } });
    world.arrive(vec![text("1", "secret one"), at(unsend("1"), 5)]).await;
    world.arrive(vec![at(unsend("2"), 5), at(text("2", "secret two"), 1)]).await;
    world.arrive(vec![at(unsend("3"), 5), at(edit("3", "secret three"), 3)]).await;
    world
        .arrive(vec![at(edit("4", "secret four"), 3), at(unsend("4"), 5), at(text("4", "secret 4"), 1)])
        .await;
    let conversation = world.only().await;
    let messages = world.messages(&conversation).await;
    assert_eq!(messages.len(), 4);
    assert!(messages.iter().all(|m| m.content.is_none() && m.unsent_at.is_some()));
    // The jobs blank the journal's bytes, once the cursor has passed.
    while crate::jobs::run_pending(world.hub(), &crate::wiring::jobs()).await.unwrap() > 0 {}
    for entry in world.hub().journal.read(0, 100).await.unwrap() {
        let raw = entry.raw.unwrap_or_default();
        assert!(!String::from_utf8_lossy(&raw).contains("secret"));
    }
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_unsent_is_blanked_however_long_it_takes(#[case] engine: Engine) {
    use crate::jobs::{Listed, State, list, run_pending};

    let Some(mut world) = World::new(engine).await else { return };
    let registry = crate::jobs::Registry::new().add(super::jobs::run_blank);
    let exec = async |hub: &Hub, text: &'static str| {
        let mut tx = hub.db.begin().await.unwrap();
        tx.run(&Sql { sqlite: text, postgres: text }, args![]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let blanking = async |world: &World, state| -> Vec<Listed> {
        let mut jobs = list(&world.hub().db, &world.scope(), state, None, 50).await.unwrap();
        jobs.retain(|job| job.kind == "inbox.blank");
        jobs
    };
    let unsend = |id: &str| json!({ "type": "unsend", "unsend": { "messageId": id } });
    let told = async |world: &World| {
        let entries = world.hub().journal.read(0, 100).await.unwrap();
        let raw = entries.into_iter().filter_map(|entry| entry.raw);
        raw.map(|raw| String::from_utf8(raw).unwrap()).collect::<String>()
    };
    // Another consumer is far behind, as one whose work the database refuses for a day.
    exec(
        world.hub(),
        "INSERT INTO journal_cursors (consumer, epoch, position, fence, holder, lease_until, updated_at)
        VALUES ('slow', 1, 0, 0, '', 0, 0)",
    )
    .await;
    world.arrive(vec![text("1", "secret one"), at(unsend("1"), 5)]).await;
    for _ in 0..110 {
        run_pending(world.hub(), &registry).await.unwrap();
        world.test.clock.advance(Duration::from_secs(15));
    }
    let waiting = blanking(&world, State::Ready).await;
    assert!(waiting.len() == 1 && waiting[0].attempts == 0, "{waiting:?}");
    assert!(told(&world).await.contains("secret one"));
    exec(world.hub(), "UPDATE journal_cursors SET position = 1000 WHERE consumer = 'slow'").await;
    run_pending(world.hub(), &registry).await.unwrap();
    assert!(!told(&world).await.contains("secret one"));

    // The journal itself is away.
    world.arrive(vec![text("2", "secret two"), at(unsend("2"), 5)]).await;
    world.hub().journal.close().await;
    for _ in 0..20 {
        run_pending(world.hub(), &registry).await.unwrap();
        world.test.clock.advance(Duration::from_secs(15));
    }
    let waiting = blanking(&world, State::Ready).await;
    assert!(waiting.len() == 1 && waiting[0].attempts == 0, "{waiting:?}");
    assert!(blanking(&world, State::Dead).await.is_empty());
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn edits_are_versions_and_may_come_first(#[case] engine: Engine) {
    // GOTCHAS A15: same message id, group only, the newest timestamp wins.
    let Some(mut world) = World::new(engine).await else { return };
    let alice = Some(ALICE);
    world.arrive(vec![in_group(text("1", "one"), alice), at(in_group(edit("1", "two"), alice), 10)]).await;
    world.arrive(vec![at(in_group(edit("2", "later"), alice), 20)]).await;
    world.arrive(vec![at(in_group(text("2", "sooner"), alice), 15)]).await;
    world.arrive(vec![at(in_group(edit("1", "between"), alice), 5)]).await;
    let conversation = world.only().await;
    let messages = world.messages(&conversation).await;
    let told: Vec<_> = messages
        .iter()
        .map(|m| {
            let before: Vec<_> =
                m.versions.iter().map(|(_, v)| v["text"].as_str().unwrap().to_owned()).collect();
            (said(m).unwrap().to_owned(), before, m.edited_at.is_some())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("two".to_owned(), vec!["one".to_owned(), "between".to_owned()], true),
            ("later".to_owned(), vec!["sooner".to_owned()], true)
        ]
    );
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn groups_are_conversations_of_their_own(#[case] engine: Engine) {
    // S1-35, S2-21; GOTCHAS A17: a member without a user id makes no contact.
    let Some(mut world) = World::new(engine).await else { return };
    world.arrive(vec![in_group(json!({ "type": "join", "replyToken": "j" }), None)]).await;
    world.arrive(vec![in_group(text("1", "hi all"), Some(BOB)), in_group(text("2", "anon"), None)]).await;
    let conversation = world.only().await;
    assert_eq!(conversation.kind.as_str(), "group");
    assert!(conversation.contact.is_none());
    let messages = world.messages(&conversation).await;
    let senders: Vec<_> = messages.iter().map(|m| m.contact.is_some()).collect();
    assert_eq!(senders, [false, true, false]);
    let contacts = crate::contacts::service::list(
        world.hub(),
        &world.scope(),
        &crate::contacts::service::ContactFilter { limit: 10, ..Default::default() },
    )
    .await
    .unwrap();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].following, None);
    // Leaving is noted, and an older join does not undo it.
    world.arrive(vec![at(in_group(json!({ "type": "leave" }), None), 50)]).await;
    world.arrive(vec![at(in_group(json!({ "type": "join", "replyToken": "k" }), None), 40)]).await;
    assert!(world.only().await.left_at.is_some());
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn hidden_groups_are_journaled_and_nothing_else(#[case] engine: Engine) {
    // S2-21, S3-20; PLATFORM 3: LINE's own switch is the gate, this one hides what came through it.
    let Some(mut world) = World::new(engine).await else { return };
    world.set_groups("hidden").await;
    world.arrive(vec![in_group(json!({ "type": "join", "replyToken": "j" }), None)]).await;
    world.arrive(vec![in_group(text("1", "psst"), Some(BOB)), text("2", "hello")]).await;
    let only = world.only().await;
    assert_eq!(only.kind.as_str(), "user", "people are shown as ever");
    let contacts = crate::contacts::service::ContactFilter { limit: 10, ..Default::default() };
    let contacts = crate::contacts::service::list(world.hub(), &world.scope(), &contacts).await.unwrap();
    assert_eq!(contacts.len(), 1, "nobody of the group is known");
    let jobs: Vec<String> = world.jobs().await;
    assert!(!jobs.iter().any(|kind| kind.contains("group")), "nothing is fetched of it: {jobs:?}");
    // Shown again, it appears from then on; what came before stays in the journal.
    world.set_groups("shown").await;
    world.arrive(vec![in_group(text("3", "now you see us"), Some(BOB))]).await;
    let all = world.conversations().await;
    let group = all.iter().find(|one| one.kind.as_str() == "group").unwrap();
    let lines = world.messages(group).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_is_seen_only_neither_waits_nor_is_unread(#[case] engine: Engine) {
    // GOTCHAS A18
    let Some(mut world) = World::new(engine).await else { return };
    let mut event = text("1", "to the other channel");
    event["mode"] = json!("standby");
    event.as_object_mut().unwrap().remove("replyToken");
    world.arrive(vec![event]).await;
    let conversation = world.only().await;
    assert!(conversation.standby);
    assert_eq!((conversation.unread_count, conversation.unanswered_since), (0, None));
    assert!(world.messages(&conversation).await[0].standby);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_event_that_cannot_be_processed_is_parked_and_holds_nothing_back(#[case] engine: Engine) {
    let Some(mut world) = World::new(engine).await else { return };
    let old = START.millis() - 91 * 24 * 3600 * 1000;
    let mut ancient = text("9", "ancient");
    ancient["timestamp"] = json!(old);
    world
        .arrive(vec![
            json!({ "type": "message", "message": "odd" }),
            json!({ "type": "tomorrow", "tomorrow": { "x": 1 } }),
            ancient,
            text("1", "fine"),
        ])
        .await;
    let parked = cursors::parked(&world.hub().db, &world.tenant, 10).await.unwrap();
    assert_eq!(parked.len(), 2);
    assert!(parked[0].error.contains("90 days"), "{}", parked[0].error);
    let conversation = world.only().await;
    assert_eq!(conversation.unread_count, 1);
    // Tried again, it stays on the list with its reason; what is not on it is left alone.
    let reader = world.reader();
    let inbox = Inbox::new(world.hub().clone());
    let again = replay(&reader, &inbox, parked[0].position).await.unwrap();
    assert!(matches!(again, Replayed::StillParked(reason) if reason.contains("90 days")));
    let last = world.hub().journal.head().await.unwrap();
    assert_eq!(replay(&reader, &inbox, last).await.unwrap(), Replayed::Missing);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_tenant_and_an_agent_see_only_what_is_theirs(#[case] engine: Engine) {
    let Some(mut world) = World::new(engine).await else { return };
    world.arrive(vec![text("1", "hi")]).await;
    let entropy = Entropy::seeded(7);
    let other = Scope::tenant_wide(TenantId::new(START, &entropy));
    let agent = Scope::agent(world.tenant.clone(), UserId::new(START, &entropy));
    let conversation = world.only().await;
    let message = world.messages(&conversation).await.remove(0);
    for scope in [&other, &agent] {
        let filter = Filter { limit: 50, ..Filter::default() };
        assert!(service::list(world.hub(), scope, &filter).await.unwrap().is_empty());
        assert_eq!(service::get(world.hub(), scope, &conversation.id).await.unwrap_err().status, 404);
        assert_eq!(service::message(world.hub(), scope, &message.id).await.unwrap_err().status, 404);
        let contact = conversation.contact.as_ref().unwrap();
        let found = crate::contacts::service::get(world.hub(), scope, &contact.id).await;
        assert_eq!(found.unwrap_err().status, 404);
    }
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn conversations_are_found_by_name_and_page_by_page(#[case] engine: Engine) {
    let Some(mut world) = World::new(engine).await else { return };
    for n in 0..5 {
        let mut event = at(text(&format!("{n}"), "hi"), n);
        event["source"] = json!({ "type": "user", "userId": format!("U{n:032x}") });
        world.arrive(vec![event]).await;
    }
    let all = world.conversations().await;
    for (n, conversation) in all.iter().enumerate() {
        let contact = conversation.contact.as_ref().unwrap();
        let profile = line_client::Profile {
            display_name: format!("陳 100%_{n}"),
            user_id: String::new(),
            language: Some("zh-TW".to_owned()),
            picture_url: None,
            status_message: None,
        };
        crate::contacts::service::store_profile(world.hub(), &contact.id, Some(&profile)).await.unwrap();
    }
    let find = async |q: &str| {
        let filter = Filter { q: Some(q.to_owned()), limit: 50, ..Filter::default() };
        service::list(world.hub(), &world.scope(), &filter).await.unwrap().len()
    };
    assert_eq!(find("陳").await, 5);
    assert_eq!(find("100%_3").await, 1);
    assert_eq!(find("100x").await, 0);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let filter = Filter { limit: 2, after: after.clone(), unanswered: Some(true), ..Filter::default() };
        let page = service::list(world.hub(), &world.scope(), &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.activity_at, last.id.to_string()));
        seen.extend(page.into_iter().map(|c| c.id));
    }
    assert_eq!(seen, all.into_iter().map(|c| c.id).collect::<Vec<_>>());
    world.test.close().await;
}
