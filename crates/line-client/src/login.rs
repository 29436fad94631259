//! LINE Login v2.1 (PLATFORM 23): the address that a browser is sent to, codes for tokens, what a person's token opens.

use line_api::api::ErrorBody;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::account::{Account, Credentials};
use crate::error::LineError;
use crate::secret::Secret;
use crate::transport::{Body, Call, LineClient};

/// The most that is read of a page that LINE made for people.
const MAX_PAGE: usize = 64 * 1024;

/// What a login asks for.
#[derive(Debug, Clone, Copy)]
pub struct Authorize<'a> {
    /// Where LINE sends the browser back to; registered in LINE Developers, character by character.
    pub redirect_uri: &'a str,
    /// Comes back unchanged.
    pub state: &'a str,
    /// Comes back inside the identity token.
    pub nonce: &'a str,
    /// The hash of the verifier that the exchange will show (PKCE, S256).
    pub code_challenge: &'a str,
    /// Words of `profile`, `openid`, `email`.
    pub scopes: &'a [&'a str],
    /// `normal` or `aggressive`: whether and how the linked official account is offered as a friend.
    pub bot_prompt: Option<&'a str>,
    /// BCP 47, such as `zh-TW`: the language of LINE's pages.
    pub language: Option<&'a str>,
    /// Whether LINE asks for consent although the person gave it before.
    pub ask_consent: bool,
    /// Whether LINE's automatic login is left out, after it failed once (GOTCHAS E7).
    pub no_auto_login: bool,
}

/// What LINE's login page says of an address before anybody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// LINE would ask the person to log in.
    Accepted,
    /// LINE refuses the address: the callback is not registered, or there is no such Login channel (PLATFORM 23.1).
    Refused,
    /// LINE answered something that tells neither.
    Unclear(u16),
}

/// What a code stands for.
#[derive(Debug, Clone)]
pub struct UserTokens {
    /// Opens the person's profile and friendship; 30 days.
    pub access_token: Secret,
    /// Who it is, signed; only with scope `openid`. Nothing in it may be believed before it was verified.
    pub id_token: Option<Secret>,
}

#[derive(Deserialize)]
struct RawTokens {
    access_token: String,
    id_token: Option<String>,
}

/// What LINE says of a person's access token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VerifiedToken {
    /// The Login channel it was issued for: to be compared with ours (GOTCHAS E5).
    pub client_id: String,
    /// Seconds that it still lives.
    pub expires_in: i64,
    /// What it opens, words set apart by spaces.
    pub scope: String,
}

/// A person as the Login channel's provider knows them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProfile {
    /// The user ID at the channel's provider.
    pub user_id: String,
    /// The name.
    pub display_name: String,
    /// The picture's address.
    #[serde(default)]
    pub picture_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Friendship {
    friend_flag: bool,
}

/// One Login channel and the calls made in its name. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LoginChannel {
    client: LineClient,
    channel_id: String,
    secret: Secret,
    account: Account,
}

impl LineClient {
    /// One Login channel's calls.
    #[must_use]
    pub fn login_channel(&self, channel_id: &str, secret: &Secret) -> LoginChannel {
        let credentials = Credentials {
            channel_id: channel_id.to_owned(),
            channel_secret: secret.clone(),
            access_token: None,
            signing_key: None,
        };
        LoginChannel {
            account: self.account(credentials),
            client: self.clone(),
            channel_id: channel_id.to_owned(),
            secret: secret.clone(),
        }
    }
}

impl LoginChannel {
    /// The channel's own calls, with its own token: its LIFF apps.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The same channel without the token that it may hold, to find out what LINE says of the secret now.
    #[must_use]
    pub fn fresh(&self) -> Self {
        self.client.login_channel(&self.channel_id, &self.secret)
    }

    /// The channel's secret, by which identity tokens of web logins are signed.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The address that a browser is sent to (PLATFORM 23.1).
    #[must_use]
    pub fn authorize_url(&self, login: &Authorize<'_>) -> Url {
        let mut url = self.client.endpoints().access.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["oauth2", "v2.1", "authorize"]);
        }
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.channel_id)
                .append_pair("redirect_uri", login.redirect_uri)
                .append_pair("state", login.state)
                .append_pair("scope", &login.scopes.join(" "))
                .append_pair("nonce", login.nonce)
                .append_pair("code_challenge", login.code_challenge)
                .append_pair("code_challenge_method", "S256");
            if let Some(prompt) = login.bot_prompt {
                query.append_pair("bot_prompt", prompt);
            }
            if let Some(language) = login.language {
                query.append_pair("ui_locales", language);
            }
            if login.ask_consent {
                query.append_pair("prompt", "consent");
            }
            if login.no_auto_login {
                query.append_pair("disable_auto_login", "true");
            }
        }
        url
    }

    /// Opens an [`authorize_url`](Self::authorize_url) as a browser would, up to LINE's first answer: LINE shows an error
    /// page (400) for an address that is not registered, and sends everybody else on to its login (PLATFORM 23.1).
    /// Whether the channel is published shows only after somebody logged in.
    ///
    /// # Errors
    /// LINE does not answer.
    pub async fn probe(&self, url: &Url) -> Result<Probed, LineError> {
        let answer = self.client.fetch(url.clone()).await?;
        let status = answer.status();
        // Read to the end, so that the connection is kept.
        let _ = answer.text(MAX_PAGE).await;
        Ok(match status.as_u16() {
            200..=399 => Probed::Accepted,
            400 => Probed::Refused,
            other => Probed::Unclear(other),
        })
    }

    /// A code for tokens. The code is used up even where this fails (GOTCHAS E8).
    ///
    /// # Errors
    /// Any [`LineError`]; refused with `invalid_grant` for a code that is used, over, or of another address, and with
    /// `invalid_client` for a wrong secret: LINE's words tell which.
    pub async fn exchange_code(
        &self,
        code: &str,
        redirect_uri: &str,
        code_verifier: &str,
    ) -> Result<UserTokens, LineError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", self.channel_id.as_str()),
            ("client_secret", self.secret.expose()),
            ("code_verifier", code_verifier),
        ];
        let call = Call::post("/oauth2/v2.1/token", Body::Form(&form));
        let raw: RawTokens = self.client.exchange(&call, &self.secret).await?.json().await?;
        Ok(UserTokens {
            access_token: Secret::from(raw.access_token),
            id_token: raw.id_token.map(Secret::from),
        })
    }

    /// Whose and how old a person's access token is. `None`: LINE does not take it (revoked, over, made up), or it was
    /// issued for another channel, which must not count here (GOTCHAS E5).
    ///
    /// # Errors
    /// LINE does not answer.
    pub async fn verify_access_token(&self, token: &Secret) -> Result<Option<VerifiedToken>, LineError> {
        let mut url = self.client.endpoints().api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["oauth2", "v2.1", "verify"]);
        }
        url.query_pairs_mut().append_pair("access_token", token.expose());
        match self.client.fetch(url).await?.json::<VerifiedToken>().await {
            Ok(found) => {
                Ok(Some(found).filter(|found| found.client_id == self.channel_id && found.expires_in > 0))
            }
            Err(LineError::Refused { .. } | LineError::Credentials { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Name and picture of the person whose token it is; scope `profile`.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn profile(&self, token: &Secret) -> Result<UserProfile, LineError> {
        self.client.exchange(&Call::get("/v2/profile", &[]), token).await?.json().await
    }

    /// Whether the person is a friend, without blocking it, of the official account that is linked to this channel.
    /// `None`: no account is linked (LINE refuses with 400; PLATFORM 23.2). LINE does not say which one is.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn friendship(&self, token: &Secret) -> Result<Option<bool>, LineError> {
        let answer = self.client.exchange(&Call::get("/friendship/v1/status", &[]), token).await?;
        if answer.status() == StatusCode::BAD_REQUEST {
            return Ok(None);
        }
        answer.json::<Friendship>().await.map(|friendship| Some(friendship.friend_flag))
    }

    /// Ends a person's access token.
    ///
    /// # Errors
    /// Any [`LineError`].
    pub async fn revoke(&self, token: &Secret) -> Result<(), LineError> {
        let form = [
            ("access_token", token.expose()),
            ("client_id", self.channel_id.as_str()),
            ("client_secret", self.secret.expose()),
        ];
        let call = Call::post("/oauth2/v2.1/revoke", Body::Form(&form));
        self.client.exchange(&call, token).await?.done().await
    }

    /// Takes back all that a person allowed this channel, as if they did it in LINE's settings.
    ///
    /// # Errors
    /// Any [`LineError`]; 400 for a token that is over.
    pub async fn deauthorize(&self, token: &Secret) -> Result<(), LineError> {
        let body = json!({ "userAccessToken": token.expose() });
        self.account.call(Call::post("/user/v1/deauthorize", body.into())).await?.done().await
    }
}

impl LineError {
    /// LINE's words of a refusal, for telling apart what a code's exchange was refused for; empty where it said nothing.
    #[must_use]
    pub fn words(&self) -> &str {
        self.body().map_or("", |ErrorBody { message, .. }| message.as_str())
    }
}
