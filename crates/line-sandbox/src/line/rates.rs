//! LINE's rate limits: a token bucket per channel and endpoint, on the sandbox's clock (PLATFORM 5).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::world::{Bucket, World};

const SECOND: f64 = 1_000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;

/// How many calls in how many milliseconds. The bucket holds one window's worth; LINE does not publish its size.
fn limit(method: &str, template: &str) -> (f64, f64) {
    match (method, template) {
        (
            "POST",
            "/v2/bot/channel/webhook/test" | "/v2/bot/message/narrowcast" | "/v2/bot/message/broadcast",
        ) => (60.0, HOUR),
        ("POST", "/v2/bot/message/multicast") => (200.0, SECOND),
        ("GET", template) if template.starts_with("/v2/bot/insight/") => (60.0, HOUR),
        (_, template) if template.starts_with("/v2/bot/audienceGroup/") => (60.0, MINUTE),
        (_, "/v2/bot/channel/webhook/endpoint") => (1_000.0, MINUTE),
        ("POST", "/v2/bot/chat/loading/start") => (100.0, SECOND),
        ("POST", "/v2/bot/richmenu")
        | ("DELETE", "/v2/bot/richmenu/{rich_menu_id}" | "/v2/bot/richmenu/alias/{alias_id}")
        | ("GET", "/v2/bot/richmenu/progress/batch") => (100.0, HOUR),
        ("POST", "/v2/bot/richmenu/batch") => (3.0, HOUR),
        (_, "/v2/bot/coupon" | "/v2/bot/coupon/{coupon_id}" | "/v2/bot/coupon/{coupon_id}/close")
        | (
            "GET",
            "/v2/bot/membership/list"
            | "/v2/bot/membership/subscription/{user_id}"
            | "/v2/bot/membership/{membership_id}/users/ids",
        ) => (200.0, SECOND),
        ("GET", "/v2/bot/richmenu/list") => (10.0, SECOND),
        ("POST", "/v2/oauth/accessToken") => (370.0, SECOND),
        _ => (2_000.0, SECOND),
    }
}

impl World {
    /// Takes one call out of the bucket; false when it is empty.
    pub(crate) fn take_turn(&mut self, channel: &str, method: &str, template: &str, now: i64) -> bool {
        let (count, window) = limit(method, template);
        let mut hasher = DefaultHasher::new();
        (channel, method, template).hash(&mut hasher);
        let key = hasher.finish();
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: count, at: now });
        let elapsed = u32::try_from((now - bucket.at).max(0)).map_or(window, f64::from);
        bucket.tokens = (bucket.tokens + elapsed * count / window).min(count);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 5: the webhook test is limited to 60 an hour, per channel and endpoint.
    #[test]
    fn the_bucket_empties_and_fills_with_time() {
        let mut world = World::default();
        let test = "/v2/bot/channel/webhook/test";
        assert!((0..60).all(|_| world.take_turn("1", "POST", test, 0)));
        assert!(!world.take_turn("1", "POST", test, 0));
        assert!(world.take_turn("2", "POST", test, 0), "another channel has its own");
        assert!(!world.take_turn("1", "POST", test, 59_000));
        assert!(world.take_turn("1", "POST", test, 60_000), "one comes back each minute");
    }
}
