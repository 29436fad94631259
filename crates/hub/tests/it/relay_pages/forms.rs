//! What the relay's forms say, and what becomes of a form that is sent twice or late.

use reqwest::Method;
use rstest::rstest;
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
            label(&form, "events", "messageEdited");
        }
        // The word is what a refusal names.
        let key = page_in(&shop, language, &format!("/{id}/key")).await;
        let code = r#"&#32;<code class="tick-code">push</code>"#;
        let told = if language == "en" { push.to_owned() } else { format!("{push}{code}") };
        assert_eq!(label(&key, "scopes", "push"), told, "not twice the same");
    }
    shop.hub.close().await;
}

/// A page's title.
fn title(page: &str) -> &str {
    page.split_once("<title>").unwrap().1.split('<').next().unwrap()
}

#[tokio::test]
async fn titles_name_the_page_and_whose_it_is_and_hints_say_what_this_hub_allows() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let list = shop.page("").await;
    assert!(title(&list).starts_with("Relay · "), "{}", title(&list));
    for (path, words) in [
        ("edit", "Edit · CRM"),
        ("parked", "Put aside · CRM"),
        ("key", "Key to LINE · CRM"),
        ("replay", "Send a time again · CRM"),
    ] {
        let page = shop.page(&format!("/{id}/{path}")).await;
        assert!(title(&page).starts_with(words), "{}", title(&page));
    }
    // Hubs of tests may reach private networks.
    assert!(shop.page("/new").await.contains("http:// is allowed inside your own network"));
    shop.hub.close().await;
}

// What ends something for good asks first.
#[tokio::test]
async fn a_new_secret_of_the_second_signature_asks_first() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let standard = serde_json::json!({ "standard_webhooks": true });
    shop.hub.api().patch(&format!("/destinations/{id}"), standard).await.expect(200);
    let page = shop.page(&format!("/{id}")).await;
    assert!(page.contains("data-opens=\"relay-standard-new\""), "{page}");
    let (_, dialog) = page.split_once("<dialog id=\"relay-standard-new\"").unwrap();
    let dialog = dialog.split("</dialog>").next().unwrap();
    assert!(dialog.contains("name=\"to\" value=\"new\"") && dialog.contains("signs as well"), "{dialog}");
    assert_eq!(page.matches("value=\"new\"").count(), 1, "nowhere else");
    shop.hub.close().await;
}

/// The secret that a page shows, if it does.
fn secret(page: &str) -> Option<&str> {
    page.split_once("id=\"relay-secret-text\"")?.1.split_once('>')?.1.split('<').next()
}

// Loading the page after a form again is a GET of the system's page: it makes nothing, and shows no secret.
#[tokio::test]
async fn loading_again_what_a_form_led_to_makes_nothing() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let fields = [("name", "CRM"), ("url", receiver.url.as_str()), ("active", "1"), ("signing", "own")];
    let made = shop.owner.submit(&shop.at("/new"), &shop.at(""), &fields).await;
    assert!(made.status == 303 && !made.body.contains("relay-secret"), "{}", made.body);
    let to = made.headers["location"].to_str().unwrap().to_owned();
    let other = shop.hub.agent("mei@test.example", &[&shop.account.id]).await;
    assert!(secret(&other.get(&to).await.body).is_none());
    let shown = shop.owner.get(&to).await;
    assert_eq!(secret(&shown.body).unwrap().len(), 32);
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert!(secret(&shop.owner.get(&to).await.body).is_none(), "shown once");
    let id = to.rsplit('/').next().unwrap();
    for (act, fields, mark) in [
        ("secret", [("", "")], "relay-secret-text"),
        ("standard", [("to", "on")], "relay-standard-text"),
        ("standard", [("to", "new")], "relay-standard-text"),
    ] {
        let made = shop.submit(&format!("/{id}/{act}"), &fields).await;
        assert_eq!((made.status.as_u16(), made.headers["location"].to_str().unwrap()), (303, to.as_str()));
        assert!(shop.owner.get(&to).await.body.contains(mark), "{act}");
        assert!(!shop.owner.get(&to).await.body.contains(mark), "{act}: shown once");
    }
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_form_that_was_opened_before_another_persons_change_undoes_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let edit = format!("/{id}/edit");
    let of = |page: &str| {
        let (_, rest) = page.split_once("name=\"of\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let opened = of(&shop.page(&edit).await);
    let send = async |of: &str, name: &str, rate: &str| {
        let url = receiver.url.as_str();
        let fields =
            [("of", of), ("name", name), ("url", url), ("active", "1"), ("signing", "line"), ("rate", rate)];
        shop.submit(&edit, &fields).await
    };
    assert_eq!(send(&opened, "訂單", "").await.status, 303);
    let late = send(&opened, "CRM 2", "7").await;
    assert_eq!(late.status, 409);
    assert!(late.body.contains("value=\"CRM 2\"") && late.body.contains(">訂單</dd>"), "{}", late.body);
    assert_eq!(shop.look(&id).await["name"], "訂單", "nothing was undone");
    // What is wrong with a late form does not make it a new one.
    let wrong = send(&opened, "CRM 2", "many").await;
    assert_eq!((wrong.status.as_u16(), of(&wrong.body)), (422, opened));
    assert_eq!(send(&of(&late.body), "CRM 2", "7").await.status, 303, "who has seen it may overwrite it");
    assert_eq!(shop.look(&id).await["name"], "CRM 2");
    shop.hub.close().await;
}
