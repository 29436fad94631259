//! Pages by `start` and `next`, as LINE has them everywhere but at audiences (PLATFORM 5).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::line::error::LineError;

/// A continuation token lives so long (PLATFORM 5).
const TOKEN_MS: i64 = 24 * 3_600_000;

/// Which part of a list a call asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// How many items were passed by already.
    pub(super) from: usize,
    pub(super) limit: usize,
}

impl Page {
    /// Reads `start` and `limit` (1 to `most`, `usual` when missing) of a query. `list` names the list and its owner, so that no token works
    /// elsewhere.
    pub(super) fn read(
        (start, limit): (Option<&str>, Option<&str>),
        list: &str,
        (usual, most): (usize, usize),
        now: i64,
    ) -> Result<Self, LineError> {
        let limit = match limit {
            None => usual,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=most).contains(limit))
                .ok_or_else(|| LineError::invalid_parameter("limit"))?,
        };
        let from = match start {
            None => 0,
            Some(token) => {
                opened(token, list, now).ok_or_else(|| LineError::bad_request("Invalid start param"))?
            }
        };
        Ok(Self { from, limit })
    }

    /// The token of the next page, when there is one in a list of `length`.
    pub(super) fn next(&self, list: &str, length: usize, now: i64) -> Option<String> {
        let from = self.from.saturating_add(self.limit);
        (from < length).then(|| URL_SAFE_NO_PAD.encode(format!("{from}/{now}/{list}")))
    }
}

fn opened(token: &str, list: &str, now: i64) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.splitn(3, '/');
    let from = parts.next()?.parse().ok()?;
    let made: i64 = parts.next()?.parse().ok()?;
    (parts.next()? == list && now < made.saturating_add(TOKEN_MS)).then_some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 5: a token lives 24 hours.
    #[test]
    fn tokens_age_and_belong_to_their_list() {
        let first = Page::read((None, None), "a/1", (2, 10), 0).unwrap();
        assert!(first.next("a/1", 2, 0).is_none());
        let token = first.next("a/1", 3, 0).unwrap();
        assert_eq!(Page::read((Some(&token), None), "a/1", (2, 10), TOKEN_MS - 1).unwrap().from, 2);
        assert!(Page::read((Some(&token), None), "a/1", (2, 10), TOKEN_MS).is_err());
        assert!(Page::read((Some(&token), None), "a/2", (2, 10), 0).is_err());
        assert!(Page::read((Some("x"), None), "a/1", (2, 10), 0).is_err());
        // Whoever makes a token up gets an empty page at most.
        let made_up = URL_SAFE_NO_PAD.encode(format!("{}/{}/a/1", usize::MAX, i64::MAX));
        assert!(Page::read((Some(&made_up), None), "a/1", (2, 10), 0).unwrap().next("a/1", 3, 0).is_none());
        for limit in ["0", "11", "x", "-1"] {
            assert!(Page::read((None, Some(limit)), "a/1", (2, 10), 0).is_err(), "{limit}");
        }
    }
}
