//! Text with links, mentions and LINE emoji (PLATFORM 16, 19).

use crate::html::Tag;
use crate::{Draw, Labels, read, url};
use serde_json::Value;

/// A part of a text that is not plain: from byte to byte, and what it is.
struct Mark<'m> {
    start: usize,
    end: usize,
    kind: Kind<'m>,
}

#[derive(Clone, Copy)]
enum Kind<'m> {
    Emoji(&'m Value),
    Mention(&'m Value),
}

impl Draw<'_> {
    pub(crate) fn text_message(&mut self, message: &Value) {
        self.html.open(self.root("text", "lv-bubble"));
        self.quote(message);
        self.html.open(Tag::new("p", "lv-words").attr("dir", "auto"));
        self.marked(read::text(message, "text"), message);
        self.html.close("p");
        self.html.close("div");
    }

    /// `textV2` (PLATFORM 19): `{key}` stands for a mention or an emoji, doubled braces for one.
    pub(crate) fn text_v2_message(&mut self, message: &Value) {
        self.html.open(self.root("textV2", "lv-bubble"));
        self.quote(message);
        self.html.open(Tag::new("p", "lv-words").attr("dir", "auto"));
        for piece in pieces(read::text(message, "text"), message) {
            match piece {
                Piece::Text(text) => self.linked(&text),
                Piece::Emoji(emoji) => self.emoji("", emoji),
                Piece::Mention(mentionee) => {
                    let known = self.view.names.and_then(|names| names.get(read::id(mentionee, "userId")?));
                    let unknown = || mention_name(mentionee, self.view.labels);
                    let name = known.map_or_else(unknown, |name| format!("@{name}"));
                    self.mention(&name, mentionee);
                }
            }
        }
        self.html.close("p");
        self.html.close("div");
    }

    /// The strip above a message that quotes another. Which one it is only the host knows.
    pub(crate) fn quote(&mut self, message: &Value) {
        let quoted = read::id(message, "quotedMessageId");
        if quoted.is_none() && read::text(message, "quoteToken").is_empty() {
            return;
        }
        // An inbound message has its own quoteToken, to be quoted with; there only quotedMessageId means a quote.
        if quoted.is_none() && message.get("id").is_some() {
            return;
        }
        let strip = Tag::new("div", "lv-quote").attr_if("data-lv-quoted", quoted.unwrap_or_default());
        let Some(known) = self.view.quoted else { return self.html.leaf(strip, &self.view.labels.quote) };
        self.html.open(strip.class("lv-quote-known"));
        self.html.open(Tag::new("span", "lv-stack"));
        self.html.leaf(Tag::new("span", "lv-quote-name").attr("dir", "auto"), known.name);
        self.html.leaf(Tag::new("span", "lv-quote-words").attr("dir", "auto"), known.words);
        self.html.close("span");
        if let Some(address) = known.picture_url.and_then(url::own) {
            self.picture(Tag::new("img", "lv-quote-picture"), address, "");
        }
        self.html.close("div");
    }

    /// Text with the marks that `emojis` and `mention` of the message put on it.
    fn marked(&mut self, text: &str, message: &Value) {
        let mut at = 0;
        for mark in marks(text, message) {
            self.linked(text.get(at..mark.start).unwrap_or_default());
            let words = text.get(mark.start..mark.end).unwrap_or_default();
            match mark.kind {
                Kind::Emoji(emoji) => self.emoji(words, emoji),
                Kind::Mention(mentionee) => self.mention(words, mentionee),
            }
            at = mark.end;
        }
        self.linked(text.get(at..).unwrap_or_default());
    }

    /// Text whose http and https addresses are links.
    pub(crate) fn linked(&mut self, text: &str) {
        let mut rest = text;
        while let Some((start, end)) = next_address(rest) {
            if !self.html.has_room() {
                break;
            }
            let address = rest.get(start..end).unwrap_or_default();
            self.html.text(rest.get(..start).unwrap_or_default());
            match url::web(address) {
                Some(web) => self.html.leaf(Tag::new("a", "lv-link").href(web), address),
                None => self.html.text(address),
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        self.html.text(rest);
    }

    /// A LINE emoji: its picture where outside media may load, else its words (`(love)`), else a drawn face.
    fn emoji(&mut self, words: &str, emoji: &Value) {
        let words = if words == "$" { "" } else { words };
        let name = if words.is_empty() { &self.view.labels.emoji } else { words };
        let picture = read::id(emoji, "productId").zip(read::id(emoji, "emojiId"));
        if let (true, Some((product, id))) = (self.view.line_pictures, picture) {
            // Undocumented, as for stickers (PLATFORM 19); the name shows when it fails.
            let address =
                format!("https://stickershop.line-scdn.net/sticonshop/v1/sticon/{product}/android/{id}.png");
            self.html.open(Tag::new("img", "lv-emoji").attr("src", &address).attr("alt", name));
        } else if words.is_empty() {
            self.html.open(Tag::new("span", "lv-face").attr("role", "img").attr("aria-label", name));
            self.html.fixed(FACE);
            self.html.close("span");
        } else {
            self.html.leaf(Tag::new("span", "lv-emoji-words"), words);
        }
    }

    fn mention(&mut self, words: &str, mentionee: &Value) {
        let tag =
            Tag::new("span", "lv-mention").keyword("", read::flag(mentionee, "isSelf").then_some("lv-self"));
        self.html.leaf(tag.attr_if("data-lv-user", read::id(mentionee, "userId").unwrap_or_default()), words);
    }
}

/// The marks of a text in order, without overlaps. LINE counts UTF-16 units (PLATFORM 16).
fn marks<'m>(text: &str, message: &'m Value) -> Vec<Mark<'m>> {
    let emojis = read::items(message, "emojis").iter().map(|emoji| (emoji, Kind::Emoji(emoji)));
    let mentionees = message.get("mention").map_or(&[][..], |mention| read::items(mention, "mentionees"));
    let mentions = mentionees.iter().map(|mentionee| (mentionee, Kind::Mention(mentionee)));
    // LINE allows 20 of each (PLATFORM 16, 19).
    let mut found: Vec<(u64, u64, Kind<'m>)> = emojis
        .take(100)
        .chain(mentions.take(100))
        .filter_map(|(object, kind)| {
            let index = object.get("index")?.as_u64()?;
            // An emoji a bot sends has no length: it replaces the one `$` it points at.
            let length = object.get("length").and_then(Value::as_u64).unwrap_or(1);
            Some((index, index.checked_add(length)?, kind))
        })
        .collect();
    found.sort_by_key(|(start, end, _)| (*start, *end));

    // One pass over the text finds the byte offset of every UTF-16 index that is asked for.
    let mut offsets = text
        .char_indices()
        .scan(0u64, |units, (byte, character)| {
            let here = *units;
            *units += character.len_utf16() as u64;
            Some((here, byte))
        })
        .chain(std::iter::once((text.encode_utf16().count() as u64, text.len())))
        .peekable();
    let mut offset_of = |units: u64| {
        while offsets.next_if(|(here, _)| *here < units).is_some() {}
        offsets.peek().filter(|(here, _)| *here == units).map(|(_, byte)| *byte)
    };
    let mut marks: Vec<Mark<'m>> = Vec::new();
    let mut free_from = 0;
    for (start, end, kind) in found {
        if start < free_from || end <= start {
            continue;
        }
        if let Some((start_byte, end_byte)) = offset_of(start).and_then(|from| Some((from, offset_of(end)?)))
        {
            marks.push(Mark { start: start_byte, end: end_byte, kind });
            free_from = end;
        }
    }
    marks
}

/// A piece of a `textV2`.
enum Piece<'m> {
    Text(String),
    Emoji(&'m Value),
    Mention(&'m Value),
}

/// Takes a `textV2` apart. A key without substitution stays as it is written.
fn pieces<'m>(text: &str, message: &'m Value) -> Vec<Piece<'m>> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        plain.push_str(before);
        if let Some((length, piece)) = substitution(from, message) {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
            rest = from.get(length..).unwrap_or_default();
        } else {
            let doubled = from.starts_with("{{") || from.starts_with("}}");
            plain.push_str(from.get(..1).unwrap_or_default());
            rest = from.get(if doubled { 2 } else { 1 }..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// The `{key}` that `text` starts with: its length and what stands for it.
fn substitution<'m>(text: &str, message: &'m Value) -> Option<(usize, Piece<'m>)> {
    let (key, _) = text.strip_prefix('{')?.split_once('}')?;
    let value = message.get("substitution")?.get(key)?;
    let piece = match read::text(value, "type") {
        "mention" => Piece::Mention(value.get("mentionee").unwrap_or(&Value::Null)),
        "emoji" => Piece::Emoji(value),
        _ => return None,
    };
    Some((key.len() + 2, piece))
}

/// A `textV2` as plain text.
pub(crate) fn plain_v2(message: &Value, labels: &Labels) -> String {
    pieces(read::text(message, "text"), message)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Emoji(_) => format!("({})", labels.emoji),
            Piece::Mention(mentionee) => mention_name(mentionee, labels),
        })
        .collect()
}

fn mention_name(mentionee: &Value, labels: &Labels) -> String {
    let everyone = read::text(mentionee, "type") == "all";
    format!("@{}", if everyone { &labels.everyone } else { &labels.member })
}

/// Where the first http(s) address of a text begins and ends. It ends where no address can go on (blank, CJK), before
/// punctuation that closes the sentence around it.
fn next_address(text: &str) -> Option<(usize, usize)> {
    let start = text.match_indices("http").map(|(at, _)| at).find(|at| {
        let from = text.get(*at..).unwrap_or_default();
        let inside_word =
            text.get(..*at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()));
        !inside_word && (from.starts_with("http://") || from.starts_with("https://"))
    })?;
    let from = text.get(start..)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    let mut address = from.split(|c| !allowed(c)).next()?;
    while let Some(last) = address.chars().last() {
        let closes = match last {
            '.' | ',' | '!' | '?' | ':' | ';' | '\'' => true,
            ')' => address.matches(')').count() > address.matches('(').count(),
            ']' => address.matches(']').count() > address.matches('[').count(),
            _ => false,
        };
        if !closes {
            break;
        }
        address = address.get(..address.len() - 1)?;
    }
    Some((start, start + address.len()))
}

const FACE: &str = r#"<svg class="lv-icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="9"/><path d="M8 14.5c2 2.7 6 2.7 8 0M9 9.5v.5M15 9.5v.5"/></svg>"#;

#[cfg(test)]
mod tests {
    use crate::testing::{inert, phone};
    use crate::{Labels, View, message};
    use serde_json::{Value, json};

    fn words(value: &Value, view: &View<'_>) -> String {
        let html = message(value, view);
        let start = html.find("<p").unwrap();
        html[start..].split_once('>').unwrap().1.split("</p>").next().unwrap().to_owned()
    }

    #[test]
    fn text_keeps_lines_and_links_addresses() {
        let text = json!({"type": "text", "text": "See\n(https://example.com/a_(b)?c=1&d=2), <b>請看https://例.tw或http://a.tw。"});
        insta::assert_snapshot!(words(&text, &inert()), @r#"
See
(<a class="lv-link" href="https://example.com/a_(b)?c=1&amp;d=2" target="_blank" rel="noopener noreferrer nofollow">https://example.com/a_(b)?c=1&amp;d=2</a>), &lt;b&gt;請看https://例.tw或<a class="lv-link" href="http://a.tw" target="_blank" rel="noopener noreferrer nofollow">http://a.tw</a>。
"#);
    }

    #[test]
    fn inbound_marks_count_utf16_units() {
        // PLATFORM 16: index and length count UTF-16 units; a LINE emoji shows as (love).
        let text = json!({"type": "text", "id": "1", "text": "😀@店 hi (love)!",
            "mention": {"mentionees": [{"index": 2, "length": 2, "type": "user", "userId": "U1", "isSelf": true}]},
            "emojis": [{"index": 8, "length": 6, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"}]});
        insta::assert_snapshot!(words(&text, &inert()), @r#"😀<span class="lv-mention lv-self" data-lv-user="U1">@店</span> hi <span class="lv-emoji-words">(love)</span>!"#);
        insta::assert_snapshot!(words(&text, &phone()), @r#"😀<span class="lv-mention lv-self" data-lv-user="U1">@店</span> hi <img class="lv-emoji" src="https://stickershop.line-scdn.net/sticonshop/v1/sticon/5ac1bfd5040ab15980c9b435/android/001.png" alt="(love)">!"#);
    }

    #[test]
    fn outbound_emojis_stand_at_a_dollar_sign() {
        // PLATFORM 19: each index must point at a `$`.
        let text = json!({"type": "text", "text": "$ hi $", "emojis": [{"index": 5, "productId": "p", "emojiId": "1"}]});
        let html = words(&text, &inert());
        assert!(
            html.starts_with("$ hi <span class=\"lv-face\" role=\"img\" aria-label=\"Emoji\">"),
            "{html}"
        );
    }

    #[test]
    fn marks_that_make_no_sense_are_left_out() {
        for (index, length) in [(1, 1), (0, 1), (0, 99), (u64::MAX, 5), (3, 0)] {
            let text = json!({"type": "text", "text": "😀a", "emojis": [{"index": index, "length": length}]});
            assert_eq!(words(&text, &inert()), "😀a", "{index} {length}");
        }
        let overlapping = json!({"type": "text", "text": "abcd", "mention": {"mentionees": [
            {"index": 1, "length": 2}, {"index": 0, "length": 2}, {"index": 2, "length": 1}]}});
        assert_eq!(
            words(&overlapping, &inert()),
            r#"<span class="lv-mention">ab</span><span class="lv-mention">c</span>d"#
        );
    }

    #[test]
    fn text_v2_fills_in_its_keys() {
        // PLATFORM 19: {key}, and doubled braces for literal ones.
        let text = json!({"type": "textV2", "text": "{all} and {who}: {{x}} {none} {e}}", "substitution": {
            "all": {"type": "mention", "mentionee": {"type": "all"}},
            "who": {"type": "mention", "mentionee": {"type": "user", "userId": "U1"}},
            "e": {"type": "emoji", "productId": "p", "emojiId": "1"}}});
        insta::assert_snapshot!(words(&text, &phone()), @r#"<span class="lv-mention">@All</span> and <span class="lv-mention" data-lv-user="U1">@Member</span>: {x} {none} <img class="lv-emoji" src="https://stickershop.line-scdn.net/sticonshop/v1/sticon/p/android/1.png" alt="Emoji">}"#);
        assert_eq!(crate::summary(&text, &Labels::english()), "@All and @Member: {x} {none} (Emoji)}");
    }

    #[test]
    fn only_a_quoting_message_has_a_strip() {
        // PLATFORM 16, 17: a received message carries its own quoteToken; quotedMessageId says that it quotes.
        let has = |value: Value| message(&value, &inert()).contains("lv-quote");
        assert!(!has(json!({"type": "text", "id": "2", "quoteToken": "q", "text": "x"})));
        assert!(has(
            json!({"type": "text", "id": "2", "quoteToken": "q", "quotedMessageId": "1", "text": "x"})
        ));
        assert!(has(json!({"type": "text", "quoteToken": "q", "text": "x"})));
        assert!(!has(json!({"type": "text", "text": "x"})));
    }
}
