//! What the relay's forms say, and what becomes of a form that is sent twice or late.

use reqwest::Method;
use testkit::{Engine, Receiver};

use super::Shop;

/// A page in a language.
async fn page_in(shop: &Shop, language: &str, path: &str) -> String {
    let request = shop.owner.request(Method::GET, &shop.at(path)).header("accept-language", language);
    request.send().await.unwrap().text().await.unwrap()
}

/// What stands beside a box to tick.
fn label(page: &str, field: &str, value: &str) -> String {
    let input = format!("name=\"{field}\" value=\"{value}\"");
    let (_, rest) = page.split_once(&input).unwrap_or_else(|| panic!("no {field} {value}: {page}"));
    let (_, text) = rest.split_once("<span class=\"tick-text\"><span>").unwrap();
    text.split("</span>").next().unwrap().to_owned()
}

#[tokio::test]
async fn boxes_to_tick_say_what_they_choose() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    for (language, message, group, push) in [
        ("en", "Message", "Group", "Push"),
        ("zh-TW", "訊息", "群組", "推播"),
        ("ja", "メッセージ", "グループ", "プッシュ"),
        ("th", "ข้อความ", "กลุ่ม", "พุช"),
    ] {
        for form in ["/new", &format!("/{id}/edit")] {
            let form = page_in(&shop, language, form).await;
            assert_eq!(label(&form, "events", "message"), message);
            assert_eq!(label(&form, "sources", "group"), group);
        }
        // The word is what a refusal names.
        let key = page_in(&shop, language, &format!("/{id}/key")).await;
        assert_eq!(label(&key, "scopes", "push"), format!("{push}&#32;<code>push</code>"));
    }
    shop.hub.close().await;
}
