//! Which addresses may become links or sources.

/// Longest address taken; LINE allows 2,000 for media and 1,000 for links (PLATFORM 19, 20).
const LONGEST: usize = 2_000;

/// The address if it is a web page or file: `http` or `https` with a host.
pub(crate) fn web(address: &str) -> Option<&str> {
    let host = after_scheme(address, "https://").or_else(|| after_scheme(address, "http://"))?;
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    (!host.is_empty()).then_some(address)
}

/// The address if a uri action may open it: `http`, `https`, `line` or `tel` (PLATFORM 20).
pub(crate) fn link(address: &str) -> Option<&str> {
    web(address)
        .or_else(|| after_scheme(address, "line://").map(|_| address))
        .or_else(|| after_scheme(address, "tel:").map(|_| address))
}

/// The address if it is one a host may serve files at: a path on the same origin, or a web address.
pub(crate) fn own(address: &str) -> Option<&str> {
    let path = address.starts_with('/') && !address.starts_with("//") && plain(address);
    if path { Some(address) } else { web(address) }
}

/// What follows `scheme` (any case), if the address starts with it and holds nothing a browser would drop or repair.
fn after_scheme<'u>(address: &'u str, scheme: &str) -> Option<&'u str> {
    let (start, rest) = address.split_at_checked(scheme.len())?;
    (start.eq_ignore_ascii_case(scheme) && !rest.is_empty() && plain(rest) && address.len() <= LONGEST)
        .then_some(rest)
}

fn plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\\' | '<' | '>' | '"' | '`'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_schemes_become_links() {
        // PLATFORM 20: schemes http, https, line, tel.
        for good in
            ["https://example.com", "HTTP://example.com/a?b#c", "line://ti/p/@shop", "tel:+886212345678"]
        {
            assert_eq!(link(good), Some(good));
        }
        for bad in [
            "",
            "javascript:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,hi",
            "//example.com",
            "https://",
            "https:///path",
            "http://a b",
            "https://example.com/\"onclick=",
            "https:\\\\example.com",
            "vbscript:x",
            "ftp://example.com",
            "é",
        ] {
            assert_eq!(link(bad), None, "{bad}");
        }
        assert_eq!(web("tel:1"), None);
        assert_eq!(link(&format!("https://example.com/{}", "a".repeat(2_000))), None);
    }

    #[test]
    fn a_host_may_serve_files_from_a_path() {
        assert_eq!(own("/media/1?x=2"), Some("/media/1?x=2"));
        assert_eq!(own("https://files.example.com/1"), Some("https://files.example.com/1"));
        for bad in ["//evil.example", "media/1", "javascript:1", "/a\\b", "data:image/png;base64,AA"] {
            assert_eq!(own(bad), None, "{bad}");
        }
    }
}
