//! What the inbox does later: media from LINE, groups' names, and forgetting what was unsent.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt as _;
use line_client::{Content, LineError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content;
use super::repo::{media, write};
use crate::app::Hub;
use crate::blobs::{BlobError, BlobKey};
use crate::db::{DbError, DbResult, LogAndIgnore as _, Tx};
use crate::ids::{ConversationId, Id, MessageId, TenantId};
use crate::jobs::{self, Job, Lane, NewJob, Outcome};
use crate::live::Notice;
use crate::scope::Scope;

/// The largest media kept, in bytes; LINE publishes no maximum for friends' files (GOTCHAS G5), the app's is 1 GB for some.
pub const MAX_MEDIA: u64 = 300 << 20;
/// How long media at an outside address may take.
const OUTSIDE_TIMEOUT: Duration = Duration::from_secs(120);

/// Fetches a message's media from LINE, at once, before LINE drops it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchMedia {
    /// The message.
    pub message: String,
}

impl Job for FetchMedia {
    const KIND: &'static str = "inbox.media";
    const LANE: Lane = Lane::MEDIA;
    const MAX_ATTEMPTS: u32 = 12;
    const TIMEOUT: Duration = Duration::from_secs(600);
}

/// Asks LINE for a group's name and picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchGroup {
    /// The conversation.
    pub conversation: String,
    /// Its tenant.
    pub tenant: String,
}

impl Job for FetchGroup {
    const KIND: &'static str = "inbox.group";
    const LANE: Lane = Lane::PROFILE;
    const MAX_ATTEMPTS: u32 = 8;
    const TIMEOUT: Duration = Duration::from_secs(40);
}

/// Blanks the bytes of an unsent message in the journal, once every consumer has passed it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlankJournal {
    /// The entry.
    pub position: i64,
}

impl Job for BlankJournal {
    const KIND: &'static str = "inbox.blank";
}

/// Deletes the media of an unsent message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteBlob {
    /// The message.
    pub message: String,
    /// The blob.
    pub blob: String,
}

impl Job for DeleteBlob {
    const KIND: &'static str = "inbox.delete_blob";
}

pub(super) async fn fetch_media(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    message: &MessageId,
) -> DbResult<()> {
    let job = FetchMedia { message: message.as_str().to_owned() };
    jobs::enqueue(tx, hub, Some(tenant), &job, NewJob::once(message.as_str())).await.map(drop)
}

pub(super) async fn fetch_group(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    conversation: &ConversationId,
) -> DbResult<()> {
    let job =
        FetchGroup { conversation: conversation.as_str().to_owned(), tenant: tenant.as_str().to_owned() };
    jobs::enqueue(tx, hub, Some(tenant), &job, NewJob::once(conversation.as_str())).await.map(drop)
}

pub(super) async fn blank_journal(tx: &mut Tx, hub: &Hub, tenant: &TenantId, position: i64) -> DbResult<()> {
    let job = BlankJournal { position };
    jobs::enqueue(tx, hub, Some(tenant), &job, NewJob::once(position.to_string())).await.map(drop)
}

pub(super) async fn delete_blob(
    tx: &mut Tx,
    hub: &Hub,
    tenant: &TenantId,
    message: &MessageId,
    blob: &str,
) -> DbResult<()> {
    let job = DeleteBlob { message: message.as_str().to_owned(), blob: blob.to_owned() };
    jobs::enqueue(tx, hub, Some(tenant), &job, NewJob::once(message.as_str())).await.map(drop)
}

/// The handler of [`FetchMedia`].
pub async fn run_media(hub: Hub, job: FetchMedia) -> Outcome {
    let Some(id) = MessageId::parse(&job.message) else {
        return Outcome::fail("the message's id is malformed");
    };
    let waiting = match media::waiting(&hub.db, &id).await {
        Ok(Some(waiting)) => waiting,
        Ok(None) => return Outcome::Done,
        Err(error) => return Outcome::from(Err(error)),
    };
    let line = match crate::accounts::service::line(&hub, &waiting.account_id).await {
        Ok(line) => line,
        Err(error) if error.status == StatusCode::NOT_FOUND => {
            return settle(&hub, &id, &waiting, "failed", "the account is disconnected").await;
        }
        Err(error) => return Outcome::from(error),
    };
    let content: Value =
        waiting.content.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let external = content.pointer("/contentProvider/originalContentUrl").and_then(Value::as_str);
    let fetched = match (external, waiting.external_id.as_deref()) {
        (Some(url), _) => {
            let inside = &hub.config.allow_private_destinations;
            match hub.guard.fetch(url, inside, MAX_MEDIA, OUTSIDE_TIMEOUT).await {
                Ok(found) => store(&hub, found.content_type, found.body).await,
                Err(error) if error.is_transient() => return Outcome::retry(error.to_string()),
                Err(error) => return settle(&hub, &id, &waiting, "failed", &error.to_string()).await,
            }
        }
        (None, Some(external_id)) => match line.content(external_id).await {
            Ok(Content::Ready { content_type, body, .. }) => store(&hub, content_type, body).await,
            // LINE is still preparing a long video or sound (GOTCHAS G1).
            Ok(Content::NotReady) => {
                return Outcome::Retry {
                    after: Some(Duration::from_secs(2)),
                    reason: "LINE is preparing it".to_owned(),
                };
            }
            Ok(Content::Gone) => return settle(&hub, &id, &waiting, "gone", "the friend took it back").await,
            Ok(Content::NotFound) => {
                return settle(&hub, &id, &waiting, "failed", "LINE no longer has it").await;
            }
            Err(LineError::Refused { .. }) => {
                return settle(&hub, &id, &waiting, "failed", "LINE refused to give it").await;
            }
            Err(error) => return Outcome::retry(error.to_string()),
        },
        (None, None) => return Outcome::fail("the message has no id at LINE"),
    };
    let (key, content_type, size) = match fetched {
        Ok(kept) => kept,
        Err(BlobError::TooLarge(_)) => {
            return settle(&hub, &id, &waiting, "failed", "it is larger than the hub keeps").await;
        }
        Err(error) => return Outcome::retry(error.to_string()),
    };
    match keep(&hub, &id, &key, &content_type, size).await {
        Ok(true) => {
            tell(&hub, &id, &waiting);
            Outcome::Done
        }
        // Unsent meanwhile: nothing of it is kept.
        Ok(false) => match hub.blobs.delete(&key).await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::retry(error.to_string()),
        },
        Err(error) => {
            // The next attempt fetches it anew; without this nobody would know of the first copy.
            hub.blobs.delete(&key).await.log_and_ignore("deleting media that could not be noted");
            Outcome::from(Err(error))
        }
    }
}

/// Streams a body to disk; the type is what the first bytes show, LINE's word where they show nothing.
async fn store<S, E>(
    hub: &Hub,
    content_type: Option<String>,
    mut body: S,
) -> Result<(BlobKey, String, i64), BlobError>
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, E>> + Send + Unpin + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let first = body.next().await;
    let head = match &first {
        Some(Ok(bytes)) => sniff(bytes),
        _ => None,
    };
    let declared =
        content_type.as_deref().map(|text| text.split(';').next().unwrap_or(text).trim().to_lowercase());
    // A type that a browser would show counts only when the bytes show it too.
    let declared = declared.filter(|text| !content::is_shown(text));
    let content_type =
        head.map(str::to_owned).or(declared).unwrap_or_else(|| "application/octet-stream".to_owned());
    let whole = futures_util::stream::iter(first).chain(body);
    let kept = hub.blobs.put(&hub.entropy, whole, MAX_MEDIA).await?;
    Ok((kept.key, content_type, i64::try_from(kept.size).unwrap_or(i64::MAX)))
}

async fn keep(hub: &Hub, id: &MessageId, key: &BlobKey, content_type: &str, size: i64) -> DbResult<bool> {
    let mut tx = hub.db.begin().await?;
    let kept = media::keep(&mut tx, id, key.as_str(), content_type, size, hub.now()).await?;
    tx.commit().await?;
    Ok(kept)
}

async fn settle(hub: &Hub, id: &MessageId, waiting: &media::Waiting, state: &str, error: &str) -> Outcome {
    let done = async {
        let mut tx = hub.db.begin().await?;
        media::set_state(&mut tx, id, state, error, hub.now()).await?;
        tx.commit().await
    };
    let result: Result<(), DbError> = done.await;
    if result.is_ok() {
        tell(hub, id, waiting);
    }
    Outcome::from(result)
}

fn tell(hub: &Hub, id: &MessageId, waiting: &media::Waiting) {
    hub.live.publish(Notice {
        tenant: waiting.tenant_id.clone(),
        account: Some(waiting.account_id.clone()),
        kind: "message",
        id: id.as_str().to_owned(),
        conversation: Some(waiting.conversation_id.clone()),
    });
}

/// The known pictures, videos and sounds, by their first bytes. Everything else is served as an attachment.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, b"\xFF\xD8\xFF") {
        return Some("image/jpeg");
    }
    if at(0, b"\x89PNG\r\n\x1A\n") {
        return Some("image/png");
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Some("image/gif");
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Some("image/webp");
    }
    if at(4, b"ftyp") {
        return Some(if at(8, b"M4A ") || at(8, b"M4B ") { "audio/mp4" } else { "video/mp4" });
    }
    if at(0, b"ID3") || at(0, b"\xFF\xFB") || at(0, b"\xFF\xF3") {
        return Some("audio/mpeg");
    }
    if at(0, b"OggS") {
        return Some("audio/ogg");
    }
    (at(0, b"RIFF") && at(8, b"WAVE")).then_some("audio/wav")
}

/// The handler of [`FetchGroup`].
pub async fn run_group(hub: Hub, job: FetchGroup) -> Outcome {
    let (Some(id), Some(tenant)) = (ConversationId::parse(&job.conversation), TenantId::parse(&job.tenant))
    else {
        return Outcome::fail("an id is malformed");
    };
    let scope = Scope::tenant_wide(tenant);
    let conversation = match super::repo::read::find(&hub.db, &scope, &id).await {
        Ok(Some(conversation)) => conversation,
        Ok(None) => return Outcome::Done,
        Err(error) => return Outcome::from(Err(error)),
    };
    let line = match crate::accounts::service::line(&hub, &conversation.account_id).await {
        Ok(line) => line,
        Err(error) if error.status == StatusCode::NOT_FOUND => return Outcome::Done,
        Err(error) => return Outcome::from(error),
    };
    let summary = match line.group_summary(&conversation.external_id).await {
        Ok(Some(summary)) => summary,
        Ok(None) | Err(LineError::Refused { .. }) => return Outcome::Done,
        Err(error) => return Outcome::retry(error.to_string()),
    };
    let stored = async {
        let mut tx = hub.db.begin().await?;
        let title = crate::text::storable(&summary.group_name);
        write::set_title(&mut tx, &id, &title, summary.picture_url.as_deref(), hub.now()).await?;
        tx.commit().await
    };
    let stored = stored.await;
    if stored.is_ok() {
        hub.live.publish(Notice {
            tenant: conversation.tenant_id,
            account: Some(conversation.account_id),
            kind: "conversation",
            id: id.as_str().to_owned(),
            conversation: Some(id),
        });
    }
    Outcome::from(stored)
}

/// The handler of [`BlankJournal`].
pub async fn run_blank(hub: Hub, job: BlankJournal) -> Outcome {
    let slowest = match crate::wiring::read_by_all(&hub).await {
        Ok(position) => position,
        Err(error) => return Outcome::from(Err(error)),
    };
    if slowest < job.position {
        return Outcome::wait("a consumer has not passed it yet");
    }
    Outcome::from(hub.journal.blank(job.position).await)
}

/// The handler of [`DeleteBlob`].
pub async fn run_delete_blob(hub: Hub, job: DeleteBlob) -> Outcome {
    let (Some(id), Some(key)) = (MessageId::parse(&job.message), BlobKey::parse(&job.blob)) else {
        return Outcome::fail("an id is malformed");
    };
    if let Err(error) = hub.blobs.delete(&key).await {
        return Outcome::retry(error.to_string());
    }
    let done = async {
        let mut tx = hub.db.begin().await?;
        media::forgotten(&mut tx, &id, hub.now()).await?;
        tx.commit().await
    };
    Outcome::from(done.await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_their_first_bytes() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1A\n...."), Some("image/png"));
        assert_eq!(sniff(b"\xFF\xD8\xFF\xE0"), Some("image/jpeg"));
        assert_eq!(sniff(b"\0\0\0\x18ftypmp42"), Some("video/mp4"));
        assert_eq!(sniff(b"<svg onload=alert(1)>"), None);
        assert_eq!(sniff(b"<html>"), None);
    }
}
