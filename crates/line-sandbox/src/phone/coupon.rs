//! A coupon in a reader's words (PLATFORM 13), for the card of a coupon message.

use serde_json::Value;

use crate::clock::{iso_8601, region_hours};
use crate::words::Words;
use crate::world::World;

/// What the card says.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) title: String,
    pub(super) reward: String,
    pub(super) period: String,
    pub(super) image: Option<String>,
}

/// The card of an account's coupon; `None` when the account has no such coupon.
pub(super) fn card(world: &World, channel: &str, id: &str, words: &Words) -> Option<Card> {
    let coupon = world.coupons.get(channel, id)?.describe(0);
    let text = |name: &str| coupon.get(name).and_then(Value::as_str).map(str::to_owned);
    // The day as people of the account's country write it down.
    let hours = region_hours(&world.channels.get(channel)?.country);
    let day = |name: &str| {
        let at = coupon.get(name).and_then(Value::as_i64).unwrap_or_default();
        iso_8601((at + hours * 3_600) * 1_000).get(..10).unwrap_or_default().replace('-', "/")
    };
    Some(Card {
        title: text("title").unwrap_or_default(),
        reward: coupon.get("reward").map(|reward| reward_words(reward, words)).unwrap_or_default(),
        period: format!("{} – {}", day("startTimestamp"), day("endTimestamp")),
        image: text("imageUrl"),
    })
}

/// What a coupon gives: money off, money back, something free or as a gift; nothing in words for other things.
fn reward_words(reward: &Value, words: &Words) -> String {
    let price = |name: &str| reward.pointer(&format!("/priceInfo/{name}")).and_then(Value::as_f64);
    let currency = reward.pointer("/priceInfo/currency").and_then(Value::as_str).unwrap_or_default();
    let amount = |name: &str| price(name).map(|amount| format!("{currency} {amount}").trim().to_owned());
    let share = price("percentage").map(|percent| format!("{percent}%"));
    let given = share.or_else(|| amount("fixedAmount"));
    match (reward.get("type").and_then(Value::as_str).unwrap_or_default(), given) {
        ("discount", Some(given)) => words.say_name("coupon-off", &given),
        ("discount", None) => {
            let pair = amount("originalPrice").zip(amount("priceAfterDiscount"));
            pair.map(|(before, after)| format!("{before} → {after}")).unwrap_or_default()
        }
        ("cashBack", Some(given)) => words.say_name("coupon-back", &given),
        ("free", _) => words.say("coupon-free"),
        ("gift", _) => words.say("coupon-gift"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// PLATFORM 13: the kinds of reward.
    #[test]
    fn rewards_are_said_in_words() {
        let english = Words::of("en").unwrap();
        for (reward, said) in [
            (json!({"type": "discount", "priceInfo": {"type": "percentage", "percentage": 20}}), "20% off"),
            (
                json!({"type": "discount", "priceInfo": {"type": "fixed", "fixedAmount": 100, "currency": "TWD"}}),
                "TWD 100 off",
            ),
            (
                json!({"type": "discount", "priceInfo": {"type": "explicit", "originalPrice": 200, "priceAfterDiscount": 150, "currency": "TWD"}}),
                "TWD 200 → TWD 150",
            ),
            (
                json!({"type": "cashBack", "priceInfo": {"type": "percentage", "percentage": 5}}),
                "5% cash back",
            ),
            (json!({"type": "free"}), "Free"),
            (json!({"type": "gift"}), "Gift"),
            (json!({"type": "others"}), ""),
        ] {
            assert_eq!(reward_words(&reward, &english), said);
        }
    }
}
