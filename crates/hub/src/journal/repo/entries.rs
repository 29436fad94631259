//! The journal's SQL.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::clock::Timestamp;
use crate::db::{Arg, Db, DbResult, Tx};
use crate::journal::{Entry, NewRequest};
use crate::{args, statements};

statements! {
    FIND_EPOCH = { "SELECT epoch FROM journal_identity" };
    SET_EPOCH = { "INSERT INTO journal_identity (one, epoch) VALUES (1, $1) ON CONFLICT (one) DO NOTHING" };
    HEAD = { "SELECT COALESCE(MAX(position), 0) FROM journal_entries" };
    // Positions become visible in order: the lock is held from before the first position is drawn to the commit.
    LOCK = { sqlite: "SELECT 1", postgres: "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7310579626711377)) AS locked" };
    // The newest entry names its request too, because request bytes expire before entries do.
    LAST_REQUEST = { "SELECT COALESCE(MAX(id), 0) FROM (
            SELECT MAX(id) AS id FROM journal_requests
            UNION ALL
            SELECT MAX(request_id) AS id FROM (
                SELECT request_id FROM journal_entries ORDER BY position DESC LIMIT 1) AS newest) AS ids" };
    DELETE_REQUEST = { "DELETE FROM journal_requests WHERE id = $1" };
    COUNT = { "SELECT COUNT(*) FROM journal_entries" };
    READ = { "SELECT e.position, e.account_id,
            substr(r.body, CAST(e.body_start + 1 AS INTEGER), CAST(e.body_len AS INTEGER)) AS raw,
            e.dedupe_key, e.has_event_id, e.kind, e.redelivered, e.blanked, e.event_at, e.received_at
        FROM (SELECT * FROM journal_entries WHERE position > $1 ORDER BY position LIMIT $2) AS e
        LEFT JOIN journal_requests AS r ON r.id = e.request_id
        ORDER BY e.position" };
    LAG = { "SELECT account_id, COUNT(*) FROM (
            SELECT account_id FROM journal_entries WHERE position > $1 ORDER BY position LIMIT 10000) AS ahead
        GROUP BY account_id ORDER BY account_id" };
    // Two events of one request may be blanked at once: the second waits, or it would put the first's bytes back.
    FIND_PLACE = {
        sqlite: "SELECT r.id, r.body, e.body_start, e.body_len FROM journal_entries AS e
            JOIN journal_requests AS r ON r.id = e.request_id WHERE e.position = $1",
        postgres: "SELECT r.id, r.body, e.body_start, e.body_len FROM journal_entries AS e
            JOIN journal_requests AS r ON r.id = e.request_id WHERE e.position = $1 FOR UPDATE OF r"
    };
    SET_BODY = { "UPDATE journal_requests SET body = $2 WHERE id = $1" };
    SET_BLANKED = { sqlite: "UPDATE journal_entries SET blanked = 1 WHERE position = $1",
        postgres: "UPDATE journal_entries SET blanked = TRUE WHERE position = $1" };
    OLD_REQUESTS = { "SELECT request_id FROM journal_entries
        WHERE request_id IN (SELECT id FROM journal_requests ORDER BY id LIMIT $3)
        GROUP BY request_id HAVING MAX(received_at) < $1 AND MAX(position) <= $2 ORDER BY request_id" };
    DELETE_ENTRIES = { "DELETE FROM journal_entries WHERE position IN (
            SELECT position FROM journal_entries WHERE position <= $2 ORDER BY position LIMIT $3)
        AND received_at < $1" };
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    position: i64,
    account_id: String,
    raw: Option<Vec<u8>>,
    dedupe_key: String,
    has_event_id: bool,
    kind: String,
    redelivered: bool,
    blanked: bool,
    event_at: Timestamp,
    received_at: Timestamp,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            position: row.position,
            account_id: row.account_id,
            raw: row.raw.filter(|_| !row.blanked),
            dedupe_key: row.dedupe_key,
            has_event_id: row.has_event_id,
            kind: row.kind,
            redelivered: row.redelivered,
            event_at: row.event_at,
            received_at: row.received_at,
        }
    }
}

pub(in crate::journal) async fn identity(db: &Db, fresh: i64) -> DbResult<i64> {
    let mut tx = db.begin().await?;
    tx.run(&SET_EPOCH, args![fresh]).await?;
    let epoch = tx.opt::<(i64,)>(&FIND_EPOCH, args![]).await?.map_or(fresh, |(epoch,)| epoch);
    tx.commit().await?;
    Ok(epoch)
}

pub(in crate::journal) async fn head(db: &Db) -> DbResult<i64> {
    Ok(db.opt::<(i64,)>(&HEAD, args![]).await?.map_or(0, |(head,)| head))
}

pub(in crate::journal) async fn count(db: &Db) -> DbResult<i64> {
    Ok(db.opt::<(i64,)>(&COUNT, args![]).await?.map_or(0, |(count,)| count))
}

pub(in crate::journal) async fn read(db: &Db, after: i64, limit: i64) -> DbResult<Vec<Entry>> {
    let rows: Vec<EntryRow> = db.all(&READ, args![after, limit]).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

pub(in crate::journal) async fn lag(db: &Db, position: i64) -> DbResult<HashMap<String, i64>> {
    Ok(db.all::<(String, i64)>(&LAG, args![position]).await?.into_iter().collect())
}

/// Which entries to list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// The accounts that the viewer may see; none means nothing.
    pub accounts: &'a [String],
    /// Only this `webhookEventId`.
    pub webhook_event_id: Option<&'a str>,
    /// Only this `type`.
    pub kind: Option<&'a str>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// After this position.
    pub after: i64,
    /// At most this many.
    pub limit: i64,
}

pub(in crate::journal) async fn list(db: &Db, filter: &Filter<'_>) -> DbResult<Vec<Entry>> {
    if filter.accounts.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = args![filter.after];
    let mut text = String::from(
        "SELECT e.position, e.account_id, NULL AS raw, e.dedupe_key, e.has_event_id, e.kind, e.redelivered, e.blanked, \
         e.event_at, e.received_at FROM journal_entries AS e WHERE e.position > $1",
    );
    if db.is_postgres() {
        text = text.replace("NULL AS raw", "CAST(NULL AS BYTEA) AS raw");
    }
    let mut also = |clause: &str, arg: Arg| {
        args.push(arg);
        text.push_str(&clause.replace('?', &format!("${}", args.len())));
    };
    also(" AND e.account_id IN (?", Arg::from(filter.accounts.first()));
    for account in filter.accounts.iter().skip(1) {
        also(", ?", Arg::from(account));
    }
    also(") AND e.position > ?", Arg::from(filter.after));
    if let Some(id) = filter.webhook_event_id {
        also(" AND e.dedupe_key = ?", Arg::from(id));
    }
    if let Some(kind) = filter.kind {
        also(" AND e.kind = ?", Arg::from(kind));
    }
    if let Some(since) = filter.since {
        also(" AND e.received_at >= ?", Arg::from(since));
    }
    if let Some(until) = filter.until {
        also(" AND e.received_at < ?", Arg::from(until));
    }
    also(" ORDER BY e.position LIMIT ?", Arg::from(filter.limit));
    let rows: Vec<EntryRow> = db.all_built(text, args).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The appending side: keeps the texts of its multi-row statements and, on SQLite, the last request's number.
#[derive(Default)]
pub(in crate::journal) struct Requests {
    texts: HashMap<(bool, usize), Arc<str>>,
    last: Option<i64>,
    alone: bool,
}

/// SQLite takes 32,766 values in a statement, PostgreSQL 65,535; an entry has 10.
const ROWS: usize = 1000;

/// The number of the last request, 0 when there is none.
pub(in crate::journal) async fn last_request(db: &Db) -> DbResult<i64> {
    Ok(db.opt::<(i64,)>(&LAST_REQUEST, args![]).await?.map_or(0, |(last,)| last))
}

impl Requests {
    /// For one request after number `last`, which the caller draws; no lock is taken.
    pub(in crate::journal) fn alone(last: i64) -> Self {
        Self { texts: HashMap::new(), last: Some(last), alone: true }
    }

    /// Appends all requests in one transaction: one statement for the requests, one for their events, one commit.
    pub(in crate::journal) async fn append(&mut self, db: &Db, requests: &[&NewRequest]) -> DbResult<()> {
        let result = self.try_append(db, requests).await;
        if result.is_err() {
            self.last = None;
        }
        result
    }

    async fn try_append(&mut self, db: &Db, requests: &[&NewRequest]) -> DbResult<()> {
        let mut tx = db.begin().await?;
        let mut last = match (db, self.last) {
            // Nobody else writes this file: the folder is locked.
            (Db::Sqlite { .. }, Some(last)) => last,
            (_, Some(last)) if self.alone => last,
            _ => {
                tx.opt::<(i32,)>(&LOCK, args![]).await?;
                tx.opt::<(i64,)>(&LAST_REQUEST, args![]).await?.map_or(0, |(last,)| last)
            }
        };
        let mut rows = Vec::with_capacity(requests.len() * 3);
        let mut entries = Vec::with_capacity(requests.len() * 10);
        let mut ids = Vec::with_capacity(requests.len());
        for request in requests {
            // An empty batch (LINE's Verify) leaves no trace in the journal.
            if request.events.is_empty() {
                continue;
            }
            last += 1;
            ids.push(last);
            rows.extend(args![last, request.body.as_ref(), request.signature.as_str()]);
            entry_args(&mut entries, last, request);
        }
        self.insert(&mut tx, false, 3, rows).await?;
        let fresh: HashSet<i64> =
            self.insert(&mut tx, true, 10, entries).await?.into_iter().map(|(id,)| id).collect();
        for id in ids.iter().filter(|id| !fresh.contains(id)) {
            // Every event of this request was there already: a redelivery adds nothing.
            tx.run(&DELETE_REQUEST, args![*id]).await?;
        }
        tx.commit().await?;
        self.last = Some(last);
        Ok(())
    }

    async fn insert(
        &mut self,
        tx: &mut Tx,
        entries: bool,
        width: usize,
        args: Vec<Arg>,
    ) -> DbResult<Vec<(i64,)>> {
        let mut fresh = Vec::new();
        let mut args = args.into_iter().peekable();
        while args.peek().is_some() {
            let part: Vec<Arg> = args.by_ref().take(ROWS * width).collect();
            let rows = part.len() / width;
            let text = self.texts.entry((entries, rows)).or_insert_with(|| insert_text(entries, width, rows));
            fresh.extend(tx.all_built::<(i64,)>(text, part).await?);
        }
        Ok(fresh)
    }
}

fn insert_text(entries: bool, width: usize, rows: usize) -> Arc<str> {
    let mut text = String::from(if entries {
        "INSERT INTO journal_entries (account_id, dedupe_key, request_id, body_start, body_len, kind, has_event_id, \
         redelivered, event_at, received_at) VALUES "
    } else {
        "INSERT INTO journal_requests (id, body, signature) VALUES "
    });
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            let n = row * width + column + 1;
            text.push_str(&if column == 0 { format!("${n}") } else { format!(", ${n}") });
        }
        text.push(')');
    }
    if entries {
        text.push_str(" ON CONFLICT (account_id, dedupe_key) DO NOTHING RETURNING request_id");
    }
    text.into()
}

fn entry_args(entries: &mut Vec<Arg>, request_id: i64, request: &NewRequest) {
    let mut hash = None;
    for (place, event) in request.events.iter().enumerate() {
        let key = event.webhook_event_id.clone().unwrap_or_else(|| {
            let hash = hash.get_or_insert_with(|| digest::digest(&digest::SHA256, &request.body));
            let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("request:{hex}:{place}")
        });
        let as_i64 = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        entries.extend(args![
            request.account_id.as_str(),
            key,
            request_id,
            as_i64(event.start),
            as_i64(event.len),
            event.kind.as_str(),
            event.webhook_event_id.is_some(),
            event.redelivered,
            event.event_at,
            request.received_at,
        ]);
    }
}

pub(in crate::journal) async fn blank(db: &Db, position: i64) -> DbResult<()> {
    let mut tx = db.begin().await?;
    let place: Option<(i64, Option<Vec<u8>>, i64, i64)> = tx.opt(&FIND_PLACE, args![position]).await?;
    if let Some((id, Some(mut body), start, len)) = place {
        let (start, len) = (usize::try_from(start).unwrap_or(0), usize::try_from(len).unwrap_or(0));
        if let Some(bytes) = body.get_mut(start..start.saturating_add(len)) {
            bytes.fill(b' ');
        }
        tx.run(&SET_BODY, args![id, body]).await?;
    }
    tx.run(&SET_BLANKED, args![position]).await?;
    tx.commit().await
}

pub(in crate::journal) async fn prune(
    db: &Db,
    requests_before: Timestamp,
    entries_before: Timestamp,
    cursor: i64,
    limit: i64,
) -> DbResult<u64> {
    let mut tx = db.begin().await?;
    let old: Vec<(i64,)> = tx.all(&OLD_REQUESTS, args![requests_before, cursor, limit]).await?;
    let mut gone = 0;
    for (request,) in old {
        gone += tx.run(&DELETE_REQUEST, args![request]).await?;
    }
    gone += tx.run(&DELETE_ENTRIES, args![entries_before, cursor, limit]).await?;
    tx.commit().await?;
    Ok(gone)
}
