//! What people decide about an account, on both databases.

use std::time::Duration;

use rstest::rstest;

use super::{Changes, LABEL_MAX, blocks, change, copied, copy};
use crate::accounts::model::{
    Account, AnswerKind, Block, Environment, GroupChats, Market, OaKind, Owner, Plan, SenderName, Tick,
};
use crate::accounts::plan::{self, Switch, SwitchState};
use crate::accounts::{service, testing};
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::ids::{AccountId, TenantId};
use crate::scope::Scope;
use crate::team::{self, Actor};

const ACTOR: Actor = Actor::System("林美玲");

struct World {
    test: TestHub,
    tenant: TenantId,
    id: AccountId,
}

impl World {
    async fn new(engine: Engine) -> Option<Self> {
        let test = TestHub::new(engine).await?;
        let tenant = tenant(&test, "三杯茶").await;
        let id = testing::connected(&test.hub, &tenant, "1656000001").await.id.clone();
        Some(Self { test, tenant, id })
    }

    fn scope(&self) -> Scope {
        Scope::tenant_wide(self.tenant.clone())
    }

    async fn change(&self, changes: Changes) -> Account {
        change(&self.test.hub, (&self.scope(), &ACTOR), &self.id, &changes).await.unwrap()
    }
}

async fn tenant(test: &TestHub, name: &str) -> TenantId {
    team::service::create_tenant(&test.hub, name, None, &ACTOR).await.unwrap().id
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn every_setting_is_kept_and_the_others_stay(#[case] engine: Engine) {
    // S2-16, S1-20, S0-15
    let Some(world) = World::new(engine).await else { return };
    let before = service::get(&world.test.hub, &world.scope(), &world.id).await.unwrap();
    assert_eq!((before.plan, before.group_chats), (Plan::A, GroupChats::Shown));
    assert_eq!((before.name(), before.connected_by.as_deref()), ("三杯茶", Some("test")));
    let label = |text: &str| Changes { display_label: Some(Some(text.to_owned())), ..Changes::default() };
    assert_eq!(world.change(label("  本店 ")).await.name(), "本店");
    let all = Changes {
        environment: Some(Environment::Live),
        kind: Some(Some(OaKind::Verified)),
        market: Some(Some(Market::Tw)),
        group_chats: Some(GroupChats::Hidden),
        sender_name: Some(SenderName::Agent),
        plan: Some(Plan::B),
        owners: vec![(AnswerKind::Greeting, Owner::Line), (AnswerKind::Bot, Owner::Nobody)],
        ..Changes::default()
    };
    let after = world.change(all).await;
    assert_eq!(
        (after.environment, after.kind(), after.market()),
        (Environment::Live, Some(OaKind::Verified), Some(Market::Tw))
    );
    assert_eq!(
        (after.group_chats, after.sender_name, after.plan),
        (GroupChats::Hidden, SenderName::Agent, Plan::B)
    );
    assert_eq!(after.name(), "本店");
    assert_eq!((after.kind_by.as_deref(), after.kind_at), (Some("林美玲"), Some(world.test.hub.now())));
    let owners: Vec<Owner> = plan::owners(&after).iter().map(|(_, owner)| *owner).collect();
    assert_eq!(owners, [Owner::Line, Owner::Hub, Owner::Hub, Owner::Nobody]);
    // S1-33: the hub speaks only where it owns.
    assert!(
        plan::hub_answers(&after, AnswerKind::Keyword) && !plan::hub_answers(&after, AnswerKind::Greeting)
    );
    assert!(!plan::hub_answers(&after, AnswerKind::Bot));
    let none =
        Changes { display_label: Some(None), kind: Some(None), market: Some(None), ..Changes::default() };
    let after = world.change(none).await;
    assert_eq!((after.name(), after.kind(), after.kind_at, after.market()), ("三杯茶", None, None, None));
    assert_eq!(after.plan, Plan::B);
    let long = label(&"長".repeat(LABEL_MAX + 1));
    let refused = change(&world.test.hub, (&world.scope(), &ACTOR), &world.id, &long).await.unwrap_err();
    assert_eq!((refused.fields[0].field.as_str(), refused.fields[0].code), ("display_label", "too_long"));
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn each_block_tells_who_changed_it_last(#[case] engine: Engine) {
    // S4-10
    let Some(world) = World::new(engine).await else { return };
    let known = async || blocks(&world.test.hub, &world.scope(), &world.id).await.unwrap();
    assert_eq!(known().await, []);
    world.test.clock.advance(Duration::from_secs(61));
    let at = world.test.hub.now();
    world.change(Changes { plan: Some(Plan::B), ..Changes::default() }).await;
    let changed = known().await;
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].block, changed[0].at, changed[0].by.as_str()), (Block::Answers, at, "林美玲"));
    world.change(Changes { environment: Some(Environment::Live), ..Changes::default() }).await;
    assert_eq!(
        known().await.iter().map(|one| one.block).collect::<Vec<_>>(),
        [Block::Account, Block::Answers]
    );
    // Nothing to change is nobody's change.
    world.test.clock.advance(Duration::from_secs(1));
    let account = world.change(Changes::default()).await;
    assert_eq!(account.updated_at, at);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_tick_has_a_date_and_grows_old(#[case] engine: Engine) {
    // S1-32, S1-35
    let Some(world) = World::new(engine).await else { return };
    let hub = &world.test.hub;
    let tick = |is_set| Changes { ticks: vec![(Tick::Redelivery, is_set)], ..Changes::default() };
    world.change(tick(true)).await;
    let ticks = plan::ticks(hub, &world.scope(), &world.id).await.unwrap();
    assert_eq!((ticks[0].tick, ticks[0].by.as_str(), ticks[0].at), (Tick::Redelivery, "林美玲", hub.now()));
    let account = service::get(hub, &world.scope(), &world.id).await.unwrap();
    let state = |ticks: &[plan::Ticked]| {
        let switches = plan::switches(&account, ticks, world.test.hub.now());
        switches.into_iter().find(|(switch, _)| *switch == Switch::Declared(Tick::Redelivery)).unwrap().1
    };
    assert!(matches!(state(&ticks), SwitchState::Ticked(_)));
    world.test.clock.advance(plan::STALE_AFTER + Duration::from_secs(1));
    assert!(matches!(state(&ticks), SwitchState::Stale(_)));
    // Looked at again, it is new; taken away, it is gone.
    world.change(tick(true)).await;
    let again = plan::ticks(hub, &world.scope(), &world.id).await.unwrap();
    assert!(matches!(state(&again), SwitchState::Ticked(_)) && again.len() == 1);
    world.change(tick(false)).await;
    assert_eq!(state(&plan::ticks(hub, &world.scope(), &world.id).await.unwrap()), SwitchState::Open);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn another_tenant_sees_and_changes_nothing(#[case] engine: Engine) {
    let Some(world) = World::new(engine).await else { return };
    let hub = &world.test.hub;
    world.change(Changes { ticks: vec![(Tick::Redelivery, true)], ..Changes::default() }).await;
    let stranger = Scope::tenant_wide(tenant(&world.test, "別家").await);
    let ungranted = Scope::agent(world.tenant.clone(), hub.id());
    let other = testing::connected(hub, &world.tenant, "1656000002").await.id.clone();
    for scope in [&stranger, &ungranted] {
        assert_eq!(plan::ticks(hub, scope, &world.id).await.unwrap(), []);
        assert_eq!(blocks(hub, scope, &world.id).await.unwrap(), []);
        assert!(super::all_ticks(hub, scope).await.unwrap().is_empty());
        let changes = Changes { plan: Some(Plan::B), ..Changes::default() };
        let refused = change(hub, (scope, &ACTOR), &world.id, &changes).await.unwrap_err();
        assert_eq!(refused.code, "not_found");
        for (from, to) in [(&world.id, &other), (&other, &world.id)] {
            assert_eq!(copy(hub, (scope, &ACTOR), from, to).await.unwrap_err().code, "not_found");
        }
        assert!(service::public_url_moves(hub, scope).await.unwrap().is_empty());
    }
    assert_eq!(service::get(hub, &world.scope(), &world.id).await.unwrap().plan, Plan::A);
    world.test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn copying_shows_what_changes_and_leaves_what_is_the_accounts_own(#[case] engine: Engine) {
    // S2-07
    let Some(world) = World::new(engine).await else { return };
    let hub = &world.test.hub;
    let live = testing::connected(hub, &world.tenant, "1656000002").await.id.clone();
    let from = world
        .change(Changes {
            display_label: Some(Some("測試".to_owned())),
            kind: Some(Some(OaKind::Premium)),
            market: Some(Some(Market::Jp)),
            group_chats: Some(GroupChats::Hidden),
            plan: Some(Plan::B),
            owners: vec![(AnswerKind::Away, Owner::Line)],
            ticks: vec![(Tick::Redelivery, true)],
            ..Changes::default()
        })
        .await;
    let to = service::get(hub, &world.scope(), &live).await.unwrap();
    let shown: Vec<&str> = copied(&from, &to).iter().map(|change| change.setting).collect();
    assert_eq!(shown, ["accounts-market", "accounts-groups", "plan-choice", "plan-kind-away"]);
    let after = copy(hub, (&world.scope(), &ACTOR), &world.id, &live).await.unwrap();
    assert_eq!(copied(&from, &after), []);
    assert_eq!((after.plan, after.away_owner, after.market()), (Plan::B, Owner::Line, Some(Market::Jp)));
    assert_eq!((after.name(), after.kind(), after.environment), ("三杯茶", None, Environment::Test));
    assert_eq!(plan::ticks(hub, &world.scope(), &live).await.unwrap(), []);
    world.test.close().await;
}

#[tokio::test]
async fn the_plan_asks_for_its_switches_and_compares_what_line_reports() {
    // S1-31, S1-32, S1-33
    let Some(world) = World::new(Engine::Sqlite).await else { return };
    let asked = |account: &Account| {
        let switches = plan::switches(account, &[], world.test.hub.now());
        switches.into_iter().map(|(switch, state)| (switch.as_str(), state)).collect::<Vec<_>>()
    };
    let names = |account: &Account| asked(account).iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let mut account = service::get(&world.test.hub, &world.scope(), &world.id).await.unwrap();
    account.chat_mode = "bot".to_owned();
    account.endpoint_active = Some(true);
    let common = ["group_chats", "redelivery", "error_statistics"];
    assert_eq!(
        names(&account),
        [&["chat_off", "webhook_on", "greeting_off", "auto_reply_off"][..], &common].concat()
    );
    assert_eq!((&asked(&account)[0].1, &asked(&account)[1].1), (&SwitchState::Right, &SwitchState::Right));
    account.chat_mode = "chat".to_owned();
    account.endpoint_active = Some(false);
    assert_eq!((&asked(&account)[0].1, &asked(&account)[1].1), (&SwitchState::Wrong, &SwitchState::Wrong));
    account.plan = Plan::B;
    let five = ["chat_on", "webhook_on", "greeting_off", "response_hours_off", "response_manual"];
    assert_eq!(names(&account), [&five[..], &["read_by_hand", "auto_reply_off"], &common].concat());
    assert_eq!(asked(&account)[0].1, SwitchState::Right);
    // What LINE owns keeps its switch.
    (account.greeting_owner, account.bot_owner) = (Owner::Line, Owner::Line);
    let names = names(&account);
    assert!(!names.contains(&"greeting_off") && !names.contains(&"auto_reply_off"), "{names:?}");
    world.test.close().await;
}
