//! Moments as readers write them: in their language, in the tenant's time zone.

use std::fmt::Write as _;

use askama::filters::Safe;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

use super::i18n::{Language, words};
use crate::clock::Timestamp;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Draws moments for one reader at one time.
#[derive(Debug)]
pub(super) struct Calendar {
    language: Language,
    zone: TimeZone,
    zone_name: String,
    now: Instant,
}

impl Calendar {
    /// A calendar for a language and an IANA zone (UTC when there is none, or none of that name).
    pub(super) fn new(language: Language, zone: Option<&str>, now: Timestamp) -> Self {
        let known = zone.and_then(|name| Some((name.to_owned(), TimeZone::get(name).ok()?)));
        let (zone_name, zone) = known.unwrap_or_else(|| ("UTC".to_owned(), TimeZone::UTC));
        Self { language, zone, zone_name, now: now.to_jiff() }
    }

    /// `<time>` with a distance under a day, else the date. The script keeps distances fresh.
    pub(super) fn ago(&self, at: Timestamp) -> Safe<String> {
        let seconds = self.now.as_second() - at.to_jiff().as_second();
        if !(0..DAY_SECONDS).contains(&seconds) {
            return self.moment(at);
        }
        let text = if seconds < 60 {
            words(self.language, "web-time-now", &[])
        } else if seconds < 60 * 60 {
            words(self.language, "web-time-minutes-ago", &[("count", (seconds / 60).into())])
        } else {
            words(self.language, "web-time-hours-ago", &[("count", (seconds / 3600).into())])
        };
        self.element(at, &text, " data-ago")
    }

    /// `<time>` with date and time of day.
    pub(super) fn moment(&self, at: Timestamp) -> Safe<String> {
        let zoned = self.zoned(at);
        let text = format!("{} {}", self.date(&zoned), zoned.strftime("%H:%M"));
        self.element(at, &text, "")
    }

    /// `<time>` with date and time to the second.
    pub(super) fn exact(&self, at: Timestamp) -> Safe<String> {
        let zoned = self.zoned(at);
        let text = format!("{} {}", self.date(&zoned), zoned.strftime("%H:%M:%S"));
        self.element(at, &text, "")
    }

    /// `<time>` with the time of day.
    pub(super) fn time_of_day(&self, at: Timestamp) -> Safe<String> {
        let text = self.zoned(at).strftime("%H:%M").to_string();
        self.element(at, &text, "")
    }

    /// `<time>` of what is to come: to the second within a minute, with the date on another day.
    pub(super) fn coming(&self, at: Timestamp) -> Safe<String> {
        let (zoned, today) = (self.zoned(at), self.now.to_zoned(self.zone.clone()));
        if zoned.date() != today.date() {
            return self.moment(at);
        }
        let is_soon = at.to_jiff().as_second() - self.now.as_second() < 60;
        self.element(at, &zoned.strftime(if is_soon { "%H:%M:%S" } else { "%H:%M" }).to_string(), "")
    }

    /// Today, yesterday, or the date.
    pub(super) fn day(&self, at: Timestamp) -> String {
        let (zoned, today) = (self.zoned(at), self.now.to_zoned(self.zone.clone()));
        if zoned.date() == today.date() {
            words(self.language, "web-time-today", &[])
        } else if today.date().yesterday().is_ok_and(|yesterday| zoned.date() == yesterday) {
            words(self.language, "web-time-yesterday", &[])
        } else {
            self.date(&zoned)
        }
    }

    /// Day and month, with the year when it is another one.
    fn date(&self, at: &Zoned) -> String {
        let months = words(self.language, "web-time-months", &[]);
        let month = months.split_whitespace().nth(usize::from(at.month().unsigned_abs()).saturating_sub(1));
        let mut arguments =
            vec![("day", i64::from(at.day()).into()), ("month", month.unwrap_or_default().into())];
        if at.year() == self.now.to_zoned(self.zone.clone()).year() {
            return words(self.language, "web-time-date", &arguments);
        }
        // Thai readers count years from the Buddha.
        let year = i32::from(at.year()) + if self.language == Language::Th { 543 } else { 0 };
        arguments.push(("year", year.to_string().into()));
        words(self.language, "web-time-date-with-year", &arguments)
    }

    fn zoned(&self, at: Timestamp) -> Zoned {
        at.to_jiff().to_zoned(self.zone.clone())
    }

    fn element(&self, at: Timestamp, text: &str, extra: &str) -> Safe<String> {
        let exact = self.zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut html = String::new();
        let _ = write!(html, "<time datetime=\"{at}\" title=\"{exact} ");
        let _ = write!(html, "{}\"{extra}>{}</time>", escape(&self.zone_name), escape(text));
        Safe(html)
    }
}

/// A moment as date and time of day, for a sentence; the zone is named only where it is not the reader's own.
#[must_use]
pub fn moment_text(language: Language, zone: Option<&str>, now: Timestamp, at: Timestamp) -> String {
    let calendar = Calendar::new(language, zone, now);
    let zoned = calendar.zoned(at);
    let text = format!("{} {}", calendar.date(&zoned), zoned.strftime("%H:%M"));
    if zone.is_some() { text } else { format!("{text} {}", calendar.zone_name) }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000); // 2026-01-01T00:00:00Z

    fn ago(language: Language, seconds: i64) -> String {
        Calendar::new(language, Some("Asia/Taipei"), NOW).ago(Timestamp(NOW.0 - seconds * 1_000)).0
    }

    #[test]
    fn what_is_to_come_is_told_to_the_second_when_it_is_near() {
        let coming = |seconds: i64| {
            let calendar = Calendar::new(Language::En, Some("Asia/Taipei"), NOW);
            calendar.coming(Timestamp(NOW.0 + seconds * 1_000)).0
        };
        assert!(coming(12).contains(">08:00:12<") && coming(90).contains(">08:01<"), "{}", coming(12));
        assert!(coming(20 * 3_600).contains(">2 Jan 04:00<"), "{}", coming(20 * 3_600));
    }

    #[test]
    fn a_moment_is_relative_under_a_day_and_exact_on_hover() {
        let title = "title=\"2026-01-01 07:48:00 Asia/Taipei\"";
        let twelve = ago(Language::ZhHant, 720);
        assert!(twelve.contains(title) && twelve.contains(">12 分鐘前<"), "{twelve}");
        assert!(ago(Language::En, 720).contains(">12 minutes ago<"));
        assert!(ago(Language::En, 60).contains(">1 minute ago<"));
        assert!(ago(Language::En, 7_300).contains(">2 hours ago<"));
        assert!(ago(Language::En, 3).contains(">just now<"));
        // A day and more, and the future (a clock elsewhere runs ahead), show the date.
        assert!(ago(Language::En, 86_400).contains(">31 Dec 2025 08:00<"), "{}", ago(Language::En, 86_400));
        assert!(ago(Language::Th, 86_400).contains(">31 ธ.ค. 2568 08:00<"), "{}", ago(Language::Th, 86_400));
        assert!(ago(Language::Ja, -86_400).contains(">1月2日 08:00<"), "{}", ago(Language::Ja, -86_400));
    }

    #[test]
    fn days_have_names() {
        let calendar = Calendar::new(Language::En, Some("Asia/Taipei"), NOW);
        assert_eq!(calendar.day(NOW), "Today");
        assert_eq!(calendar.day(Timestamp(NOW.0 - 9 * 3_600_000)), "Yesterday");
        assert_eq!(calendar.day(Timestamp(NOW.0 + 86_400_000)), "2 Jan");
    }

    #[test]
    fn a_change_is_told_to_the_second_in_the_readers_zone() {
        // S4-10
        let html =
            Calendar::new(Language::ZhHant, Some("Asia/Taipei"), NOW).exact(Timestamp(NOW.0 + 61_000)).0;
        assert!(html.contains(">1月1日 08:01:01<"), "{html}");
    }

    #[test]
    fn an_unknown_zone_is_utc() {
        let html = Calendar::new(Language::En, Some("Mars/Base"), NOW).moment(NOW).0;
        assert!(html.contains("2026-01-01 00:00:00 UTC"), "{html}");
    }
}
