//! Text made fit for a database, a list and a search.

/// Text without U+0000, which no database takes; it becomes U+FFFD.
#[must_use]
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// The form in which names are searched: lower case by Unicode, runs of white space as one space, ends trimmed.
#[must_use]
pub fn searchable(text: &str) -> String {
    storable(text).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text with LIKE's own wildcards escaped by `\` (the statement says `ESCAPE '\'`).
#[must_use]
pub fn escape_like(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A LIKE pattern that finds `text` anywhere in a searchable text.
#[must_use]
pub fn like(text: &str) -> String {
    format!("%{}%", escape_like(&searchable(text)))
}

/// The first `max` characters, with `…` when something was cut.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_forms() {
        assert_eq!(searchable("  Ana\0 LÊ "), "ana\u{FFFD} lê");
        assert_eq!(like("50%_a\\"), "%50\\%\\_a\\\\%");
        assert_eq!(cut("茶葉蛋三顆", 3), "茶葉…");
    }
}
