//! Every finding that a check can make has its words, in all four languages; and the alerts about the machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::checks::tests::good;
use super::model::{Code, Finding, Reader, State};
use super::service::{ALERTS, Run, examine, report};
use super::{Kept, repo, system};
use crate::accounts::service::Deadline;
use crate::accounts::testing;
use crate::alerts::{self, Severity};
use crate::app::testing::{START, TestHub};
use crate::db::testing::Engine;
use crate::db::{Durability, Sql};
use crate::scope::Scope;
use crate::team::{self, Actor};
use crate::web::i18n::Language;

/// The variants in the sources: the text that follows a state.
fn variants() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("use_webhook", vec!["on", "off", "left", "no-address", "any-silent", "any-refused", "any-later"]),
        ("endpoint", vec!["ours", "elsewhere", "left", "left-empty", "missing"]),
        ("webhook_test", vec!["passed", "tls", "connect", "timeout", "status", "other", "never"]),
        ("token", vec!["issued", "pasted", "refused", "pasted-refused"]),
        ("chat_mode", vec!["a-off", "a-on", "b-off", "b-on", "b-auto"]),
        ("redelivery", vec!["ticked", "stale", "not-ticked"]),
        ("signature", vec!["fine", "waiting", "lately"]),
        ("quota", vec!["fine", "near", "at-hand", "used-up", "unlimited"]),
        ("last_event", vec!["explained", "learning", "strange", "never", "left", "oversized"]),
        (
            "public_url",
            vec![
                "reached",
                "loopback",
                "not-https",
                "own-network",
                "other-answers",
                "name",
                "not-reached",
                "see-certificate",
            ],
        ),
        (
            "certificate",
            vec![
                "fine",
                "trusted",
                "soon",
                "late",
                "expired",
                "chain",
                "other-name",
                "handshake",
                "loopback",
                "not-https",
                "not-reached",
            ],
        ),
        ("login_channel", vec!["not-set", "ok", "refused", "no-secret", "line-silent"]),
        (
            "liff",
            vec![
                "not-set",
                "ok",
                "missing",
                "endpoint",
                "view",
                "bot-prompt",
                "scopes",
                "twins",
                "full",
                "refused",
                "no-secret",
                "line-silent",
            ],
        ),
        ("provider_match", vec!["not-set", "same", "other", "unknown"]),
        ("group_chats", vec!["ticked", "stale", "not-ticked"]),
        ("greeting_owner", vec!["line", "line-off", "off", "stale", "twice", "unasked"]),
        ("clock", vec!["right", "off", "far-off", "unread"]),
        ("storage", vec!["fine", "kept", "weak", "low", "full", "silent"]),
        ("line_api", vec!["reached", "slow", "name", "tls", "silent"]),
        ("line_data", vec!["reached"]),
        ("line_access", vec!["reached"]),
        ("data_dir", vec!["writable", "not-writable"]),
        ("master_key", vec!["environment", "closed", "open", "missing"]),
    ])
}

#[test]
fn every_finding_has_words_in_every_language() {
    let variants = variants();
    for code in Code::ALL {
        for variant in &variants[code.as_str()] {
            let mut finding = Finding::new(*code, State::Failed, variant, START);
            for name in [
                "address", "detail", "reason", "by", "engine", "name", "value", "host", "path", "mode",
                "channel", "checked",
            ] {
                finding = finding.with(name, "x");
            }
            for name in [
                "status", "count", "used", "limit", "left", "percent", "hours", "expected", "days",
                "seconds", "free", "ms",
            ] {
                finding = finding.with(name, 3);
            }
            let finding = finding.with("at", START).with("until", START);
            for language in Language::ALL {
                let reader = Reader { language, zone: None, now: START };
                for words in [finding.name(language), finding.title(reader), finding.detail(reader)] {
                    assert!(!words.is_empty(), "{} {variant} in {}", code.as_str(), language.tag());
                }
            }
        }
    }
}

// The other rows of ALERTS are provoked at LINE (`every_condition_opens_its_alert_and_no_other`).
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn each_trouble_of_the_machine_opens_its_alert_and_no_other(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let tenant = team::service::create_tenant(hub, "shop", None, &Actor::System("test")).await.unwrap().id;
    let account = testing::connected(hub, &tenant, "1656000000").await;
    let days = |days: u64| Some(START.plus(Duration::from_secs(days * 24 * 3600 + 5)));
    let certificate = |left| {
        system::days(START, days(left), |state, variant| {
            Finding::new(Code::Certificate, state, variant, START)
        })
    };
    let well = || Durability { settings: Vec::new(), weak: None };
    let disk = |free| system::kept(START, false, Ok([well(), well()]), Some(free));
    let clock = |date: &str| system::clock(START, Some(date));
    let rows = [
        ("certificate", certificate(20), certificate(6), certificate(60)),
        (
            "clock",
            clock("Thu, 01 Jan 2026 00:01:00 GMT"),
            clock("Thu, 01 Jan 2026 00:10:00 GMT"),
            clock("Thu, 01 Jan 2026 00:00:01 GMT"),
        ),
        ("storage", disk(1000), disk(100), disk(50_000)),
    ];
    let machine = ALERTS.iter().filter(|(code, ..)| Code::SYSTEM.contains(code)).map(|(.., alert)| *alert);
    assert_eq!(machine.collect::<Vec<_>>(), rows.each_ref().map(|row| row.0));
    let after = async |finding: &Finding| {
        let kept = [Kept::after(None, finding.clone())];
        report(hub, &account, &good(), &kept).await.unwrap();
        let open = alerts::service::open_alerts(hub, &Scope::tenant_wide(tenant.clone())).await.unwrap();
        open.into_iter().map(|alert| (alert.code, alert.severity)).collect::<Vec<_>>()
    };
    for (alert, bad, worse, over) in rows {
        assert_eq!(after(&bad).await, [(alert.to_owned(), Severity::Warning)], "{bad:?}");
        assert_eq!(after(&worse).await, [(alert.to_owned(), Severity::Failed)], "{worse:?}");
        assert_eq!(after(&over).await, [], "{over:?}");
    }
    test.close().await;
}

// CONTRACT section 1: whoever waits for another's examination waits no longer than for LINE.
#[tokio::test]
async fn an_examination_waits_for_no_other_beyond_its_deadline() {
    let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
    let hub = &test.hub;
    let actor = Actor::System("test");
    let tenant = team::service::create_tenant(hub, "shop", None, &actor).await.unwrap().id;
    let account = testing::connected(hub, &tenant, "1656000000").await;
    let run = Arc::new(Run::default());
    hub.accounts.doctor.runs.lock().unwrap().insert(account.id.clone(), Arc::clone(&run));
    let held = run.lock().await;
    let examined = Box::pin(examine(hub, &account, Deadline::over()));
    let examined = tokio::time::timeout(Duration::from_secs(8), examined).await.unwrap().unwrap();
    assert!(!examined.is_answered);
    drop(held);
    test.close().await;
}

// What the database does not tell is not taken for "not set up", which would end alerts.
#[tokio::test]
async fn a_login_channel_that_cannot_be_read_is_no_missing_one() {
    const GONE: &str = "ALTER TABLE login_channels RENAME TO gone";
    let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
    let hub = &test.hub;
    let actor = Actor::System("test");
    let tenant = team::service::create_tenant(hub, "shop", None, &actor).await.unwrap().id;
    let account = testing::connected(hub, &tenant, "1656000000").await;
    let mut tx = hub.db.begin().await.unwrap();
    tx.run(&Sql { sqlite: GONE, postgres: GONE }, crate::args![]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(Box::pin(examine(hub, &account, Deadline::over())).await.is_err());
    assert_eq!(repo::kept(&hub.db, &tenant, &account.id).await.unwrap(), []);
    test.close().await;
}
