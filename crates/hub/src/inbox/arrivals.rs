//! What came in for an account, as the end of its set-up asks.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::model::Conversation;
use super::service::{self, Filter};
use crate::accounts::guide::{Arrival, Arrivals};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;

/// What LINE calls messages; anything else in a conversation is an act, such as a friend-add.
const MESSAGES: [&str; 7] = ["text", "sticker", "image", "video", "audio", "file", "location"];

/// Reads it from the conversations.
#[derive(Debug)]
pub struct Came;

impl Arrivals for Came {
    fn newest<'a>(
        &'a self,
        hub: &'a Hub,
        scope: &'a Scope,
        account: &'a AccountId,
        since: Timestamp,
    ) -> BoxFuture<'a, AppResult<Option<Arrival>>> {
        async move {
            let filter = Filter { account: Some(account.clone()), limit: 1, ..Filter::default() };
            let newest = service::list(hub, scope, &filter).await?.into_iter().next();
            Ok(newest.filter(|newest| newest.activity_at >= since).map(|newest| arrival(&newest)))
        }
        .boxed()
    }
}

fn arrival(conversation: &Conversation) -> Arrival {
    let last = conversation.last_message.as_ref();
    let content = last.and_then(|last| last.content.as_ref());
    let word = |name: &str| content.and_then(|content| content.get(name)?.as_str()).map(str::to_owned);
    let kind = word("type").unwrap_or_default();
    // An answer of ours stands below what was answered.
    let is_message = last.is_some_and(|last| !last.inbound) || MESSAGES.contains(&kind.as_str());
    let who = conversation.contact.as_ref().and_then(|contact| contact.display_name.clone());
    Arrival {
        href: format!("/inbox/{}", conversation.id),
        who: who.or_else(|| conversation.title.clone()),
        text: word("text").filter(|_| last.is_some_and(|last| last.inbound)),
        is_message,
        at: conversation.activity_at,
    }
}
