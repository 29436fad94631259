//! Values that people paste from LINE's console, as they arrive from mails, chats and spreadsheets.

/// What was pasted, as LINE wrote it: without blanks, line breaks and marks that nobody sees, and with the ASCII that a
/// CJK keyboard or a spreadsheet made wide (`１６５６`, `＠`) as ASCII again. Channel IDs, secrets, tokens, key IDs and LINE
/// IDs hold none of these (PLATFORM 3, 4), so nothing is lost. Every value from outside goes through here, from the API
/// and from pages alike.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).map(narrow).collect()
}

/// Marks without width: zero-width spaces and joiners, directions, the byte order mark, soft hyphens.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
    )
}

/// A full-width form of ASCII (U+FF01 to U+FF5E) as ASCII.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // S0-22, S0-23, S0-24
    #[test]
    fn what_comes_with_pasting_goes() {
        for (pasted, meant) in [
            (" 1656000000\r\n", "1656000000"),
            ("\u{3000}１６５６０００００0\u{a0}", "1656000000"),
            ("\u{feff}8c570fa6\u{200b}dd201bb3", "8c570fa6dd201bb3"),
            ("eyJhbGci\n  OiJIUzI1\n", "eyJhbGciOiJIUzI1"),
            ("＠２１６ruABC", "@216ruABC"),
            ("", ""),
        ] {
            assert_eq!(clean(pasted), meant, "{pasted:?}");
        }
        // What no keyboard adds by itself stays, so that it is refused and not guessed at.
        assert_eq!(clean("a\u{0}b是"), "a\u{0}b是");
    }

    proptest! {
        #[test]
        fn a_value_of_lines_survives_and_anything_is_clean_after_one_time(
            value in "[!-~]{1,80}", any in any::<String>(), junk in "[ \t\r\n\u{a0}\u{3000}\u{200b}\u{feff}]{0,4}",
        ) {
            prop_assert_eq!(clean(&value), value.clone());
            prop_assert_eq!(clean(&format!("{junk}{value}{junk}")), value.clone());
            let wide: String = value
                .chars()
                .map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap())
                .collect();
            prop_assert_eq!(clean(&wide), value);
            let once = clean(&any);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
