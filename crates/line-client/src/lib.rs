//! A typed client of LINE's Messaging API for many official accounts at once.
//!
//! ```no_run
//! # use line_client::*;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let line = LineClient::new(Endpoints::default())?;      // once for a whole process
//! let account = line.account(Credentials {                 // once for each connected channel
//!     channel_id: "1656000000".into(),
//!     channel_secret: Secret::from("…"),
//!     access_token: None,                                   // tokens are issued from ID and secret,
//!     signing_key: None,                                    // not by a key of our own
//! });
//! let hello = serde_json::json!({"type": "text", "text": "Hello"});
//! match account.push("U4af4980629…", &[hello], "123e4567-e89b-12d3-a456-426614174000", false).await {
//!     Ok(sent) => println!("{} accepted", sent.messages.len()),
//!     Err(LineError::Unknown { .. }) => println!("send the same body again with the same retry key"),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok(()) }
//! ```
//!
//! [`LineClient`] holds one connection pool, [`Account`] one channel's credentials and its current token; both are
//! cheap to clone. Nothing is stored and nothing is tried again by itself, except once after a 401: what to do next
//! is the caller's decision, and [`LineError`] says what it can be.
//!
//! | file | holds |
//! | --- | --- |
//! | `account.rs` | [`Account`] and every call but the two below |
//! | `send.rs` | reply and push, with bodies that can be stored before the first try |
//! | `richmenu.rs` | rich menus found and removed, and whether LINE gives the list of followers |
//! | `content.rs` | pictures, videos, sounds and files that friends sent, as a stream |
//! | `forward.rs` | calls of somebody else, passed on with the account's token |
//! | `token.rs` | the token's life |
//! | `assertion.rs` | signing keys, by which tokens are issued in place of the secret |
//! | `pasted.rs` | which of two pasted values is wrong, and whose a pasted token is |
//! | `probe.rs` | whether LINE's hosts are reached |
//! | `transport.rs` | one HTTP exchange: address, headers, time limits, log line, refusals |
//! | `error.rs` | [`LineError`] |
//! | `login.rs` | LINE Login: the address a browser is sent to, codes for tokens, what a person's token opens |
//! | `liff.rs` | the LIFF apps of a Login channel |
//! | `id_token.rs` | who logged in, proven by LINE's signature |
//! | `secret.rs` | [`Secret`], which does not print itself |

mod account;
mod assertion;
mod content;
pub mod der;
mod error;
mod forward;
mod id_token;
mod liff;
mod login;
mod pasted;
mod probe;
mod richmenu;
mod secret;
mod send;
mod token;
mod transport;

pub use account::{Account, Credentials, SendKind};
pub use assertion::{NewSigningKey, SigningKey, SigningKeyError};
pub use content::{Content, ContentStream};
pub use error::{BuildError, Cause, LineError};
pub use forward::{Foreign, Forwarded};
pub use id_token::{IdClaims, IdTokenFault, IdTokenKeys, Wanted, verify_liff, verify_web};
pub use liff::{LiffApp, LiffFeatures, LiffView, MAX_LIFF_APPS, NewLiffApp};
pub use line_api::api::{
    BotInfo, ChatMode, Consumption, ErrorBody, GroupSummary, MarkAsReadMode, MemberProfile, Profile, Quota,
    QuotaKind, RichMenu, RichMenuAlias, SentMessage, Transcoding, TranscodingStatus, WebhookEndpoint,
    WebhookTest,
};
pub use login::{Authorize, LoginChannel, Probed, UserProfile, UserTokens, VerifiedToken};
pub use pasted::{CredentialFault, PastedToken, diagnose_credentials, inspect_token};
pub use probe::{Host, Probe};
pub use richmenu::DefaultMenu;
pub use secret::Secret;
pub use send::{Sent, push_body, reply_body};
pub use transport::{Clock, Endpoints, LineClient, Timeouts, WallClock};
