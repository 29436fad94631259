//! Writing HTML: every string is escaped here, and the output is bounded here.

use crate::style::{Safe, Size};

/// Most elements in one drawing. A Flex carousel of 50 KB holds far fewer (PLATFORM 21).
const MOST_ELEMENTS: usize = 4_000;
/// Most bytes of message text in one drawing, attributes included.
const MOST_TEXT: usize = 400_000;
/// Longest attribute taken from a message, in characters; alt texts end at 1,500 (PLATFORM 19).
const LONGEST_ATTRIBUTE: usize = 4_000;

/// The document being written.
pub(crate) struct Html {
    out: String,
    elements: usize,
    text: usize,
}

impl Default for Html {
    fn default() -> Self {
        Self { out: String::new(), elements: MOST_ELEMENTS, text: MOST_TEXT }
    }
}

impl Html {
    /// Whether there is room for more. Whoever draws a list of things asks before each of them.
    pub(crate) fn has_room(&self) -> bool {
        self.elements > 0 && self.text > 0
    }

    pub(crate) fn open(&mut self, tag: Tag) {
        let Tag { name, class, css, attributes } = tag;
        self.elements = self.elements.saturating_sub(1);
        self.text = self.text.saturating_sub(attributes.len());
        self.out.extend(["<", name]);
        if !class.is_empty() {
            self.out.extend([" class=\"", &class, "\""]);
        }
        self.out.push_str(&attributes);
        if !css.is_empty() {
            self.out.extend([" data-lv-css=\"", &css, "\""]);
        }
        self.out.push('>');
    }

    pub(crate) fn close(&mut self, name: &'static str) {
        self.out.extend(["</", name, ">"]);
    }

    /// An element that holds one text.
    pub(crate) fn leaf(&mut self, tag: Tag, text: &str) {
        let name = tag.name;
        self.open(tag);
        self.text(text);
        self.close(name);
    }

    /// Text of a message, escaped, cut where the room ends.
    pub(crate) fn text(&mut self, text: &str) {
        let fits = text.floor_char_boundary(self.text);
        let (shown, cut) = text.split_at_checked(fits).unwrap_or((text, ""));
        escape(&mut self.out, shown);
        if !cut.is_empty() {
            self.out.push('…');
        }
        self.text = self.text.saturating_sub(text.len());
    }

    /// HTML of our own.
    pub(crate) fn fixed(&mut self, html: &'static str) {
        self.out.push_str(html);
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

/// An opening tag being put together.
pub(crate) struct Tag {
    name: &'static str,
    class: String,
    css: String,
    attributes: String,
}

impl Tag {
    pub(crate) fn new(name: &'static str, class: &'static str) -> Self {
        Self { name, class: class.to_owned(), css: String::new(), attributes: String::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a class (or several, with spaces between).
    pub(crate) fn class(mut self, class: &'static str) -> Self {
        self.add_class("", class);
        self
    }

    /// Adds the class `prefix` + `keyword`, if there is a keyword.
    pub(crate) fn keyword(mut self, prefix: &'static str, keyword: Option<&'static str>) -> Self {
        if let Some(keyword) = keyword {
            self.add_class(prefix, keyword);
        }
        self
    }

    /// Adds a size: a keyword as class `prefix` + keyword, anything else as `property`.
    pub(crate) fn size(self, prefix: &'static str, property: &'static str, size: Option<Size>) -> Self {
        match size {
            Some(Size::Keyword(keyword)) => self.keyword(prefix, Some(keyword)),
            Some(Size::Exact(value)) => self.css(property, Some(value)),
            None => self,
        }
    }

    /// Adds a declaration for the script to apply.
    pub(crate) fn css(mut self, property: &'static str, value: Option<Safe>) -> Self {
        if let Some(value) = value {
            if !self.css.is_empty() {
                self.css.push(';');
            }
            self.css.extend([property, ":", value.as_str()]);
        }
        self
    }

    /// Adds an attribute; the value is escaped.
    pub(crate) fn attr(mut self, name: &'static str, value: &str) -> Self {
        self.attributes.extend([" ", name, "=\""]);
        let end = value.char_indices().nth(LONGEST_ATTRIBUTE).map_or(value.len(), |(at, _)| at);
        escape(&mut self.attributes, value.get(..end).unwrap_or_default());
        self.attributes.push('"');
        self
    }

    /// Adds an attribute without value.
    pub(crate) fn flag(mut self, name: &'static str) -> Self {
        self.attributes.extend([" ", name]);
        self
    }

    /// Adds an attribute unless its value is empty.
    pub(crate) fn attr_if(self, name: &'static str, value: &str) -> Self {
        if value.is_empty() { self } else { self.attr(name, value) }
    }

    /// Makes it a link that opens elsewhere and tells the other side nothing.
    pub(crate) fn href(self, address: &str) -> Self {
        self.attr("href", address).attr("target", "_blank").attr("rel", "noopener noreferrer nofollow")
    }

    fn add_class(&mut self, prefix: &'static str, class: &'static str) {
        if !self.class.is_empty() {
            self.class.push(' ');
        }
        self.class.extend([prefix, class]);
    }
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            // Other control characters have no meaning in a chat, and some are not allowed in HTML.
            control if control.is_control() => {}
            plain => out.push(plain),
        }
    }
}
