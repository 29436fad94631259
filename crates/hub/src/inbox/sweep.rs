//! Removing files that nothing refers to: pictures that were attached and never sent, and blobs without a row, which a hub
//! leaves behind that is killed between writing a file and noting it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::repo::media;
use crate::app::Hub;
use crate::blobs::{BlobError, BlobKey};
use crate::db::DbError;
use crate::jobs::{Job, Outcome};

/// How often it is looked for.
pub const EVERY: Duration = Duration::from_secs(3600);
/// How long a picture waits for the message it was attached for.
pub const UNSENT_KEPT: Duration = Duration::from_secs(24 * 3600);
/// A younger blob may be on its way to its row. Days and not hours, for whoever starts an older database on these files by
/// mistake: LINE no longer has what would be lost.
const YOUNG: Duration = Duration::from_secs(3 * 24 * 3600);
/// Attachments that one run removes, and blobs that it removes; the next run goes on.
const REMOVED: usize = 1000;
/// A run that has looked at so many blobs ends.
const LOOKED_AT: usize = 20_000;
/// Blobs of one statement.
const BATCH: usize = 500;

/// Removes what nothing refers to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "inbox.sweep";
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Disk(#[from] BlobError),
}

/// The handler of [`Sweep`].
pub async fn run(hub: Hub, _: Sweep) -> Outcome {
    match sweep(&hub).await {
        Ok(()) => Outcome::Done,
        Err(Trouble::Database(error)) => Outcome::from(Err(error)),
        Err(Trouble::Disk(error)) => Outcome::retry(error.to_string()),
    }
}

async fn sweep(hub: &Hub) -> Result<(), Trouble> {
    let attachments = unsent(hub).await?;
    let blobs = orphans(hub).await?;
    if attachments + blobs > 0 {
        tracing::info!(attachments, blobs, "files that nothing refers to were removed");
    }
    Ok(())
}

/// Removes attached pictures that were never sent.
async fn unsent(hub: &Hub) -> Result<usize, Trouble> {
    let limit = i64::try_from(REMOVED).unwrap_or(i64::MAX);
    let mut tx = hub.db.begin().await?;
    let gone = media::forget_unsent(&mut tx, hub.now().minus(UNSENT_KEPT), limit).await?;
    tx.commit().await?;
    // A blob that is left here when the hub is killed has no row any more.
    for blob in gone.iter().filter_map(|blob| BlobKey::parse(blob)) {
        hub.blobs.delete(&blob).await?;
    }
    Ok(gone.len())
}

/// Removes blobs without a row, in folders from a chance one on, so that with many blobs each gets its turn.
async fn orphans(hub: &Hub) -> Result<usize, Trouble> {
    let before = hub.now().minus(YOUNG);
    let [start] = hub.entropy.bytes::<1>();
    let (mut looked_at, mut without) = (0, Vec::new());
    for n in 0..=u8::MAX {
        let blobs = hub.blobs.written_before(start.wrapping_add(n), before).await?;
        looked_at += blobs.len();
        for batch in blobs.chunks(BATCH) {
            let known = media::known(&hub.db, batch).await?;
            without.extend(batch.iter().filter(|blob| !known.contains(blob.as_str())).cloned());
        }
        if looked_at >= LOOKED_AT {
            break;
        }
    }
    if without.len() == looked_at {
        // Not one is known: this is more likely the wrong database than a folder of nothing but leftovers.
        if looked_at > 0 {
            tracing::warn!(blobs = looked_at, "no file belongs to this database; none was removed");
        }
        return Ok(0);
    }
    without.truncate(REMOVED);
    for blob in &without {
        hub.blobs.delete(blob).await?;
    }
    Ok(without.len())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::time::SystemTime;

    use bytes::Bytes;
    use futures_util::stream;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::attachments;
    use super::*;
    use crate::app::testing::{START, TestHub};
    use crate::clock::{Entropy, Timestamp};
    use crate::db::testing::Engine;
    use crate::ids::{AccountId, Id as _, MessageId, TenantId};
    use crate::{args, db::Sql};

    async fn blob(hub: &Hub) -> BlobKey {
        let body = stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x"))]);
        hub.blobs.put(&hub.entropy, body, 10).await.unwrap().key
    }

    /// Files know the machine's time; the test's clock is what counts.
    fn written_at(hub: &Hub, blob: &BlobKey, at: Timestamp) {
        let file = File::options().write(true).open(hub.config.data_dir.join("blobs").join(blob.as_str()));
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(at.millis().unsigned_abs());
        file.unwrap().set_modified(at).unwrap();
    }

    fn is_there(hub: &Hub, blob: &BlobKey) -> bool {
        hub.config.data_dir.join("blobs").join(blob.as_str()).exists()
    }

    fn files(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
    }

    async fn exec(hub: &Hub, text: &'static str, values: Vec<crate::db::Arg>) {
        let mut tx = hub.db.begin().await.unwrap();
        tx.run(&Sql { sqlite: text, postgres: text }, values).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A message with media in this state.
    async fn kept(hub: &Hub, blob: &BlobKey, state: &str) {
        let conversation = hub.id::<crate::ids::ConversationId>();
        let (message, tenant, account): (MessageId, TenantId, AccountId) = (hub.id(), hub.id(), hub.id());
        exec(hub, "INSERT INTO conversations (id, tenant_id, account_id, messenger, kind, external_id, title_search, state,
            unread_count, activity_at, standby, presence_at, created_at, updated_at)
            SELECT $1, $2, $3, 'line', 'user', $1, '', 'open', 0, 0, c.holds, 0, 0, 0 FROM (SELECT 1 = 0 AS holds) AS c",
            args![&conversation, &tenant, &account]).await;
        exec(hub, "INSERT INTO messages (id, tenant_id, account_id, conversation_id, direction, origin, kind, content_at,
            sort_at, standby, created_at)
            SELECT $1, $2, $3, $4, 'in', 'contact', 'image', 0, 0, c.holds, 0 FROM (SELECT 1 = 0 AS holds) AS c",
            args![&message, &tenant, &account, &conversation]).await;
        exec(
            hub,
            "INSERT INTO media (message_id, tenant_id, account_id, state, blob_key, updated_at)
            VALUES ($1, $2, $3, $4, $5, 0)",
            args![&message, &tenant, &account, state, blob.as_str()],
        )
        .await;
    }

    fn account() -> AccountId {
        AccountId::new(START, &Entropy::seeded(8))
    }

    async fn attached(hub: &Hub, tenant: &TenantId, key: &str) -> BlobKey {
        let (blob, account) = (blob(hub).await, account());
        let row = media::Attachment {
            key,
            tenant,
            account: &account,
            blob_key: blob.as_str(),
            content_type: "image/png",
            size: 1,
            created_by: "usr_1",
        };
        let mut tx = hub.db.begin().await.unwrap();
        media::attach(&mut tx, &row, hub.now()).await.unwrap();
        tx.commit().await.unwrap();
        written_at(hub, &blob, hub.now());
        blob
    }

    async fn send(hub: &Hub, tenant: &TenantId, content: Value) -> Result<(), crate::error::AppError> {
        let mut tx = hub.db.begin().await.unwrap();
        attachments::mark_sent(&mut tx, hub, (tenant, &account()), &[&content]).await?;
        tx.commit().await.unwrap();
        Ok(())
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn a_blob_without_a_row_goes_after_three_days(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let hub = &test.hub;
        let mut orphans = Vec::new();
        for _ in 0..40 {
            orphans.push(blob(hub).await);
            written_at(hub, orphans.last().unwrap(), START);
        }
        // Where no blob at all is known, the database is another's.
        test.clock.advance(YOUNG * 2);
        assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
        assert!(orphans.iter().all(|blob| is_there(hub, blob)));
        let (shown, unsent_of_friend, young) = (blob(hub).await, blob(hub).await, blob(hub).await);
        for (blob, state) in [(&shown, "kept"), (&unsent_of_friend, "gone")] {
            kept(hub, blob, state).await;
            written_at(hub, blob, START);
        }
        written_at(hub, &young, hub.now().minus(YOUNG - Duration::from_millis(1)));
        assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
        assert!(orphans.iter().all(|blob| !is_there(hub, blob)));
        assert!(
            is_there(hub, &shown) && is_there(hub, &young),
            "what a row names, and what may be on its way"
        );
        assert!(is_there(hub, &unsent_of_friend), "the job that deletes it knows its name");
        test.clock.advance(YOUNG);
        assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
        assert!(!is_there(hub, &young));
        assert_eq!(files(&hub.config.data_dir.join("blobs")), 2);
        test.close().await;
    }

    #[tokio::test]
    async fn one_run_removes_only_so_much() {
        let test = TestHub::new(Engine::Sqlite).await.unwrap();
        let hub = &test.hub;
        let shown = blob(hub).await;
        kept(hub, &shown, "kept").await;
        written_at(hub, &shown, START);
        let folder = hub.config.data_dir.join("blobs");
        for n in 0..REMOVED + 200 {
            let orphan = BlobKey::parse(&format!("{:02x}/00/{n:036x}", n % 256)).unwrap();
            let path = folder.join(orphan.as_str());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
            written_at(hub, &orphan, START);
        }
        test.clock.advance(YOUNG * 2);
        for left in [201, 1, 1] {
            assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
            assert_eq!(files(&folder), left);
        }
        assert!(is_there(hub, &shown));
        test.close().await;
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn a_picture_that_was_never_sent_goes_after_a_day(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let hub = &test.hub;
        let tenant = TenantId::new(START, &Entropy::seeded(9));
        let theirs = TenantId::new(START, &Entropy::seeded(10));
        let (sent, nested, never) = (
            attached(hub, &tenant, "sent-1").await,
            attached(hub, &tenant, "nested_2").await,
            attached(hub, &tenant, "never").await,
        );
        let url = |key: &str| format!("https://hub.example/media/{key}");
        let image = |key: &str| json!({ "type": "image", "originalContentUrl": url(key), "previewImageUrl": url(key) });
        send(hub, &tenant, image("sent-1")).await.unwrap();
        let flex =
            json!({ "type": "flex", "contents": { "hero": { "url": url("nested_2") }, "x": url("nobody") } });
        send(hub, &tenant, flex).await.unwrap();
        assert_eq!(send(hub, &tenant, image("nobody")).await.unwrap_err().fields[0].code, "unknown_picture");
        assert!(send(hub, &theirs, image("never")).await.is_err(), "another tenant's");
        test.clock.advance(UNSENT_KEPT - Duration::from_secs(1));
        let young = attached(hub, &tenant, "young").await;
        assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
        assert!(is_there(hub, &never), "not before a day is over");
        test.clock.advance(Duration::from_secs(2));
        assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
        assert!(!is_there(hub, &never));
        assert_eq!(media::find_attachment(&hub.db, "never").await.unwrap(), None);
        assert!([&sent, &nested, &young].iter().all(|blob| is_there(hub, blob)));
        assert!(send(hub, &tenant, image("never")).await.is_err(), "too late");
        send(hub, &tenant, image("young")).await.unwrap();
        test.clock.advance(UNSENT_KEPT * 30);
        assert_eq!(run(hub.clone(), Sweep {}).await, Outcome::Done);
        assert!([&sent, &nested, &young].iter().all(|blob| is_there(hub, blob)), "what was sent stays");
        test.close().await;
    }
}
