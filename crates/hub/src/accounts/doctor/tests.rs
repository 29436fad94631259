//! Every finding that a check can make has its words, in all four languages.

use std::collections::BTreeMap;

use super::model::{Code, Finding, Reader, State};
use crate::app::testing::START;
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
        ("login_channel", vec!["not-set", "ok", "refused", "line-silent"]),
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
                "channel",
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
