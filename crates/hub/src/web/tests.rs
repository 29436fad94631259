//! The frame of pages, over HTTP, and what holds of all templates and words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::i18n::{Language, words};
use super::testing::Browser;
use super::*;
use crate::app::testing::TestHub;
use crate::db::testing::Engine;
use crate::error::FieldError;

async fn hub() -> TestHub {
    TestHub::served(Engine::Sqlite, "http://127.0.0.1:1", "http://hub.test").await.unwrap()
}

/// Routes that end in every way, inside the whole frame.
fn trouble(hub: &Hub) -> Browser {
    let routes = Router::new()
        .route("/broken", get(|| async { AppError::internal("disk on fire") }))
        .route(
            "/panics",
            get(|| async {
                let odd: Option<u8> = "odd".parse().ok();
                odd.unwrap().to_string()
            }),
        )
        .route("/forbidden", get(|| async { AppError::forbidden("no") }))
        .route("/wrong", get(|| async { AppError::invalid(vec![FieldError::new("name", "required", "x")]) }))
        .route("/private", get(|| async { AppError::unauthorized() }))
        .route("/api/v1/broken", get(|| async { AppError::conflict("held", "no").with("held_by", "x") }))
        .route("/change", post(|fields: Fields| async move { fields.text("value").to_owned() }));
    let routes = inside(routes, hub, Shell::default());
    Browser::on(outside(routes, hub).with_state(hub.clone()))
}

#[tokio::test]
async fn pages_are_guarded_by_headers() {
    let test = hub().await;
    let answer = Browser::new(&test.hub).get("/sign-in").await;
    assert_eq!(answer.status, StatusCode::OK);
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "same-origin");
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-request-id").len(), 16);
    assert_eq!(answer.header("strict-transport-security"), "");
    test.close().await;
}

#[tokio::test]
async fn over_https_cookies_are_tied_to_the_host() {
    let test = TestHub::served(Engine::Sqlite, "https://api.line.me", "https://hub.test").await.unwrap();
    let answer = Browser::new(&test.hub).get("/sign-in").await;
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    let cookie = answer.cookie("tl_visitor");
    assert!(cookie.starts_with("__Host-tl_visitor="), "{cookie}");
    for part in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // Pictures of profiles come from LINE, whose addresses the policy names one by one.
    let policy = answer.header("content-security-policy").to_owned();
    for host in ["https://profile.line-scdn.net", "https://stickershop.line-scdn.net"] {
        assert!(policy.contains(host), "{policy}");
    }
    assert!(!policy.contains(" https: "), "{policy}");
    test.close().await;
}

#[tokio::test]
async fn assets_are_named_by_their_content_and_kept() {
    let test = hub().await;
    let mut browser = Browser::new(&test.hub);
    let page = browser.get("/sign-in").await.body;
    let address =
        page.split("href=\"").find(|rest| rest.contains("app.")).unwrap().split('"').next().unwrap();
    assert_eq!(address, assets::address("app.css"));
    let answer = browser.get(address).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    assert!(answer.body.contains("--surface"));
    assert_eq!(answer.cookie("tl_"), "", "an asset sets no cookie");
    for name in ["htmx.js", "sse.js", "app.js", "icons.svg", "mark.svg"] {
        assert!(assets::exists(name), "{name}");
        assert_eq!(browser.get(assets::address(name)).await.status, StatusCode::OK, "{name}");
    }
    assert_eq!(browser.get("/assets/app.0000000000000000.css").await.status, StatusCode::NOT_FOUND);
    test.close().await;
}

#[tokio::test]
async fn a_change_needs_the_token_of_its_own_session() {
    let test = hub().await;
    let mut browser = trouble(&test.hub);
    browser.get("/forbidden").await;
    assert_eq!(browser.post("/change", &[("value", "x\0y")]).await.body, "x\u{FFFD}y");
    let refused = browser.post_raw("/change", &[("value", "x")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("out of date"), "{}", refused.body);
    assert_eq!(browser.post_raw("/change", &[("csrf", "x")]).await.status, StatusCode::FORBIDDEN);
    // Another visitor's token is of no use.
    let mut other = trouble(&test.hub);
    other.get("/forbidden").await;
    let stolen = other.csrf();
    assert_ne!(stolen, browser.csrf());
    assert_eq!(browser.post_raw("/change", &[("csrf", &stolen)]).await.status, StatusCode::FORBIDDEN);
    // htmx sends it as a header.
    let token = browser.csrf();
    let by_header = browser.clone().with("x-csrf-token", &token).post_raw("/change", &[("value", "x")]).await;
    assert_eq!(by_header.status, StatusCode::OK);
    for (name, value, status) in [
        ("origin", "http://evil.test", StatusCode::FORBIDDEN),
        ("origin", "http://hub.test.evil.test", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("origin", "http://hub.test", StatusCode::OK),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-origin", StatusCode::OK),
    ] {
        let answer = browser.clone().with(name, value).post("/change", &[("value", "x")]).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    test.close().await;
}

#[tokio::test]
async fn the_reader_gets_their_language_and_theme() {
    let test = hub().await;
    let lang = |answer: &testing::Answer| {
        answer.body.split("<html lang=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let mut browser = Browser::new(&test.hub).with("accept-language", "zh-TW,zh;q=0.9,en;q=0.8");
    let page = browser.get("/sign-in").await;
    assert_eq!(lang(&page), "zh-Hant");
    assert!(page.body.contains("登入") && page.body.contains("data-theme=\"system\""));
    // A choice outlives the header.
    assert_eq!(browser.post("/language", &[("language", "th")]).await.location(), "/");
    assert_eq!(lang(&browser.get("/sign-in").await), "th");
    browser
        .clone()
        .with("referer", "http://hub.test/sign-in?next=%2Fx")
        .post("/theme", &[("theme", "dark")])
        .await;
    let answer = browser.post("/theme", &[("theme", "dark")]).await;
    assert!(answer.cookie("tl_theme").contains("=dark;"));
    assert!(browser.get("/sign-in").await.body.contains("data-theme=\"dark\""));
    browser.post("/theme", &[("theme", "system")]).await;
    assert!(browser.get("/sign-in").await.body.contains("data-theme=\"system\""));
    browser.post("/language", &[("language", "<x>")]).await;
    assert_eq!(lang(&browser.get("/sign-in").await), "th");
    test.close().await;
}

#[tokio::test]
async fn an_error_takes_the_shape_its_place_can_show() {
    let test = hub().await;
    let mut browser = trouble(&test.hub);
    // A page.
    let page = browser.get("/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.body.contains("<html") && page.body.contains("Not found"), "{}", page.body);
    // A fragment, put where it was asked for.
    for (path, status) in
        [("/forbidden", StatusCode::FORBIDDEN), ("/wrong", StatusCode::UNPROCESSABLE_ENTITY)]
    {
        let fragment = browser.fragment(path).await;
        assert_eq!(fragment.status, status);
        assert!(
            fragment.body.contains("role=\"alert\"") && !fragment.body.contains("<html"),
            "{}",
            fragment.body
        );
        assert_eq!(fragment.header("hx-retarget"), "");
    }
    // A fault: a toast that names the request; the cause stays in the log.
    let toast = browser.fragment("/broken").await;
    assert_eq!(toast.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(toast.header("hx-retarget"), "#toasts");
    assert!(toast.body.contains(toast.header("x-request-id")), "{}", toast.body);
    let page = browser.get("/broken").await;
    assert!(!page.body.contains("disk on fire") && page.body.contains(page.header("x-request-id")));
    assert_eq!(browser.get("/panics").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    // JSON for machines.
    let problem = browser.get("/api/v1/broken").await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let json: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!(
        (&json["status"], &json["code"], &json["held_by"]),
        (&409.into(), &"held".into(), &"x".into())
    );
    assert_eq!(browser.get("/api/v1/nowhere").await.header("content-type"), "application/problem+json");
    test.close().await;
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_there_and_back() {
    let test = hub().await;
    let mut browser = trouble(&test.hub);
    assert_eq!(browser.get("/private?a=1&b=2").await.location(), "/sign-in?next=%2Fprivate%3Fa%3D1%26b%3D2");
    let fragment = browser.with("hx-current-url", "http://hub.test/inbox/cnv_1").fragment("/private").await;
    assert_eq!(fragment.status, StatusCode::UNAUTHORIZED);
    assert_eq!(fragment.header("hx-redirect"), "/sign-in?next=%2Finbox%2Fcnv_1");
    for (address, is_local) in [
        ("/x?y", true),
        ("//evil.test", false),
        ("/\\evil.test", false),
        ("https://evil.test", false),
        ("", false),
        ("/", true),
        ("/inbox?q=%E8%8C%B6&x=//y", true),
        ("/%2f/evil.test", false),
        ("/%2F/evil.test", false),
        ("/%5cevil.test", false),
        ("/%09/evil.test", false),
        ("/\t/evil.test", false),
        ("/x\r\nset-cookie: a=b", false),
        ("/x\u{7f}", false),
        ("/x\0", false),
        ("/茶", false),
        ("evil.test", false),
        ("///evil.test", false),
        ("javascript:alert(1)", false),
        (" /x", false),
    ] {
        assert_eq!(local_address(address).is_some(), is_local, "{address}");
    }
    test.close().await;
}

// A page of the hub's own can have such a path: the one that says that there is nothing here.
#[tokio::test]
async fn no_path_of_the_hub_leads_out_of_it() {
    let test = hub().await;
    let mut browser = Browser::new(&test.hub);
    assert_eq!(browser.get("//evil.test/x").await.status, StatusCode::NOT_FOUND);
    for form in [("/theme", ("theme", "dark")), ("/language", ("language", "ja"))] {
        let back = async |header, from: &str| {
            let mut browser = browser.clone().with(header, from);
            browser.post(form.0, &[form.1]).await.location().to_owned()
        };
        assert_eq!(back("referer", "http://hub.test/inbox?q=1").await, "/inbox?q=1");
        for away in ["//evil.test/x", "/\\evil.test", "/%2f/evil.test", "/%5c%5cevil.test", "/%09//evil.test"]
        {
            for header in ["referer", "hx-current-url"] {
                assert_eq!(back(header, &format!("http://hub.test{away}")).await, "/", "{away}");
            }
        }
        assert_eq!(back("referer", "http://evil.test//evil.test").await, "/");
    }
    // The way back after signing in.
    let mut private = trouble(&test.hub);
    for away in ["//evil.test", "/%2f/evil.test"] {
        let from = format!("http://hub.test{away}");
        let asked = private.clone().with("hx-current-url", &from).fragment("/private").await;
        assert_eq!(asked.header("hx-redirect"), "/sign-in");
    }
    assert_eq!(private.get("/private").await.location(), "/sign-in?next=%2Fprivate");
    test.close().await;
}

#[tokio::test]
async fn machines_learn_how_the_hub_is() {
    metrics::install();
    let test = hub().await;
    let mut browser = Browser::new(&test.hub);
    assert_eq!(browser.get("/healthz").await.body, "ok\n");
    assert_eq!(browser.get("/readyz").await.status, StatusCode::OK);
    browser.get("/sign-in").await;
    let figures = browser.get("/metrics").await;
    assert!(figures.header("content-type").starts_with("text/plain"));
    assert!(
        figures.body.contains("trunkline_http_request_seconds_count{method=\"GET\",route=\"/sign-in\""),
        "{}",
        figures.body
    );
    test.hub.db.close().await;
    assert_eq!(browser.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
    test.close().await;
}

#[test]
fn a_form_keeps_values_and_says_what_is_wrong_at_the_field() {
    let ui = Ui::sample(Language::En, None);
    let form = FormState::new().with("email", "mei@").refused(
        "team-error",
        &[FieldError::new("email", "wrong", "x"), FieldError::new("name", "odd_code", "y")],
    );
    assert_eq!(form.value("email"), "mei@");
    assert_eq!(form.error(&ui, "email"), words(Language::En, "team-error-email-wrong", &[]));
    assert_eq!(form.error(&ui, "name"), words(Language::En, "web-field-wrong", &[]));
    assert_eq!(form.error(&ui, "password"), "");
    assert!(form.is_first_wrong("email") && !form.is_first_wrong("name"));
}

#[test]
fn a_toast_says_only_known_words() {
    assert!(flash::is_key("team-toast-saved"));
    assert!(!flash::is_key("team-toast-nothing"));
    assert!(!flash::is_key("web-error-internal"));
}

// --- What holds of all templates and words ----------------------------------------------------------------------------

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Every file below `src` with one of the extensions, and its text.
fn sources(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.retain(|path| extensions.iter().any(|extension| path.extension().is_some_and(|e| e == *extension)));
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Key to the names of its arguments, of one language.
fn keys(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("locales").join(language.tag()), &mut found);
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in found {
        let slice = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut key = String::new();
        for line in fs::read_to_string(&file).unwrap().lines() {
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                key = line.split('=').next().unwrap().trim().to_owned();
                let is_named =
                    [&format!("{slice}-") as &str, "error-", "audit-"].iter().any(|p| key.starts_with(p));
                assert!(is_named, "{key} in {} must begin with the slice's name", file.display());
                assert!(keys.insert(key.clone(), BTreeSet::new()).is_none(), "{key} stands twice");
            }
            for name in line.split('$').skip(1) {
                let name: String =
                    name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                keys.get_mut(&key).unwrap().insert(name);
            }
        }
    }
    keys
}

/// Texts in double quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1)
}

fn is_key_text(text: &str) -> bool {
    text.contains('-') && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[test]
fn the_four_languages_have_the_same_words() {
    let english = keys(Language::En);
    for language in Language::ALL {
        let other = keys(language);
        let missing: Vec<_> = english.keys().filter(|key| !other.contains_key(*key)).collect();
        let extra: Vec<_> = other.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{}: missing {missing:?}, extra {extra:?}",
            language.tag()
        );
        for (key, arguments) in &english {
            assert_eq!(arguments, &other[key], "{key} in {}", language.tag());
        }
    }
}

#[test]
fn every_key_that_is_used_exists_and_every_key_is_used() {
    let keys = keys(Language::En);
    let sources = sources(&["rs", "html"]);
    let mut used = BTreeSet::new();
    let mut unknown = Vec::new();
    for (path, text) in &sources {
        used.extend(quoted(text).filter(|text| is_key_text(text)));
        for call in [".t(\"", ".t1(\"", ".t2(\"", "label_key: \""] {
            for rest in text.split(call).skip(1) {
                let key = rest.split('"').next().unwrap();
                if is_key_text(key) && !keys.contains_key(key) {
                    unknown.push(format!("{key} in {}", path.display()));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "used without words: {unknown:#?}");
    // Keys made of codes: what stands before the brace of a format, and forms' `<slice>-error-<field>-<code>`.
    let stems: Vec<_> = sources
        .iter()
        .flat_map(|(_, text)| quoted(text))
        .filter_map(|text| text.split_once('{'))
        .filter(|(stem, _)| stem.ends_with('-') && is_key_text(stem))
        .map(|(stem, _)| stem)
        .collect();
    let is_made = |key: &str| key.contains("-error-") || stems.iter().any(|stem| key.starts_with(stem));
    let unused: Vec<_> = keys.keys().filter(|key| !is_made(key) && !used.contains(key.as_str())).collect();
    assert!(unused.is_empty(), "words that nothing uses: {unused:#?}");
}

#[test]
fn templates_hold_no_inline_style_or_script() {
    for (path, text) in sources(&["html"]) {
        let path = path.display();
        assert!(!text.contains("style=") && !text.contains("<style"), "{path}");
        for script in text.split("<script").skip(1) {
            assert!(script.trim_start().starts_with("src="), "{path}: an inline script");
        }
        for attribute in text.split_whitespace() {
            let name = attribute.split('=').next().unwrap();
            let is_handler = attribute.contains("=\"")
                && name.starts_with("on")
                && name.chars().all(|c| c.is_ascii_lowercase());
            assert!(!is_handler, "{path}: {attribute}");
        }
        assert!(!text.contains("hx-on") && !text.contains("|safe"), "{path}");
        for rest in text.split("asset(\"").skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(assets::exists(name), "{path}: no asset {name}");
        }
    }
}

#[test]
fn a_templates_name_stands_once() {
    let mut names = BTreeSet::new();
    for (path, _) in sources(&["html"]) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} stands in two folders");
    }
}

#[test]
fn errors_are_drawn_in_every_language() {
    for language in Language::ALL {
        let ui = Ui::sample(language, None);
        for html in errors::samples(&ui) {
            let html = html.unwrap();
            assert!(html.contains("&#60;detail&#62;"), "{html}");
            assert!(!html.contains("<h1></h1>"), "{html}");
        }
    }
}
