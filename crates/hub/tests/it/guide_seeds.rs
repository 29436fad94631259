//! What the guide has to show, item by item, in the four languages: where, and which words, links or drawings.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::json;
use testkit::{Browser, TestHub};

const LANGUAGES: [(&str, &str); 4] = [("en", "en"), ("zh-Hant", "zh-TW"), ("ja", "ja"), ("th", "th")];

const CONSOLE: &str = "https://developers.line.biz/console/";
const MANAGER: &str = "https://manager.line.biz/";
/// A drawing with a text in its place.
const DRAWN: &str = "role=\"img\" aria-label=\"";

/// Items, the page, the part of it (an id; the whole page where it is empty), and what has to stand there: keys of words, or
/// text as it is.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const SEEDS: &[Row] = &[
    (
        "S0-04",
        "enable",
        "guide-stages",
        &[
            "guide-stage-create",
            "guide-stage-enable",
            "guide-stage-connect",
            "guide-stage-webhook",
            "guide-state-done",
            "guide-state-now",
            "guide-state-todo",
        ],
    ),
    (
        "S0-12 S1-02",
        "start",
        "",
        &["guide-question", "guide-has-nothing", "guide-has-account", "guide-has-api", "guide-has-login"],
    ),
    (
        "S1-03",
        "create",
        "step-sign-in",
        &["guide-open-entry", "https://account.line.biz/signup?redirectUri=", "guide-open-business"],
    ),
    (
        "S1-04 S3-10",
        "create",
        "step-sign-in",
        &[
            "guide-line-login-line",
            "guide-sign-in-line",
            "guide-line-login-business",
            "guide-sign-in-business",
            DRAWN,
        ],
    ),
    (
        "S0-13 S0-14",
        "create",
        "",
        &[
            "guide-prepare",
            "guide-prepare-mail",
            "guide-prepare-name",
            "guide-prepare-company",
            "guide-prepare-industry",
            "guide-market-taiwan",
        ],
    ),
    (
        "S1-05 S4-16",
        "create",
        "step-form",
        &[
            "guide-form",
            "guide-form-detail",
            "guide-form-send",
            "https://entry.line.biz/form/entry/unverified",
            DRAWN,
        ],
    ),
    ("S2-12 S2-13", "create", "step-form", &["guide-form-names"]),
    ("S0-15 S0-16", "create", "step-later", &["guide-line-verify-later", "guide-later-detail", DRAWN]),
    (
        "S1-06 S4-16",
        "create",
        "step-later",
        &[
            "guide-manager-first",
            "href=\"https://manager.line.biz/\"",
            "guide-manager-again",
            "href=\"https://account.line.biz/login?redirectUri=https%3A%2F%2Fmanager.line.biz%2F\"",
        ],
    ),
    (
        "S0-06 S0-07 S4-26",
        "once",
        "step-agree",
        &["guide-once", "guide-once-provider", "guide-once-provider-detail"],
    ),
    ("S1-09", "once", "step-agree", &["guide-once-channel", "guide-once-channel-detail"]),
    ("S1-10", "once", "step-agree", &["guide-once-admin", "guide-once-admin-detail"]),
    (
        "S0-19 S4-20",
        "once",
        "step-agree",
        &[
            "guide-provider-which",
            "guide-provider-is-new",
            "guide-provider-is-existing",
            "guide-provider-is-login",
        ],
    ),
    ("S1-12 S3-13", "once", "step-agree", &["guide-provider-hint", "value=\"三杯茶股份有限公司\""]),
    (
        "S0-17 S1-08 S3-11 S3-12",
        "enable",
        "step-enable",
        &["guide-line-enable", "guide-enable-where", MANAGER, DRAWN],
    ),
    ("S1-07", "enable", "step-enable", &["guide-enable-several"]),
    (
        "S0-19 S2-04 S4-20",
        "enable",
        "step-provider",
        &["guide-provider-new", "三杯茶股份有限公司", "data-copies=\"provider-name\"", DRAWN],
    ),
    ("S1-13", "enable", "step-provider", &["guide-provider-terms"]),
    (
        "S0-20 S1-14 S2-14 S3-14",
        "enable",
        "step-policy",
        &[
            "web-field-optional",
            "guide-policy-detail",
            "data-copies=\"company-privacy\"",
            "data-copies=\"company-terms\"",
            DRAWN,
        ],
    ),
    ("S1-15 S2-15 S3-15", "enable", "step-in-use", &["guide-line-in-use", "guide-in-use-detail", DRAWN]),
    ("S2-03 S1-18", "connect", "", &["guide-where-console", CONSOLE]),
    ("S0-21 S1-18", "connect", "", &["guide-where-provider", DRAWN]),
    (
        "S0-22 S0-23 S3-16",
        "connect",
        "",
        &[
            "accounts-channel-id",
            "accounts-channel-secret",
            "guide-where-tab",
            "name=\"channel_id\"",
            "name=\"channel_secret\"",
        ],
    ),
    (
        "S1-16 S1-20 S1-22",
        "connect",
        "",
        &[
            "guide-values",
            "guide-values-name",
            "accounts-access-token",
            "accounts-line-id",
            "guide-values-needed",
            "guide-values-fetched",
        ],
    ),
    ("S1-17", "connect", "", &["guide-where-manager", "guide-where-manager-detail"]),
    (
        "S0-24 S1-21 S2-17",
        "token",
        "",
        &["guide-token-lede", "guide-where-token", "name=\"access_token\"", DRAWN],
    ),
    ("S3-21", "key", "", &["guide-key-lede", "guide-key-make", "guide-key-make-hint", DRAWN]),
    ("S0-29 S4-23", "webhook", "", &["guide-webhook-same", "guide-webhook-url-same"]),
    (
        "S1-29 S2-18 S3-19 S4-22",
        "webhook",
        "check-webhook",
        &[
            "accounts-webhook-off",
            "guide-webhook-off-detail",
            "https://developers.line.biz/console/channel/",
            DRAWN,
        ],
    ),
    (
        "S4-17",
        "webhook",
        "check-webhook",
        &["guide-webhook-chat", "https://manager.line.biz/account/", DRAWN],
    ),
    (
        "S0-28 S1-25 S4-21",
        "webhook",
        "",
        &["id=\"webhook-url\"", "data-copies=\"webhook-url\"", "accounts-webhook-is-set", "/webhooks/line/"],
    ),
    ("S4-18", "webhook", "check-message", &["guide-send-locked"]),
    (
        "S4-35 S2-22",
        "message",
        "check-message",
        &["guide-send-scan", "guide-send-write", "guide-waiting", "guide-qr", "https://line.me/R/ti/p/"],
    ),
    (
        "S1-38",
        "done",
        "",
        &["guide-done", "guide-next-inbox", "guide-next-people", "guide-next-answers", "guide-next-login"],
    ),
    (
        "S1-32 S1-35 S2-21 S3-20",
        "done",
        "",
        &["guide-advice-auto", "guide-advice-greeting", "guide-advice-groups", "guide-advice-redelivery"],
    ),
    ("S2-16", "done", "", &["guide-advice-later"]),
    (
        "S0-08 S0-09 S1-49",
        "help",
        "cost",
        &["guide-cost-answer", "guide-cost-late", "guide-cost-prices", "guide-cost-where"],
    ),
    ("S3-27", "help", "cost", &["guide-cost-manager", MANAGER]),
    ("S0-10", "help", "access", &["guide-access-verify"]),
    ("S1-11", "help", "access", &["guide-access-manager", "guide-access-console"]),
    (
        "S0-11",
        "help",
        "consoles",
        &["OA Manager", "LINE Developers", "guide-console-url", "guide-console-switch", "guide-console-chat"],
    ),
    (
        "S1-01",
        "help",
        "",
        &[
            "href=\"#steps\"",
            "id=\"create\"",
            "id=\"enable\"",
            "id=\"connect\"",
            "id=\"webhook\"",
            "id=\"message\"",
        ],
    ),
    ("S2-08", "help", "channels", &["guide-channel-api", "guide-channel-login", "guide-channel-clova"]),
    (
        "S2-17 S3-25",
        "help",
        "tokens",
        &["guide-help-tokens-detail", "guide-token-stateless", "guide-token-long", "generate-json-web-token"],
    ),
    (
        "S3-28",
        "help",
        "links",
        &[
            "guide-link-start",
            "guide-link-overview",
            "guide-link-sdk",
            "guide-link-cases",
            "guide-token-docs",
            CONSOLE,
            MANAGER,
        ],
    ),
    (
        "S4-27 S4-28",
        "help",
        "login",
        &[
            "guide-login-create",
            "guide-login-create-detail",
            "guide-login-region",
            "guide-market-taiwan",
            DRAWN,
        ],
    ),
    ("S4-29", "help", "login", &["guide-login-publish", "guide-login-publish-detail", DRAWN]),
    ("S4-31", "help", "login", &["guide-login-callback", "guide-login-callback-detail", DRAWN]),
    ("S4-32", "help", "login", &["guide-login-linked"]),
    (
        "S4-11",
        "account",
        "short",
        &[
            "guide-short-account",
            "guide-short-login",
            "guide-short-two",
            "guide-short-values",
            "guide-short-webhook",
            MANAGER,
            CONSOLE,
        ],
    ),
    ("S4-01 S4-02", "account", "block-account", &["accounts-block-account", ">1</span>"]),
    ("S4-01 S4-02", "account", "block-login", &["login-title", ">2</span>"]),
    (
        "S4-01 S4-02",
        "account",
        "block-messaging",
        &["accounts-block-messaging", ">3</span>", "/webhooks/line/"],
    ),
];

/// The words of a language: key and value.
fn words(language: &str) -> HashMap<String, String> {
    let folder = format!("{}/locales/{language}", env!("CARGO_MANIFEST_DIR"));
    let mut all = HashMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        all.extend(lines.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    all
}

/// A page as it reads, without the escapes of HTML.
fn plain(html: &str) -> String {
    let html = html.replace("&#39;", "'").replace("&#34;", "\"").replace("&quot;", "\"");
    html.replace("&#38;", "&").replace("&amp;", "&")
}

/// The part of a page that begins at an id: to the next step or the end of its section.
fn part<'a>(html: &'a str, id: &str) -> &'a str {
    if id.is_empty() {
        return html;
    }
    let at = html.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("nothing has the id {id}: {html}"));
    let rest = &html[at..];
    let body = rest.find('>').unwrap_or_default();
    let end =
        ["id=\"step-", "</section>"].iter().filter_map(|end| Some(body + rest[body..].find(end)?)).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// Whether a text holds the words, whose values are not known here.
fn holds(text: &str, words: &str) -> bool {
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('{') {
        if !text.contains(before.trim()) {
            return false;
        }
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    text.contains(rest.trim())
}

async fn read(owner: &Browser, path: &str, language: &str) -> String {
    let answer = owner.request(Method::GET, path).header("accept-language", language).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    plain(&answer.text().await.unwrap())
}

/// A set-up that is begun with what is there; gives its address.
async fn begin(owner: &Browser, has: &str) -> String {
    let made = owner.submit("/settings/accounts/new", "/settings/accounts/setups", &[("has", has)]).await;
    made.headers["location"].to_str().unwrap().to_owned()
}

// The ids stand in the table.
#[tokio::test]
async fn the_guide_shows_what_every_item_asks_for_in_four_languages() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let company = json!({ "name": "三杯茶股份有限公司", "country": "TW",
        "privacy_url": "https://tea.example/privacy", "terms_url": "https://tea.example/terms" });
    hub.api().patch("/company", company).await.expect(200);
    let root = begin(&owner, "nothing").await;
    let all_done = owner.submit(&format!("{root}/create"), &format!("{root}/stages/create"), &[]).await;
    assert_eq!(all_done.status, 303);
    let fields = [("provider", "三杯茶股份有限公司"), ("kind", "new")];
    let channel = hub.channel("三杯茶").await;
    let id = channel["channelId"].as_str().unwrap();
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": false })).await;
    let secret = channel["channelSecret"].as_str().unwrap();
    let values = [("channel_id", id), ("channel_secret", secret), ("set_webhook", "1")];
    let form = "/settings/accounts/new?has=api";
    let done = owner.submit(form, "/settings/accounts/new", &values).await;
    let finish = done.headers["location"].to_str().unwrap().trim_end_matches("/webhook").to_owned();
    let account = hub.api().get("/accounts").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let mut pages: HashMap<(&str, &str), String> = HashMap::new();
    let mut look = async |page: &'static str, path: String| {
        for (language, wanted) in LANGUAGES {
            pages.insert((page, language), read(&owner, &path, wanted).await);
        }
    };
    look("start", "/settings/accounts/new".to_owned()).await;
    look("create", format!("{root}/create")).await;
    look("once", format!("{root}/enable")).await;
    look("connect", form.to_owned()).await;
    look("token", format!("{form}&path=token")).await;
    look("key", format!("{form}&path=key")).await;
    look("webhook", format!("{finish}/webhook")).await;
    look("help", "/settings/help".to_owned()).await;
    look("account", format!("/settings/accounts/{account}")).await;
    assert_eq!(owner.submit(&format!("{root}/enable"), &format!("{root}/agree"), &fields).await.status, 303);
    look("enable", format!("{root}/enable")).await;
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": true })).await;
    hub.advance(std::time::Duration::from_secs(10));
    look("message", format!("{finish}/webhook")).await;
    look("done", format!("{finish}/done")).await;

    let mut missing = Vec::new();
    for (language, _) in LANGUAGES {
        let words = words(language);
        for (ids, page, place, needles) in SEEDS {
            let text = part(&pages[&(*page, language)], place);
            for needle in *needles {
                let shown = words.get(*needle).map_or(*needle, String::as_str);
                if !holds(text, shown) {
                    missing.push(format!("{ids} in {language}, page {page} {place}: {needle}"));
                }
            }
        }
        // S3-29: every step of the guide has its drawing. S4-02: the three blocks stand in this order.
        for page in ["create", "enable"] {
            let html = &pages[&(page, language)];
            let (steps, drawings) =
                (html.matches("class=\"guide-step-text\"").count(), html.matches(DRAWN).count());
            assert!(
                steps >= 3 && steps == drawings,
                "{page} in {language}: {steps} steps, {drawings} drawings"
            );
        }
        let html = &pages[&("account", language)];
        let order =
            ["account", "login", "messaging"].map(|block| html.find(&format!("id=\"block-{block}\"")));
        assert!(order.is_sorted() && order.iter().all(Option::is_some), "{order:?}");
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    hub.close().await;
}
