//! The LIFF apps of a Login channel (PLATFORM 24.1). The calls are those of an [`Account`] made from the Login channel's
//! ID and secret; one of a Messaging API channel is refused by LINE.

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::Account;
use crate::error::LineError;
use crate::transport::{Body, Call};

/// So many LIFF apps one Login channel holds (PLATFORM 24.1, S4-51).
pub const MAX_LIFF_APPS: usize = 30;

/// How large an app opens, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiffView {
    /// `compact`, `tall` or `full`.
    #[serde(rename = "type")]
    pub size: String,
    /// The Endpoint URL: https, without a fragment.
    pub url: String,
    /// Whether the button at the top right is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_mode: Option<bool>,
}

/// What else an app can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiffFeatures {
    /// Whether it may read QR codes.
    #[serde(default)]
    pub qr_code: bool,
}

/// An app as LINE lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiffApp {
    /// Its ID, which begins with the channel's.
    pub liff_id: String,
    /// Size and address.
    pub view: LiffView,
    /// Its name.
    #[serde(default)]
    pub description: Option<String>,
    /// `openid`, `email`, `profile`, `chat_message.write`.
    #[serde(default)]
    pub scope: Vec<String>,
    /// `normal`, `aggressive` or `none`; LINE leaves it out for the last.
    #[serde(default)]
    pub bot_prompt: Option<String>,
}

/// An app to be made, or what one is to become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewLiffApp {
    /// Size and address.
    pub view: LiffView,
    /// Its name; LINE refuses one that holds "LINE" or the like.
    pub description: String,
    /// What else it can do.
    pub features: LiffFeatures,
    /// `concat`, the only one that LINE still takes.
    pub permanent_link_pattern: &'static str,
    /// What it asks of people.
    pub scope: Vec<&'static str>,
    /// How it offers to add the linked official account.
    pub bot_prompt: &'static str,
}

#[derive(Deserialize)]
struct Listed {
    apps: Vec<LiffApp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    liff_id: String,
}

const APPS: &str = "/liff/v1/apps";
const APP: &str = "/liff/v1/apps/{liffId}";

impl Account {
    /// All LIFF apps of the Login channel. LINE answers 404 where there is none, which is no error (GOTCHAS E3).
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn liff_apps(&self) -> Result<Vec<LiffApp>, LineError> {
        let answer = self.call(Call::get(APPS, &[])).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        Ok(answer.json::<Listed>().await?.apps)
    }

    /// Makes a LIFF app and gives its ID. Not repeated by itself: a second one would take another of the 30 places.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a value that LINE does not take, and where the channel has 30 already.
    pub async fn add_liff_app(&self, app: &NewLiffApp) -> Result<String, LineError> {
        let call = Call::post(APPS, json(app));
        Ok(self.call(call).await?.json::<Made>().await?.liff_id)
    }

    /// Changes a LIFF app. LINE answers with an empty body. `false`: this channel has no such app.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a value that LINE does not take.
    pub async fn change_liff_app(&self, liff_id: &str, app: &NewLiffApp) -> Result<bool, LineError> {
        let values = [liff_id];
        let call = Call { method: Method::PUT, values: &values, ..Call::post(APP, json(app)) };
        self.call_on_app(call).await
    }

    /// Removes a LIFF app; its address opens nothing any more. `false`: this channel has no such app.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn delete_liff_app(&self, liff_id: &str) -> Result<bool, LineError> {
        let values = [liff_id];
        let call = Call { method: Method::DELETE, values: &values, ..Call::post(APP, Body::Empty) };
        self.call_on_app(call).await
    }

    async fn call_on_app(&self, call: Call<'_>) -> Result<bool, LineError> {
        let answer = self.call(call).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        answer.done().await.map(|()| true)
    }
}

fn json(app: &NewLiffApp) -> Body<'static> {
    serde_json::to_value(app).unwrap_or(Value::Null).into()
}
