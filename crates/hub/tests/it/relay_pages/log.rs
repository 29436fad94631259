//! What the log and the list of what was put aside tell: who, what, how often; and what is no longer there.

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come};

/// The rows of a list, each from its beginning.
fn rows(page: &str) -> Vec<&str> {
    page.split("<li class=\"relay-attempt").skip(1).map(|row| row.split("</li>").next().unwrap()).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_log_says_who_and_what_and_is_searched(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let lin = shop.hub.line_user("Lin").await;
    lin.follows(&shop.account).await;
    shop.friend.says(&shop.account, "Where is my tea?").await;
    come(&receiver, 2).await;
    receiver.answers(StatusCode::BAD_REQUEST, "");
    let sticker = json!({ "type": "sticker", "packageId": "446", "stickerId": "1988" });
    lin.sends(&shop.account, sticker).await;
    shop.until(&id, |now| now["parked"] == 1 && now["last_day"]["delivered"] == 2).await;
    let mut page = shop.page(&format!("/{id}")).await;
    for _ in 0..50 {
        // Names come from LINE a little later.
        if rows(&page).len() == 3 && page.contains("Mei&#32;") && page.contains("Lin&#32;") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        page = shop.page(&format!("/{id}")).await;
    }
    let all = rows(&page);
    assert!(all[0].contains("Lin&#32;") && all[0].contains(">Sticker<"), "{}", all[0]);
    assert!(all[1].contains("Mei&#32;") && all[1].contains("Where is my tea?"), "{}", all[1]);
    assert!(all[2].contains("Lin&#32;") && all[2].contains(">Friend added<"), "{}", all[2]);
    assert!(!page.contains("try 1"), "only a repeat says which try it is");
    let found = async |query: &str| {
        let page = shop.page(&format!("/{id}?{query}")).await;
        rows(&page).len()
    };
    let delivery = shop.attempts(&id).await[0]["delivery_id"].as_str().unwrap().to_owned();
    for (query, count) in [
        ("q=lin", 2),
        ("q=Mei", 1),
        ("q=nobody", 0),
        ("q=lin&outcome=delivered", 1),
        ("outcome=refused", 1),
        ("outcome=broken", 0),
        ("outcome=silent", 0),
        ("outcome=failed", 1),
        ("outcome=strange", 3),
        (&format!("q={delivery}"), 1),
    ] {
        assert_eq!(found(query).await, count, "{query}");
    }
    // An attempt leads to the conversation; sent again it says so.
    let attempt = shop.attempts(&id).await[0]["id"].as_str().unwrap().to_owned();
    let opened = shop.page(&format!("/{id}/attempts/{attempt}")).await;
    assert!(opened.contains("href=\"/inbox/cnv_") && opened.contains(">Lin</a>"), "{opened}");
    receiver.answers(StatusCode::OK, "");
    assert_eq!(shop.submit(&format!("/{id}/again"), &[("attempt", &attempt)]).await.status, 303);
    come(&receiver, 4).await;
    shop.until(&id, |now| now["last_day"]["delivered"] == 3).await;
    let page = shop.page(&format!("/{id}")).await;
    assert!(rows(&page)[0].contains(">Sent again<") && !rows(&page)[1].contains(">Sent again<"), "{page}");
    // An attempt that the log no longer has leads back.
    let gone = shop.owner.get(&shop.at(&format!("/{id}/attempts/att_01ARZ3NDEKTSV4RRFFQ69G5FAV"))).await;
    assert!(gone.status == 404 && gone.body.contains(&format!("href=\"{}\"", shop.at(&format!("/{id}")))));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_put_aside_says_what_it_is_opens_and_is_dismissed(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let list = format!("/{id}/parked");
    receiver.answers(StatusCode::SERVICE_UNAVAILABLE, "");
    shop.friend.says(&shop.account, "first").await;
    shop.friend.says(&shop.account, "behind it").await;
    shop.until(&id, |now| now["retrying"] == 2).await;
    assert_eq!(shop.submit(&format!("/{id}/skip"), &[]).await.status, 303);
    shop.until(&id, |now| now["retrying"] == 0).await;
    receiver.answers(StatusCode::BAD_REQUEST, "no");
    shop.friend.says(&shop.account, "third").await;
    shop.until(&id, |now| now["parked"] == 1).await;
    let page = shop.page(&list).await;
    assert_eq!(rows(&page).len(), 3);
    assert!(page.contains("Refused or expired: 1. Skipped: 2."), "{page}");
    assert!(
        page.contains("first") && page.contains("Try 1 again") && page.contains("The 2 that were skipped")
    );
    let unit = |row: &str| {
        let (_, rest) = row.split_once("name=\"delivery\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let units: Vec<_> = rows(&page).into_iter().map(unit).collect();
    for (unit, words) in units.iter().zip(["first", "behind it", "third"]) {
        let opened = shop.page(&format!("{list}/{unit}")).await;
        assert!(opened.contains(words) && opened.contains(&format!("value=\"{unit}\"")), "{opened}");
    }
    assert!(shop.page(&format!("{list}/{}", units[1])).await.contains("Never tried"));
    // Dismissing is for good, so it asks first; the question stands in the form of what was chosen.
    let form = page.split_once("<ol class=\"relay-attempts\">").unwrap().1.split("</form>").next().unwrap();
    let (_, dialog) = form.split_once("<dialog id=\"relay-dismiss\"").unwrap();
    assert!(form.contains("data-opens=\"relay-dismiss\"") && dialog.contains("value=\"dismiss\""), "{form}");
    assert_eq!(page.matches("value=\"dismiss\"").count(), 1);
    let chosen = [("act", "dismiss"), ("delivery", &units[0]), ("delivery", &units[2])];
    assert_eq!(shop.submit(&list, &chosen).await.status, 303);
    let page = shop.page(&list).await;
    assert_eq!(rows(&page).len(), 1);
    assert_eq!((&shop.look(&id).await["parked"], receiver.received().len() > 1), (&json!(0), true));
    let audit = shop.owner.get("/settings/audit-log").await.body;
    assert!(audit.contains("Dismissed what was put aside") && audit.contains("count: 2"), "{audit}");
    assert!(audit.contains("CRM") && !audit.contains(&id), "by its name: {audit}");
    // Whoever still has the old list open is told.
    let late = shop.submit(&list, &[("delivery", &units[2])]).await;
    assert!(late.headers["location"].to_str().unwrap().ends_with("?notice=meanwhile"));
    assert_eq!(shop.owner.get(&shop.at(&format!("{list}/{}", units[2]))).await.status, 404);
    shop.hub.close().await;
}

#[tokio::test]
async fn a_system_that_was_deleted_leads_back_to_the_list() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let here = format!("/{id}");
    assert_eq!(shop.submit(&format!("{here}/delete"), &[]).await.status, 303);
    let list = format!("href=\"{}\"", shop.at(""));
    for path in ["", "/edit", "/parked", "/replay"] {
        let gone = shop.owner.get(&shop.at(&format!("{here}{path}"))).await;
        assert!(gone.status == 404 && gone.body.contains(&list), "{path}: {}", gone.body);
        assert!(gone.body.contains("<h1>No such relay system</h1>"), "{path}: {}", gone.body);
    }
    // By its id alone nobody knows the account.
    for id in [id.as_str(), "dst_nothing"] {
        let gone = shop.owner.get(&format!("/destinations/{id}")).await;
        assert!(gone.status == 404 && gone.body.contains("No such relay system"), "{}", gone.body);
        assert!(gone.body.contains("href=\"/settings/accounts\""), "{}", gone.body);
    }
    let tested = shop.submit(&format!("{here}/test"), &[]).await;
    assert!(tested.status == 404 && tested.body.contains(&list), "{}", tested.body);
    // A page that is open loads itself anew, and says so.
    let part = shop.owner.request(Method::GET, &shop.at(&format!("{here}?part=log")));
    let address = format!("http://hub.example{}", shop.at(&here));
    let part = part.header("hx-request", "true").header("hx-current-url", address).send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), part.headers()["hx-redirect"].to_str().unwrap()),
        (404, shop.at(&here).as_str())
    );
    let stranger = shop.hub.agent("new@test.example", &[]).await;
    assert!(!stranger.get(&shop.at(&here)).await.body.contains(&list));
    shop.hub.close().await;
}
