//! The team, on both databases and over HTTP.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::http::{Request, StatusCode};
use rstest::rstest;
use serde_json::json;

use super::sign_in::{Outcome, WINDOW, sign_in};
use super::*;
use crate::app::testing::TestHub;
use crate::db::Sql;
use crate::db::testing::Engine;
use crate::error::AppResult;
use crate::ids::{AccountId, UserId};
use crate::scope::Scope;
use crate::web::Ui;
use crate::web::i18n::Language;
use crate::web::testing::Browser;

const PASSWORD: &str = "correct horse";
const ACTOR: Actor = Actor::System("test");

async fn served(engine: Engine) -> Option<TestHub> {
    TestHub::served(engine, "http://127.0.0.1:1", "http://hub.test").await
}

async fn tenant(hub: &Hub, name: &str) -> Tenant {
    service::create_tenant(hub, name, Some("Asia/Taipei"), &ACTOR).await.unwrap()
}

async fn user(hub: &Hub, tenant: &Tenant, email: &str, role: Role) -> UserId {
    let user = NewUser { email, name: "", role, password: PASSWORD };
    service::create_user(hub, &tenant.id, &user, &ACTOR).await.unwrap()
}

fn scope(tenant: &Tenant) -> Scope {
    Scope::tenant_wide(tenant.id.clone())
}

/// An account as the slice of accounts keeps it.
async fn account(hub: &Hub, tenant: &Tenant, name: &str) -> AccountId {
    const INSERT: Sql = Sql { sqlite: TEXT, postgres: TEXT };
    const TEXT: &str = "INSERT INTO accounts (id, tenant_id, messenger, channel_id, webhook_key, bot_user_id, display_name,
        basic_id, chat_mode, mark_as_read_mode, environment, status, oversized, bad_signatures, created_at, updated_at)
        VALUES ($1, $2, 'line', $1, $1, 'U', $3, '@x', 'bot', 'auto', 'test', 'connected', 0, 0, 0, 0)";
    let id: AccountId = hub.id();
    let mut tx = hub.db.begin().await.unwrap();
    tx.run(&INSERT, crate::args![&id, &tenant.id, name]).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn key(hub: &Hub, authorization: &str) -> AppResult<Key> {
    let request = Request::builder().header("authorization", authorization).body(()).unwrap();
    Key::from_request_parts(&mut request.into_parts().0, hub).await
}

fn path(link: &str) -> &str {
    link.strip_prefix("http://hub.test").unwrap()
}

fn wrong_fields(error: &crate::error::AppError) -> Vec<(&str, &str)> {
    assert_eq!(error.status, StatusCode::UNPROCESSABLE_ENTITY);
    error.fields.iter().map(|field| (field.field.as_str(), field.code)).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_first_owner_signs_up_by_a_link_that_works_once(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let old = service::first_owner_link(hub).await.unwrap().unwrap();
    let link = service::first_owner_link(hub).await.unwrap().unwrap();
    let mut browser = Browser::new(hub);
    assert_eq!(
        browser.get(path(&old)).await.status,
        StatusCode::NOT_FOUND,
        "a newer link ends the older one"
    );
    assert!(browser.get(path(&link)).await.body.contains("Shop or company"));
    // What is wrong is said at its field; the link still works.
    let wrong = [("tenant", ""), ("name", "Mei"), ("email", "mei@example.tw"), ("password", PASSWORD)];
    let answer = browser.post(path(&link), &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("Enter the name of your shop") && answer.body.contains("value=\"Mei\""));
    let wrong = [("tenant", "Tea"), ("name", "Mei"), ("email", "mei"), ("password", "short")];
    let answer = browser.post(path(&link), &wrong).await;
    assert!(answer.body.contains("not an e-mail address") && answer.body.contains("At least 10"));
    assert!(!answer.body.contains("value=\"short\""), "a password is never sent back");
    let right =
        [("tenant", "山茶屋"), ("name", "林小美"), ("email", " Mei@Example.TW "), ("password", PASSWORD)];
    assert_eq!(browser.post(path(&link), &right).await.location(), "/");
    assert!(browser.get("/settings/people").await.body.contains("mei@example.tw"));
    assert_eq!(browser.post(path(&link), &right).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service::first_owner_link(hub).await.unwrap(), None);
    let tenant = service::find_tenant(hub, " 山茶屋 ").await.unwrap();
    assert_eq!(service::find_tenant(hub, tenant.id.as_str()).await.unwrap(), tenant);
    let members = service::members(hub, &scope(&tenant)).await.unwrap();
    assert_eq!((members[0].role, members[0].name.as_str()), (Role::Owner, "林小美"));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_command_line_finds_its_tenant(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    assert_eq!(
        service::tenant_for(hub, None, false, &ACTOR).await.unwrap_err().status,
        StatusCode::NOT_FOUND
    );
    let made = service::tenant_for(hub, None, true, &ACTOR).await.unwrap();
    assert_eq!(made.name, "default");
    assert_eq!(service::tenant_for(hub, None, true, &ACTOR).await.unwrap(), made);
    let other = tenant(hub, "Other").await;
    assert_eq!(service::tenant_for(hub, None, true, &ACTOR).await.unwrap_err().code, "which_tenant");
    assert_eq!(service::tenant_for(hub, Some("other"), true, &ACTOR).await.unwrap(), other);
    assert_eq!(
        service::tenant_for(hub, Some("x"), true, &ACTOR).await.unwrap_err().status,
        StatusCode::NOT_FOUND
    );
    for (name, zone, wrong) in [
        ("OTHER ", None, ("name", "taken")),
        ("", None, ("name", "required")),
        (&"x".repeat(81), None, ("name", "too_long")),
        ("New", Some("Mars/Base"), ("time_zone", "unknown")),
    ] {
        let error = service::create_tenant(hub, name, zone, &ACTOR).await.unwrap_err();
        assert_eq!(wrong_fields(&error), [wrong]);
    }
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_users_values_are_checked(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let (a, b) = (tenant(hub, "A").await, tenant(hub, "B").await);
    user(hub, &a, "Mei@example.tw", Role::Owner).await;
    let new = |email, name, password| NewUser { email, name, role: Role::Agent, password };
    let long = "x".repeat(201);
    for (user, wrong) in [
        (new("mei@EXAMPLE.tw", "", PASSWORD), vec![("email", "taken")]),
        (new("mei", "", "short"), vec![("email", "wrong"), ("password", "too_short")]),
        (new("x@y", "", &long), vec![("password", "too_long")]),
        (new("x@y", &long, PASSWORD), vec![("name", "too_long")]),
    ] {
        // An address belongs to one user of the whole hub.
        let error = service::create_user(hub, &b.id, &user, &ACTOR).await.unwrap_err();
        assert_eq!(wrong_fields(&error), wrong);
    }
    assert!(service::members(hub, &scope(&b)).await.unwrap().is_empty());
    // Words exist in every language for all that a form can have wrong.
    for language in Language::ALL {
        for (field, code) in [
            ("email", "taken"),
            ("email", "wrong"),
            ("name", "required"),
            ("name", "too_long"),
            ("password", "too_short"),
            ("password", "too_long"),
            ("present_password", "wrong"),
            ("scope", "required"),
            ("tenant", "required"),
            ("tenant", "too_long"),
            ("tenant", "taken"),
        ] {
            let key = format!("team-error-{field}-{code}").replace('_', "-");
            assert!(crate::web::i18n::maybe_words(language, &key).is_some(), "{key}");
        }
    }
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_session_lives_while_it_is_used(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let life = hub.config.session_life;
    let mut browser = Browser::signed_in(hub, &tenant.id, &mei).await;
    for _ in 0..3 {
        test.clock.advance(life - Duration::from_secs(1));
        let answer = browser.get("/settings/profile").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.cookie("tl_session").contains(&format!("Max-Age={}", life.as_secs())),
            "the cookie lives on"
        );
    }
    assert_eq!(browser.get("/settings/profile").await.cookie("tl_session"), "", "not at every page");
    let seen = service::members(hub, &scope(&tenant)).await.unwrap()[0].last_seen_at;
    assert_eq!(seen, Some(hub.now()));
    test.clock.advance(life);
    assert_eq!(browser.get("/settings/profile").await.location(), "/sign-in?next=%2Fsettings%2Fprofile");
    service::prune(hub).await.unwrap();
    // Signing out ends this session only; everywhere ends all; disabling ends all at once.
    let (mut one, mut two) =
        (Browser::signed_in(hub, &tenant.id, &mei).await, Browser::signed_in(hub, &tenant.id, &mei).await);
    let kept = one.clone();
    assert_eq!(one.post("/sign-out", &[]).await.location(), "/sign-in");
    assert_eq!(
        kept.clone().get("/settings/profile").await.status,
        StatusCode::SEE_OTHER,
        "the cookie alone is of no use"
    );
    assert_eq!(two.get("/settings/profile").await.status, StatusCode::OK);
    let mut three = Browser::signed_in(hub, &tenant.id, &mei).await;
    assert_eq!(two.post("/settings/profile/sign-out-everywhere", &[]).await.location(), "/sign-in");
    assert_eq!(three.get("/settings/profile").await.status, StatusCode::SEE_OTHER);
    let ana = user(hub, &tenant, "ana@example.tw", Role::Agent).await;
    let mut hers = Browser::signed_in(hub, &tenant.id, &ana).await;
    service::set_disabled(hub, &scope(&tenant), &ana, true, &ACTOR).await.unwrap();
    assert_eq!(hers.get("/settings/profile").await.status, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(hub, "ana@example.tw", PASSWORD, None).await.unwrap(), Outcome::Refused);
    service::set_disabled(hub, &scope(&tenant), &ana, false, &ACTOR).await.unwrap();
    assert!(matches!(sign_in(hub, "ana@example.tw", PASSWORD, None).await.unwrap(), Outcome::In(_)));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn who_guesses_must_wait(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    user(hub, &tenant, "ana@example.tw", Role::Agent).await;
    let from: Option<IpAddr> = Some("203.0.113.7".parse().unwrap());
    for _ in 0..10 {
        assert_eq!(sign_in(hub, "mei@example.tw", "guess", from).await.unwrap(), Outcome::Refused);
    }
    // Not even the right password gets in now, from wherever; another user still does.
    assert_eq!(sign_in(hub, "Mei@example.tw", PASSWORD, from).await.unwrap(), Outcome::Wait);
    assert_eq!(sign_in(hub, "mei@example.tw", PASSWORD, None).await.unwrap(), Outcome::Wait);
    assert!(matches!(sign_in(hub, "ana@example.tw", PASSWORD, from).await.unwrap(), Outcome::In(_)));
    // An address that nobody has is treated alike.
    for _ in 0..10 {
        assert_eq!(sign_in(hub, "nobody@example.tw", "guess", None).await.unwrap(), Outcome::Refused);
    }
    assert_eq!(sign_in(hub, "nobody@example.tw", "guess", None).await.unwrap(), Outcome::Wait);
    test.clock.advance(WINDOW);
    service::prune(hub).await.unwrap();
    assert!(matches!(sign_in(hub, "mei@example.tw", PASSWORD, from).await.unwrap(), Outcome::In(_)));
    // Getting in forgets the attempts of the address.
    for _ in 0..9 {
        assert_eq!(sign_in(hub, "mei@example.tw", "guess", None).await.unwrap(), Outcome::Refused);
    }
    assert!(matches!(sign_in(hub, "mei@example.tw", PASSWORD, None).await.unwrap(), Outcome::In(_)));
    assert_eq!(sign_in(hub, "mei@example.tw", "guess", None).await.unwrap(), Outcome::Refused);
    // One network that tries many addresses.
    let from: Option<IpAddr> = Some("198.51.100.9".parse().unwrap());
    for n in 0..50 {
        assert_eq!(sign_in(hub, &format!("u{n}@x"), "guess", from).await.unwrap(), Outcome::Refused);
    }
    assert_eq!(sign_in(hub, "ana@example.tw", PASSWORD, from).await.unwrap(), Outcome::Wait);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_network_that_must_wait_locks_nobody_out(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let guess = async |email: &str, from: &str| {
        let from = Some(from.parse::<IpAddr>().unwrap());
        sign_in(hub, email, "guess", from).await.unwrap()
    };
    let right = async |from: &str| sign_in(hub, "mei@example.tw", PASSWORD, from.parse().ok()).await.unwrap();
    // Many accounts from one network: after 50 it must wait, whomever it tries, also with the other addresses of its /64.
    for n in 0..50 {
        assert_eq!(guess(&format!("u{n}@x"), "2001:db8::1").await, Outcome::Refused);
    }
    for n in 0..30 {
        assert_eq!(guess("mei@example.tw", &format!("2001:db8::{n:x}")).await, Outcome::Wait);
    }
    // None of it counted against her: all her own attempts are left.
    for _ in 0..9 {
        assert_eq!(guess("mei@example.tw", "203.0.113.7").await, Outcome::Refused);
    }
    assert!(matches!(right("203.0.113.7").await, Outcome::In(_)));
    // One account from many networks: after 10 it must wait, from wherever, and the other networks only a little.
    for n in 0..10 {
        assert_eq!(guess("mei@example.tw", &format!("198.51.100.{n}")).await, Outcome::Refused);
    }
    assert_eq!(guess("mei@example.tw", "198.51.100.77").await, Outcome::Wait);
    assert_eq!(right("198.51.100.0").await, Outcome::Wait);
    assert_eq!(guess("ana@example.tw", "198.51.100.0").await, Outcome::Refused);
    // Whoever goes on does not lengthen the wait.
    test.clock.advance(WINDOW / 2);
    assert_eq!(guess("mei@example.tw", "198.51.100.78").await, Outcome::Wait);
    assert_eq!(guess("mei@example.tw", "2001:db8::1").await, Outcome::Wait);
    test.clock.advance(WINDOW / 2);
    assert!(matches!(right("2001:db8::1").await, Outcome::In(_)));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn people_of_one_network_sign_in_at_once(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let tenant = tenant(&test.hub, "Tea").await;
    user(&test.hub, &tenant, "mei@example.tw", Role::Owner).await;
    let from: Option<IpAddr> = Some("203.0.113.7".parse().unwrap());
    let all: Vec<_> = (0..24)
        .map(|_| {
            let hub = test.hub.clone();
            tokio::spawn(async move { sign_in(&hub, "mei@example.tw", PASSWORD, from).await })
        })
        .collect();
    for one in all {
        // Waiting is a fair answer to so many; a deadlock of the database would not be.
        assert!(one.await.unwrap().is_ok());
    }
    test.close().await;
}

#[tokio::test]
async fn many_guesses_at_once_do_not_pass_together() {
    let test = served(Engine::Sqlite).await.unwrap();
    let tenant = tenant(&test.hub, "Tea").await;
    user(&test.hub, &tenant, "mei@example.tw", Role::Owner).await;
    let guesses: Vec<_> = (0..20)
        .map(|_| {
            let hub = test.hub.clone();
            tokio::spawn(async move { sign_in(&hub, "mei@example.tw", "guess", None).await.unwrap() })
        })
        .collect();
    let mut refused = 0;
    for guess in guesses {
        refused += usize::from(guess.await.unwrap() == Outcome::Refused);
    }
    assert_eq!(refused, 10);
    test.close().await;
}

#[tokio::test]
async fn signing_in_says_nothing_about_who_exists() {
    let test = served(Engine::Sqlite).await.unwrap();
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let mut browser = Browser::new(hub);
    browser.get("/sign-in").await;
    let mut pages = Vec::new();
    for email in ["mei@example.tw", "nobody@example.tw", "not an address"] {
        let answer = browser.post("/sign-in", &[("email", email), ("password", "guess")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        pages.push(answer.body.replace(email, "E"));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    let right = [("email", "MEI@example.tw"), ("password", PASSWORD), ("next", "/settings/people?x=1")];
    let answer = browser.post("/sign-in", &right).await;
    assert_eq!(answer.location(), "/settings/people?x=1");
    let cookie = answer.cookie("tl_session").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(browser.get("/sign-in").await.location(), "/");
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
    // An address of elsewhere is not followed.
    let mut other = Browser::new(hub);
    other.get("/sign-in").await;
    for next in ["//evil.test", "/\\evil.test", "/%2f/evil.test", "https://evil.test/", "/x\r\ny", "\u{1}/x"]
    {
        let away = [("email", "mei@example.tw"), ("password", PASSWORD), ("next", next)];
        assert_eq!(other.clone().post("/sign-in", &away).await.location(), "/", "{next:?}");
    }
    let query = url::form_urlencoded::byte_serialize(b"//evil.test").collect::<String>();
    assert_eq!(browser.get(&format!("/sign-in?next={query}")).await.location(), "/", "signed in already");
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn people_are_invited_and_changed(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let (tea, other) = (tenant(hub, "Tea").await, tenant(hub, "Other").await);
    let mei = user(hub, &tea, "mei@example.tw", Role::Owner).await;
    let (shop, foreign) = (account(hub, &tea, "山茶屋").await, account(hub, &other, "x").await);
    let mut owner = Browser::signed_in(hub, &tea.id, &mei).await;
    let form = [
        ("email", "ANA@example.tw"),
        ("role", "agent"),
        ("account", shop.as_str()),
        ("account", foreign.as_str()),
    ];
    let page = owner.post("/settings/people/invite", &form).await.body;
    let link = page
        .split("id=\"invitation-link\"")
        .nth(1)
        .and_then(|rest| rest.split('>').nth(1))
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    assert!(page.contains("ana@example.tw"));
    assert_eq!(service::invitations(hub, &scope(&tea)).await.unwrap().len(), 1);
    assert!(service::invitations(hub, &scope(&other)).await.unwrap().is_empty());
    let mut ana = Browser::new(hub);
    ana.get(path(&link)).await;
    // The invitation is for its own address, whatever the form says.
    let chosen = [("name", "Ana"), ("email", "evil@example.tw"), ("password", PASSWORD)];
    assert_eq!(ana.post(path(&link), &chosen).await.location(), "/");
    let members = service::members(hub, &scope(&tea)).await.unwrap();
    let her = members.iter().find(|member| member.email == "ana@example.tw").unwrap();
    assert_eq!(her.role, Role::Agent);
    assert_eq!(her.account_ids, [shop.to_string()], "another tenant's account is not granted");
    assert!(service::invitations(hub, &scope(&tea)).await.unwrap().is_empty());
    assert_eq!(ana.get(path(&link)).await.status, StatusCode::NOT_FOUND);
    // An agent sees only their own settings.
    assert_eq!(ana.get("/settings/profile").await.status, StatusCode::OK);
    for page in ["/settings/people", "/settings/api-keys", "/settings/audit-log"] {
        assert_eq!(ana.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    let promote = format!("/settings/people/{}", her.id);
    assert_eq!(ana.post(&promote, &[("role", "owner")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        ana.post("/settings/api-keys", &[("name", "x"), ("scope", "read")]).await.status,
        StatusCode::FORBIDDEN
    );
    // A taken address is refused at its field, in the open dialog.
    let taken =
        owner.post("/settings/people/invite", &[("email", "ana@example.tw"), ("role", "agent")]).await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(taken.body.contains("data-open") && taken.body.contains("is a user already"));
    // The last owner stays one.
    let me = format!("/settings/people/{mei}");
    assert_eq!(owner.post(&me, &[("role", "agent")]).await.status, StatusCode::CONFLICT);
    assert_eq!(owner.post(&format!("{me}/disable"), &[]).await.status, StatusCode::CONFLICT);
    assert_eq!(
        owner.post(&promote, &[("role", "owner"), ("account", shop.as_str())]).await.location(),
        "/settings/people"
    );
    assert!(owner.get("/settings/people").await.body.contains("data-toast"), "the next page says so once");
    assert!(!owner.get("/settings/people").await.body.contains("data-toast"));
    assert_eq!(owner.post(&format!("{me}/disable"), &[]).await.location(), "/settings/people");
    assert_eq!(owner.get("/settings/people").await.status, StatusCode::SEE_OTHER);
    assert_eq!(ana.get("/settings/people").await.status, StatusCode::OK, "she is an owner now");
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_invitation_is_withdrawn_and_ends_with_the_rights_of_its_maker(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let (tea, other) = (tenant(hub, "Tea").await, tenant(hub, "Other").await);
    let mei = user(hub, &tea, "mei@example.tw", Role::Owner).await;
    let zoe = user(hub, &tea, "zoe@example.tw", Role::Owner).await;
    let ben = user(hub, &other, "ben@example.tw", Role::Owner).await;
    let as_zoe = Actor::User { id: zoe.clone(), name: "Zoe".to_owned() };
    let invite = async |tenant: &Tenant, email: &str, actor: &Actor| {
        service::invite(hub, &scope(tenant), email, Role::Owner, &[], actor).await
    };
    let opens = async |link: &str| Browser::new(hub).get(path(link)).await.status == StatusCode::OK;
    let withdraw = "/settings/people/withdraw";

    // By hand: over the page, with its token, by an owner of this tenant.
    let link = invite(&tea, "x@example.tw", &ACTOR).await.unwrap();
    let elsewhere = invite(&other, "x@example.tw", &ACTOR).await.unwrap();
    let form = [("email", "x@example.tw")];
    let mut owner = Browser::signed_in(hub, &tea.id, &mei).await;
    let page = owner.get("/settings/people").await.body;
    assert!(page.contains("Withdraw the invitation of x@example.tw") && page.contains(withdraw));
    assert_eq!(owner.post_raw(withdraw, &form).await.status, StatusCode::FORBIDDEN, "without a token");
    let ana = user(hub, &tea, "ana@example.tw", Role::Agent).await;
    let mut agent = Browser::signed_in(hub, &tea.id, &ana).await;
    assert_eq!(agent.post(withdraw, &form).await.status, StatusCode::FORBIDDEN);
    assert!(opens(&link).await);
    assert_eq!(owner.post(withdraw, &form).await.location(), "/settings/people");
    assert!(!opens(&link).await && opens(&elsewhere).await, "only this tenant's");
    assert_eq!(owner.post(withdraw, &form).await.status, StatusCode::NOT_FOUND);
    assert!(owner.get("/settings/audit-log").await.body.contains("Withdrew an invitation"));
    let mut theirs = Browser::signed_in(hub, &other.id, &ben).await;
    assert_eq!(theirs.post(withdraw, &form).await.location(), "/settings/people");

    // Whoever loses the right to invite loses what they made with it; what others made stays.
    let kept = invite(&tea, "kept@example.tw", &ACTOR).await.unwrap();
    let role = async |role| service::change_member(hub, &scope(&tea), &zoe, role, &[], &ACTOR).await.unwrap();
    let disabled = async |it| service::set_disabled(hub, &scope(&tea), &zoe, it, &ACTOR).await.unwrap();
    let hers = invite(&tea, "hers@example.tw", &as_zoe).await.unwrap();
    let entry = service::entry_link(hub, &tea.id, &zoe).await.unwrap();
    role(Role::Owner).await;
    assert!(opens(&hers).await, "an owner who stays one keeps them");
    role(Role::Agent).await;
    assert!(!opens(&hers).await && opens(&kept).await);
    assert_eq!(Browser::new(hub).get(path(&entry)).await.status, StatusCode::NOT_FOUND);
    let late = invite(&tea, "late@example.tw", &as_zoe).await.unwrap_err();
    assert_eq!(late.status, StatusCode::FORBIDDEN, "her page was still open");
    role(Role::Owner).await;
    let again = invite(&tea, "again@example.tw", &as_zoe).await.unwrap();
    disabled(true).await;
    assert!(!opens(&again).await && opens(&kept).await);
    assert_eq!(invite(&tea, "late@example.tw", &as_zoe).await.unwrap_err().status, StatusCode::FORBIDDEN);
    disabled(false).await;
    assert!(!opens(&again).await);
    let log = service::list_audit(hub, &scope(&tea), None, 50).await.unwrap();
    let ended = log.iter().filter(|entry| entry.action == "user.invitation_withdrawn");
    let ended: Vec<&str> = ended.map(|entry| entry.subject.as_str()).collect();
    assert_eq!(ended, ["again@example.tw", "hers@example.tw", "x@example.tw"]);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_tenant_neither_sees_nor_changes_another(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let (a, b) = (tenant(hub, "A").await, tenant(hub, "B").await);
    let mei = user(hub, &a, "mei@example.tw", Role::Owner).await;
    user(hub, &a, "zoe@example.tw", Role::Owner).await;
    user(hub, &b, "ben@example.tw", Role::Owner).await;
    let (key_id, _) = service::create_api_key(hub, &a.id, "A's", &[], &ACTOR).await.unwrap();
    let shop = account(hub, &a, "A's shop").await;
    let theirs = scope(&b);
    assert_eq!(service::members(hub, &theirs).await.unwrap().len(), 1);
    assert!(service::api_keys(hub, &theirs).await.unwrap().is_empty());
    assert!(service::grantable_accounts(hub, &theirs).await.unwrap().is_empty());
    let log = service::list_audit(hub, &theirs, None, 50).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.subject.as_str()).collect::<Vec<_>>(), ["ben@example.tw", "B"]);
    let not_found = StatusCode::NOT_FOUND;
    assert_eq!(service::revoke_api_key(hub, &theirs, &key_id, &ACTOR).await.unwrap_err().status, not_found);
    let accounts = [shop.to_string()];
    let changed = service::change_member(hub, &theirs, &mei, Role::Owner, &accounts, &ACTOR).await;
    assert_eq!(changed.unwrap_err().status, not_found);
    let changed = service::set_disabled(hub, &theirs, &mei, false, &ACTOR).await;
    assert_eq!(changed.unwrap_err().status, not_found);
    let mut tx = hub.db.begin().await.unwrap();
    repo::set_grants(&mut tx, &theirs, &mei, &accounts).await.unwrap();
    assert!(!repo::set_profile(&mut tx, &theirs, &mei, "x", None).await.unwrap());
    assert!(!repo::set_password(&mut tx, &theirs, &mei, "x").await.unwrap());
    assert_eq!(repo::delete_sessions(&mut tx, &theirs, &mei, &[]).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(repo::password_hash(&hub.db, &theirs, &mei).await.unwrap(), None);
    let members = service::members(hub, &scope(&a)).await.unwrap();
    assert!(members[0].account_ids.is_empty() && !members[0].is_disabled);
    assert_eq!(service::api_keys(hub, &scope(&a)).await.unwrap().len(), 1);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_api_key_is_told_once_and_can_be_revoked(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let mut owner = Browser::signed_in(hub, &tenant.id, &mei).await;
    let made = owner.post("/settings/api-keys", &[("name", "CRM"), ("scope", "read")]).await;
    let page = owner.get(made.location()).await.body;
    let plain = page
        .split("id=\"new-key-text\"")
        .nth(1)
        .and_then(|rest| rest.split('>').nth(1))
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    assert!(plain.starts_with("tlk_") && plain.len() == 47, "{plain}");
    assert!(!owner.get("/settings/api-keys").await.body.contains(&plain));
    let used = key(hub, &format!("bearer {plain}")).await.unwrap();
    assert_eq!(
        (used.name.as_str(), used.tenant.clone(), used.scope()),
        ("CRM", tenant.clone(), scope(&tenant))
    );
    assert!(used.require(KeyScope::Read).is_ok());
    assert_eq!(used.require(KeyScope::Send).unwrap_err().code, "missing_scope");
    assert_eq!(used.actor(), Actor::Key { id: used.id.clone(), name: "CRM".to_owned() });
    assert_eq!(service::api_keys(hub, &scope(&tenant)).await.unwrap()[0].last_used_at, Some(hub.now()));
    for wrong in
        ["", "Bearer", "Bearer tlk_", &format!("Basic {plain}"), &format!("Bearer {plain}x"), "Bearer x"]
    {
        assert_eq!(key(hub, wrong).await.unwrap_err().status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let nothing = owner.post("/settings/api-keys", &[("name", "CRM")]).await;
    assert!(
        nothing.status == StatusCode::UNPROCESSABLE_ENTITY && nothing.body.contains("at least one scope")
    );
    let revoke = format!("/settings/api-keys/{}/revoke", used.id);
    assert_eq!(owner.post(&revoke, &[]).await.location(), "/settings/api-keys");
    assert_eq!(owner.post(&revoke, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(key(hub, &format!("Bearer {plain}")).await.unwrap_err().status, StatusCode::UNAUTHORIZED);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_entry_link_signs_in_once(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let link = service::entry_link(hub, &tenant.id, &mei).await.unwrap();
    let mut browser = Browser::new(hub);
    assert_eq!(browser.get(path(&link)).await.location(), "/");
    assert_eq!(browser.get("/settings/profile").await.status, StatusCode::OK);
    assert_eq!(Browser::new(hub).get(path(&link)).await.status, StatusCode::NOT_FOUND);
    // A link for something else is no way in, and one that has ended is none at all.
    let invitation = service::invite(hub, &scope(&tenant), "x@y", Role::Agent, &[], &ACTOR).await.unwrap();
    let other_way = path(&invitation).replace("/welcome/", "/enter/");
    assert_eq!(Browser::new(hub).get(&other_way).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        Browser::new(hub).get(path(&invitation)).await.status,
        StatusCode::OK,
        "and is not used up by it"
    );
    let late = service::entry_link(hub, &tenant.id, &mei).await.unwrap();
    test.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!(Browser::new(hub).get(path(&late)).await.status, StatusCode::NOT_FOUND);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn profile_and_password_are_ones_own(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let mut browser = Browser::signed_in(hub, &tenant.id, &mei).await;
    let other = Browser::signed_in(hub, &tenant.id, &mei).await;
    browser.post("/settings/profile", &[("name", " 林小美 "), ("language", "zh-Hant")]).await.location();
    let page = browser.get("/settings/profile").await.body;
    assert!(page.contains("lang=\"zh-Hant\"") && page.contains("value=\"林小美\""));
    browser.post("/language", &[("language", "en")]).await.location();
    assert!(browser.get("/settings/profile").await.body.contains("<html lang=\"en\""));
    let empty = browser.post("/settings/profile", &[("name", " "), ("language", "")]).await;
    assert!(empty.body.contains("Enter a name") && empty.body.contains("autofocus"));
    let change = "/settings/profile/password";
    for (present, new, words) in
        [("guess", "a new password", "not your present password"), (PASSWORD, "short", "At least 10")]
    {
        let answer = browser.post(change, &[("present_password", present), ("password", new)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(words), "{words}");
    }
    browser.post(change, &[("present_password", PASSWORD), ("password", "a new password")]).await.location();
    assert_eq!(browser.get("/settings/profile").await.status, StatusCode::OK, "this browser stays");
    assert_eq!(
        other.clone().get("/settings/profile").await.status,
        StatusCode::SEE_OTHER,
        "the other is out"
    );
    assert_eq!(sign_in(hub, "mei@example.tw", PASSWORD, None).await.unwrap(), Outcome::Refused);
    assert!(matches!(sign_in(hub, "mei@example.tw", "a new password", None).await.unwrap(), Outcome::In(_)));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_audit_log_is_read_in_pages(#[case] engine: Engine) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let actor = Actor::User { id: mei.clone(), name: "Mei".to_owned() };
    let mut tx = hub.db.begin().await.unwrap();
    for n in 0..60 {
        let subject = ("thing.done", &format!("thing {n}") as &str);
        service::audit(&mut tx, hub, &tenant.id, &actor, subject, &json!({ "n": n })).await.unwrap();
        // Some share a moment; the id then decides.
        if n % 3 == 0 {
            test.clock.advance(Duration::from_millis(1));
        }
    }
    tx.commit().await.unwrap();
    let scope = scope(&tenant);
    let (mut seen, mut below) = (Vec::new(), None);
    loop {
        let at = below.as_ref().map(|(at, id): &(crate::clock::Timestamp, String)| (*at, id.as_str()));
        let page = service::list_audit(hub, &scope, at, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        below = Some((last.at, last.id.clone()));
        seen.extend(page.into_iter().map(|entry| entry.id));
    }
    assert_eq!(seen.len(), 62);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 62);
    let mut browser = Browser::signed_in(hub, &tenant.id, &mei).await;
    let page = browser.get("/settings/audit-log").await.body;
    assert!(page.contains("thing 59") && page.contains("n: 59") && !page.contains("thing 2<"));
    let older = page.split("/settings/audit-log?before=").nth(1).unwrap().split('"').next().unwrap();
    let page = browser.get(&format!("/settings/audit-log?before={older}")).await.body;
    assert!(page.contains("thing 2<") && page.contains("Created a user"));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite, "SQLite")]
#[case::postgres(Engine::Postgres, "PostgreSQL")]
#[tokio::test]
async fn owners_see_what_the_operator_has_set(#[case] engine: Engine, #[case] database: &str) {
    let Some(test) = served(engine).await else { return };
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let ana = user(hub, &tenant, "ana@example.tw", Role::Agent).await;
    let at = "/settings/system";
    let mut owner = Browser::signed_in(hub, &tenant.id, &mei).await;
    assert!(owner.get("/settings/people").await.body.contains(at), "it stands in the list");
    let page = owner.get(at).await.body;
    for shown in [
        "http://hub.test<",
        database,
        "TRUNKLINE_ALLOW_PRIVATE_DESTINATIONS",
        "May be reached",
        "127.0.0.0/8, ::1",
        "1 hour",
        "1 MiB",
        "30 days",
        "90 days",
        "300 MiB",
        "LINE cannot reach this hub",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let place = match &hub.config.database {
        crate::db::Url::Sqlite(folder) => folder.display().to_string(),
        crate::db::Url::Postgres(url) => url.clone(),
    };
    let folder = hub.config.data_dir.display().to_string();
    assert!(!page.contains(&place) && !page.contains(&folder) && !page.contains("postgres://"));
    assert!(!page.contains("<form method=\"post\" action=\"/settings/system"), "nothing to be set here");
    let mut agent = Browser::signed_in(hub, &tenant.id, &ana).await;
    assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN);
    assert!(!agent.get("/settings/profile").await.body.contains(at));
    assert_eq!(Browser::new(hub).get(at).await.location(), "/sign-in?next=%2Fsettings%2Fsystem");
    test.close().await;
}

#[tokio::test]
async fn nothing_that_opens_a_door_is_kept_as_it_is() {
    let test = served(Engine::Sqlite).await.unwrap();
    let hub = &test.hub;
    let tenant = tenant(hub, "Tea").await;
    let mei = user(hub, &tenant, "mei@example.tw", Role::Owner).await;
    let session = service::open_session(hub, &tenant.id, &mei).await.unwrap();
    let (_, api_key) = service::create_api_key(hub, &tenant.id, "x", &[], &ACTOR).await.unwrap();
    let link = service::entry_link(hub, &tenant.id, &mei).await.unwrap();
    assert_eq!(access::viewer(hub, &session).await.unwrap().unwrap().0.id, mei);
    test.hub.db.close().await;
    let link = link.rsplit('/').next().unwrap().to_owned();
    for entry in std::fs::read_dir(&hub.config.data_dir).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for secret in [PASSWORD, &session, &api_key, &link] {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "a secret stands in {}", path.display());
        }
    }
    test.close().await;
}

#[test]
fn pages_are_drawn_in_every_language() {
    let person = crate::web::Person {
        name: "林小美".to_owned(),
        email: "mei@example.tw".to_owned(),
        tenant: "山茶屋 <&>".to_owned(),
        language: None,
        time_zone: "Asia/Taipei".to_owned(),
        is_owner: true,
        site_url: Some("https://tea.example".to_owned()),
        support_url: Some("mailto:help@tea.example".to_owned()),
        expires_at: Some(crate::clock::Timestamp(1_767_225_600_000)),
    };
    for language in Language::ALL {
        let ui = Ui::sample(language, Some(person.clone()));
        for (name, html) in pages::samples(&ui) {
            let html = html.unwrap();
            assert!(html.contains(&format!("lang=\"{}\"", language.tag())), "{name}");
            assert!(!html.contains("<script>") && !html.contains("<1>"), "{name}: text is escaped");
            assert!(
                !html.contains("<h1></h1>") && !html.contains("aria-label=\"\""),
                "{name}: words are missing"
            );
        }
    }
}
