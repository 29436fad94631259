//! A person's "try again" for an event that could not be processed.

use serde_json::json;

use super::consumer::{Replayed, replay};
use super::{cursors, event_id, event_position};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::scope::Scope;
use crate::team::{Actor, service};
use crate::{start, wiring};

/// Hands the tenant's event to every consumer that could not process it, and notes that in the audit log. Gives `None`
/// when it is processed now, else why it is not.
///
/// # Errors
/// 404 when no such event of the tenant waits; those of the database.
pub(super) async fn try_again(
    hub: &Hub,
    scope: &Scope,
    actor: &Actor,
    id: &str,
) -> AppResult<Option<String>> {
    let unknown = || AppError::not_found("event that waits to be tried again");
    let position = event_position(id).ok_or_else(unknown)?;
    let mut parked = cursors::parked_at(&hub.db, scope.tenant(), position).await?;
    parked.retain(|(_, received_at)| event_id(*received_at, position) == id);
    if parked.is_empty() {
        return Err(unknown());
    }
    let (reader, consumers) = (start::reader(hub), wiring::consumers(hub));
    let mut left = None;
    for (name, _) in parked {
        let Some(consumer) = consumers.iter().find(|consumer| consumer.name() == name) else {
            left = Some(format!("this version of the hub has no part named {name}"));
            continue;
        };
        match replay(&reader, consumer.as_ref(), position).await? {
            Replayed::Done => {}
            Replayed::StillParked(reason) => left = Some(reason),
            // Someone else was faster, or the journal has let go of the event.
            Replayed::Missing => return Err(unknown()),
        }
    }
    let detail = json!({ "outcome": if left.is_none() { "done" } else { "still_parked" } });
    let mut tx = hub.db.begin().await?;
    service::audit(&mut tx, hub, scope.tenant(), actor, ("event.replayed", id), &detail).await?;
    tx.commit().await?;
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
    use axum::http::request::Builder;
    use axum::http::{Request, StatusCode};
    use rstest::rstest;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;
    use crate::accounts::testing::{connected, disconnect};
    use crate::app::testing::TestHub;
    use crate::clock::Timestamp;
    use crate::db::testing::Engine;
    use crate::ids::{AccountId, TenantId};
    use crate::journal::consumer::drain;
    use crate::journal::{Entry, NewEvent, NewRequest};
    use crate::team::{KeyScope, NewUser, Role};
    use crate::web::cookies;

    const PAGE: &str = "/settings/events";
    const SYSTEM: Actor = Actor::System("test");

    struct Tenant {
        id: TenantId,
        owner: String,
        agent: String,
        key: String,
        reader: String,
    }

    impl Tenant {
        async fn new(hub: &Hub, name: &str) -> Self {
            let id = service::create_tenant(hub, name, Some("Asia/Taipei"), &SYSTEM).await.unwrap().id;
            let session = async |role, email: String| {
                let user = NewUser { email: &email, name: "", role, password: "a long password" };
                let user = service::create_user(hub, &id, &user, &SYSTEM).await.unwrap();
                let token = service::open_session(hub, &id, &user).await.unwrap();
                let cookie = cookies::set_session(&hub.config, &token).to_str().unwrap().to_owned();
                cookie.split(';').next().unwrap().to_owned()
            };
            let owner = session(Role::Owner, format!("owner@{name}.example")).await;
            let agent = session(Role::Agent, format!("agent@{name}.example")).await;
            let key =
                async |scope| service::create_api_key(hub, &id, "key", &[scope], &SYSTEM).await.unwrap().1;
            let (key, reader) = (key(KeyScope::Manage).await, key(KeyScope::Read).await);
            Self { id, owner, agent, key, reader }
        }
    }

    async fn ask(hub: &Hub, request: Builder, body: String) -> (StatusCode, String) {
        let request =
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Body::from(body));
        let response = wiring::router(hub).oneshot(request.unwrap()).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn look(hub: &Hub, cookie: &str) -> (StatusCode, String) {
        ask(hub, Request::get(PAGE).header(COOKIE, cookie), String::new()).await
    }

    async fn press(hub: &Hub, cookie: &str, id: &str, form: String) -> StatusCode {
        ask(hub, Request::post(format!("{PAGE}/{id}/replay")).header(COOKIE, cookie), form).await.0
    }

    async fn call(hub: &Hub, key: &str, id: &str) -> (StatusCode, Value) {
        let request = Request::post(format!("/api/v1/events/{id}/replay"));
        let (status, body) =
            ask(hub, request.header(AUTHORIZATION, format!("Bearer {key}")), String::new()).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Stores events of an account and lets the consumers read them.
    async fn arrive(hub: &Hub, account: &AccountId, events: &[&str]) -> Vec<Entry> {
        let before = hub.journal.head().await.unwrap();
        let body = format!("[{}]", events.join(","));
        let events = events.iter().map(|event| NewEvent {
            start: body.find(event).unwrap(),
            len: event.len(),
            webhook_event_id: None,
            kind: "message".to_owned(),
            redelivered: false,
            event_at: hub.now(),
        });
        let events = events.collect();
        let new = NewRequest {
            account_id: account.clone(),
            body: bytes::Bytes::from(body),
            signature: String::new(),
            received_at: hub.now(),
            events,
        };
        hub.journal.append(new).await.unwrap();
        for consumer in wiring::consumers(hub) {
            drain(&start::reader(hub), consumer.as_ref()).await.unwrap();
        }
        hub.journal.read(before, 10).await.unwrap()
    }

    async fn waiting(hub: &Hub, tenant: &Tenant) -> usize {
        cursors::parked(&hub.db, &tenant.id, 10).await.unwrap().len()
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn an_owner_tries_an_event_again(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let hub = &test.hub;
        let (tea, other) = (Tenant::new(hub, "tea").await, Tenant::new(hub, "other").await);
        let account = connected(hub, &tea.id, "1234567890").await;
        assert!(look(hub, &tea.owner).await.1.contains("Every event was processed"));
        let good = r#"{"type":"message","mode":"active","timestamp":1767225600000,
            "source":{"type":"user","userId":"U4af4980629"},"webhookEventId":"01A","replyToken":"token",
            "deliveryContext":{"isRedelivery":false},
            "message":{"type":"text","id":"1","quoteToken":"q","text":"珍奶"}}"#;
        let entries =
            arrive(hub, &account.id, &[r#"{"type":"message","message":"<b>none</b>"}"#, good]).await;
        let (bad, good) = (entries[0].id(), &entries[1]);
        assert_eq!(waiting(hub, &tea).await, 1);
        let (status, page) = look(hub, &tea.owner).await;
        assert_eq!(status, StatusCode::OK);
        for words in ["三杯茶", "Message", "in a form that this version cannot read", "Try again"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert_eq!(look(hub, &tea.agent).await.0, StatusCode::FORBIDDEN);
        assert!(!look(hub, &other.owner).await.1.contains("三杯茶"));
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(press(hub, &tea.owner, &bad, String::new()).await, StatusCode::FORBIDDEN);
        assert_eq!(press(hub, &tea.owner, &bad, format!("csrf={csrf}")).await, StatusCode::SEE_OTHER);
        assert_eq!(press(hub, &tea.owner, &good.id(), format!("csrf={csrf}")).await, StatusCode::NOT_FOUND);
        // The same by the API.
        let (status, answer) = call(hub, &tea.key, &bad).await;
        assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("still_parked")), "{answer}");
        assert!(answer["reason"].as_str().unwrap().starts_with("LINE's event cannot be read"), "{answer}");
        assert_eq!(call(hub, &tea.reader, &bad).await.1["code"], "missing_scope");
        for (key, id) in [(&other.key, &bad), (&tea.key, &good.id()), (&tea.key, &"evt_1".to_owned())] {
            assert_eq!(call(hub, key, id).await.0, StatusCode::NOT_FOUND, "{id}");
        }
        // The id's time counts too: no other event has this one's place.
        let moved = event_id(Timestamp(1), entries[0].position);
        assert_eq!(call(hub, &tea.key, &moved).await.0, StatusCode::NOT_FOUND);
        // One that can be processed by now.
        let mut tx = hub.db.begin().await.unwrap();
        cursors::park(&mut tx, "inbox", good, "a fault of yesterday", hub.now()).await.unwrap();
        cursors::park(&mut tx, "relay", &entries[0], "from another version", hub.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(look(hub, &tea.owner).await.1.contains("a fault of yesterday"));
        assert_eq!(call(hub, &tea.key, &good.id()).await, (StatusCode::OK, json!({ "outcome": "done" })));
        assert_eq!(call(hub, &tea.key, &good.id()).await.0, StatusCode::NOT_FOUND);
        assert_eq!(
            call(hub, &tea.key, &bad).await.1["reason"],
            "this version of the hub has no part named relay"
        );
        let entry =
            service::list_audit(hub, &Scope::tenant_wide(tea.id.clone()), None, 10).await.unwrap().remove(1);
        assert_eq!((entry.action.as_str(), &entry.detail["outcome"]), ("event.replayed", &json!("done")));
        // Also after the account was disconnected: what was received is not lost.
        disconnect(hub, &account).await;
        assert_eq!(waiting(hub, &tea).await, 2);
        // What the journal lets go after 90 days leaves the list.
        test.clock.advance(Duration::from_secs(91 * 24 * 3600));
        let done = crate::journal::cleanup::run(hub.clone(), crate::journal::cleanup::Prune::default()).await;
        assert_eq!(done, crate::jobs::Outcome::Done);
        assert_eq!(waiting(hub, &tea).await, 0);
        test.close().await;
    }
}
