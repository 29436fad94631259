//! Many friends at once, for the tests of sends to many.

use serde_json::{Value, json};

use crate::stage::Stage;

pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

/// A person with her names on both sides.
#[derive(Debug, Clone)]
pub(crate) struct Friend {
    pub(crate) user: String,
    pub(crate) user_id: String,
}

impl Stage {
    /// The same stage with a token that never ends, so that the clock may be advanced.
    pub(crate) async fn lasting() -> Self {
        let stage = Self::new().await;
        let path = format!("/channels/{}/access-token", stage.channel);
        let token =
            stage.control("POST", &path, json!({})).await.ok()["accessToken"].as_str().unwrap().to_owned();
        Self { token, ..stage }
    }

    /// Makes a person, with the given fields of `POST /users`.
    pub(crate) async fn person(&self, fields: Value) -> Friend {
        let mut body = json!({"displayName": "Lin"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let made = self.control("POST", "/users", body).await.ok();
        Friend {
            user: made["user"].as_str().unwrap().to_owned(),
            user_id: made["userId"][&self.provider].as_str().unwrap().to_owned(),
        }
    }

    /// Makes friends whose fields `fields` gives by their number from 0.
    pub(crate) async fn friends(&self, count: usize, fields: impl Fn(usize) -> Value) -> Vec<Friend> {
        let mut friends = Vec::new();
        for number in 0..count {
            let friend = self.person(fields(number)).await;
            self.by(&friend, "follow", json!({})).await;
            friends.push(friend);
        }
        friends
    }

    /// A person does something with the account.
    pub(crate) async fn by(&self, person: &Friend, act: &str, mut body: Value) -> Value {
        body["channelId"] = self.channel.clone().into();
        self.control("POST", &format!("/users/{}/{act}", person.user), body).await.ok()
    }

    /// What a person's phone shows.
    pub(crate) async fn phone(&self, person: &Friend) -> Vec<Value> {
        self.items(&format!("/users/{}/timeline?channelId={}", person.user, self.channel)).await
    }

    /// The day of the sandbox's clock in Japan, so many days from now.
    pub(crate) async fn date(&self, days: i64) -> String {
        let now = self.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap();
        let at = now + 9 * 3_600_000 + days * i64::try_from(DAY_MS).unwrap();
        jiff::Timestamp::from_millisecond(at).unwrap().strftime("%Y%m%d").to_string()
    }

    /// Paid messages of this month.
    pub(crate) async fn used(&self) -> Value {
        self.get("/v2/bot/message/quota/consumption").await.ok()["totalUsage"].clone()
    }
}

/// One text as the `messages` of a send.
pub(crate) fn text(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}
