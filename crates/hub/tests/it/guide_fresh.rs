//! The guided set-up on a fresh hub: what is offered, what is kept, and how open set-ups are told apart.

use rstest::rstest;
use serde_json::json;
use testkit::{Engine, TestHub};

use super::guide::{LIST, NEW, begin};

// S1-12: what LINE keeps for good is never the name that a fresh hub gives itself.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_name_that_nobody_gave_is_not_offered_for_lines_forms(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let owner = hub.owner().await;
    let root = begin(&owner, "nothing").await;
    let create = owner.get(&format!("{root}/create")).await.body;
    assert!(
        !create.contains("id=\"company-name\"") && !create.contains("id=\"company-country\""),
        "{create}"
    );
    assert!(
        create.contains("None has been entered here yet") && create.contains("href=\"/settings/company\"")
    );
    let enable = owner.get(&format!("{root}/enable")).await.body;
    assert!(
        !enable.contains("value=\"default\"") && enable.contains("href=\"/settings/company\""),
        "{enable}"
    );
    assert!(!owner.get("/settings/company").await.body.contains("value=\"default\""));
    // As one of the set-ups that were begun with that name.
    let agree = format!("{root}/agree");
    let fields = [("provider", "default"), ("kind", "new")];
    assert_eq!(owner.submit(&format!("{root}/enable"), &agree, &fields).await.status, 303);
    let enable = owner.get(&format!("{root}/enable")).await.body;
    assert!(
        enable.contains("the Provider that you choose") && !enable.contains("id=\"provider-name\""),
        "{enable}"
    );
    let said = json!({ "name": "小森茶行", "country": "TW" });
    let _ = hub.api().patch("/company", said).await.expect(200);
    let create = owner.get(&format!("{root}/create")).await.body;
    assert!(create.contains("id=\"company-name\"") && create.contains("id=\"company-country\""), "{create}");
    assert!(
        !create.contains("href=\"/settings/company\" class") && !create.contains("None has been entered")
    );
    let other = begin(&owner, "account").await;
    assert!(owner.get(&format!("{other}/enable")).await.body.contains("value=\"小森茶行\""));
    hub.close().await;
}

#[tokio::test]
async fn open_set_ups_are_told_apart_below_the_accounts() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let (account, channel) = (hub.connect_account().await, hub.channel("四杯茶").await);
    let _ = begin(&owner, "account").await;
    let (id, secret) = (channel["channelId"].as_str().unwrap(), channel["channelSecret"].as_str().unwrap());
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": false })).await;
    let form = [("channel_id", id), ("channel_secret", secret), ("set_webhook", "1"), ("has", "api")];
    assert_eq!(owner.submit(NEW, NEW, &form).await.status, 303);
    let list = owner.get(LIST).await.body;
    let (accounts, open) = list.split_once("guide-open-title").expect("set-ups are offered");
    assert!(accounts.contains(&account.id), "the accounts come first: {list}");
    let line_id = channel["basicId"].as_str().unwrap();
    assert!(open.contains(&format!("{line_id} · Channel {id}")), "{open}");
    assert_eq!(open.matches("Begun").count(), 2, "{open}");
    hub.close().await;
}

// S0-23: a secret that was pasted into the wrong field is neither shown again nor kept.
#[tokio::test]
async fn a_secret_in_the_wrong_field_is_not_kept() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let secret = "8436631985e92e8b5d34de04733d0a15";
    let form =
        [("has", "api"), ("channel_id", secret), ("channel_secret", "2013153393"), ("set_webhook", "1")];
    let refused = owner.submit(&format!("{NEW}?has=api"), NEW, &form).await;
    assert!(refused.status == 422 && !refused.body.contains(secret), "{}", refused.body);
    let list = owner.get(LIST).await.body;
    assert!(list.contains("/settings/accounts/setups/") && !list.contains(secret), "{list}");
    hub.close().await;
}
