//! The journal's SQL.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::clock::Timestamp;
use crate::db::{Arg, Db, DbResult, Tx};
use crate::journal::{Entry, NewEvent, NewRequest};
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
    // One row of the multi-row statements on SQLite: a plain `?`, because a numbered parameter is a name there, looked up
    // among all others. PostgreSQL takes columns, so its text is the same for any number of rows and planned once.
    INSERT_REQUESTS = {
        sqlite: "INSERT INTO journal_requests (id, body, signature) VALUES (?, ?, ?)",
        postgres: "INSERT INTO journal_requests (id, body, signature)
            SELECT * FROM UNNEST($1::BIGINT[], $2::BYTEA[], $3::TEXT[])"
    };
    INSERT_ENTRIES = {
        sqlite: "INSERT OR IGNORE INTO journal_entries (account_id, dedupe_key, request_id, body_start, body_len, kind,
                has_event_id, redelivered, event_at, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        postgres: "INSERT INTO journal_entries (account_id, dedupe_key, request_id, body_start, body_len, kind,
                has_event_id, redelivered, event_at, received_at)
            SELECT * FROM UNNEST($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::TEXT[],
                $7::BOOLEAN[], $8::BOOLEAN[], $9::BIGINT[], $10::BIGINT[])
            ON CONFLICT (account_id, dedupe_key) DO NOTHING"
    };
    NEWEST = { "SELECT request_id FROM journal_entries ORDER BY position DESC LIMIT $1" };
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
    texts: HashMap<(&'static str, usize), Arc<str>>,
    last: Option<i64>,
    alone: bool,
}

/// SQLite takes 32,766 values in a statement; an entry has 10.
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
        let mut rows = Vec::with_capacity(requests.len());
        let mut entries = Vec::with_capacity(requests.len());
        for request in requests {
            // An empty batch (LINE's Verify) leaves no trace in the journal.
            if !request.events.is_empty() {
                last += 1;
                rows.push((last, *request));
                entries.extend(lines(last, request));
            }
        }
        let added = match &mut tx {
            Tx::Sqlite(_) => self.insert_rows(&mut tx, &rows, &entries).await?,
            Tx::Postgres(tx) => insert_columns(tx, &rows, &entries).await?,
        };
        if added < entries.len() {
            // Some events were there already. A request of which none is new adds nothing: a redelivery.
            let added = i64::try_from(added).unwrap_or(i64::MAX);
            let newest: Vec<(i64,)> = tx.all(&NEWEST, args![added]).await?;
            let fresh: HashSet<i64> = newest.into_iter().map(|(request,)| request).collect();
            for (id, _) in rows.iter().filter(|(id, _)| !fresh.contains(id)) {
                tx.run(&DELETE_REQUEST, args![*id]).await?;
            }
        }
        tx.commit().await?;
        self.last = Some(last);
        Ok(())
    }

    /// SQLite: as few statements as its number of parameters allows. Gives how many entries are new.
    async fn insert_rows(
        &mut self,
        tx: &mut Tx,
        rows: &[(i64, &NewRequest)],
        entries: &[Line<'_>],
    ) -> DbResult<usize> {
        for part in rows.chunks(ROWS) {
            let args =
                part.iter().flat_map(|(id, request)| args![*id, request.body.as_ref(), request.signature.as_str()]);
            let text = self.text(&INSERT_REQUESTS, part.len());
            tx.run_built(&text, args.collect()).await?;
        }
        let mut added = 0;
        for part in entries.chunks(ROWS) {
            let text = self.text(&INSERT_ENTRIES, part.len());
            added += tx.run_built(&text, part.iter().flat_map(Line::args).collect()).await?;
        }
        Ok(usize::try_from(added).unwrap_or(usize::MAX))
    }

    /// The statement of one row made one of `rows` rows.
    fn text(&mut self, sql: &Sql, rows: usize) -> Arc<str> {
        let text = self.texts.entry((sql.sqlite, rows)).or_insert_with(|| {
            let row = sql.sqlite.rfind('(').and_then(|at| sql.sqlite.get(at..)).unwrap_or_default();
            let mut text = sql.sqlite.to_owned();
            for _ in 1..rows {
                text.push_str(", ");
                text.push_str(row);
            }
            text.into()
        });
        text.clone()
    }
}

/// PostgreSQL: one statement for the requests and one for their events. Gives how many entries are new.
async fn insert_columns(
    tx: &mut PgTransaction<'_>,
    rows: &[(i64, &NewRequest)],
    entries: &[Line<'_>],
) -> DbResult<usize> {
    fn column<'a, S, T>(lines: &'a [S], value: impl Fn(&'a S) -> T) -> Vec<T> {
        lines.iter().map(value).collect()
    }
    sqlx::query(INSERT_REQUESTS.postgres)
        .bind(column(rows, |(id, _)| *id))
        .bind(column(rows, |(_, request)| request.body.as_ref()))
        .bind(column(rows, |(_, request)| request.signature.as_str()))
        .execute(&mut **tx)
        .await?;
    let inserted = sqlx::query(INSERT_ENTRIES.postgres)
        .bind(column(entries, |line| line.account))
        .bind(column(entries, |line| line.key.as_ref()))
        .bind(column(entries, |line| line.request))
        .bind(column(entries, |line| line.start))
        .bind(column(entries, |line| line.len))
        .bind(column(entries, |line| line.event.kind.as_str()))
        .bind(column(entries, |line| line.event.webhook_event_id.is_some()))
        .bind(column(entries, |line| line.event.redelivered))
        .bind(column(entries, |line| line.event.event_at.millis()))
        .bind(column(entries, |line| line.received_at.millis()))
        .execute(&mut **tx)
        .await?;
    Ok(usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX))
}

/// An event on its way into the journal.
struct Line<'a> {
    account: &'a str,
    key: Cow<'a, str>,
    request: i64,
    start: i64,
    len: i64,
    event: &'a NewEvent,
    received_at: Timestamp,
}

impl Line<'_> {
    fn args(&self) -> Vec<Arg> {
        args![
            self.account,
            self.key.as_ref(),
            self.request,
            self.start,
            self.len,
            self.event.kind.as_str(),
            self.event.webhook_event_id.is_some(),
            self.event.redelivered,
            self.event.event_at,
            self.received_at,
        ]
    }
}

/// A request's events. One without an id is known by the request's bytes and its place in them.
fn lines(id: i64, request: &NewRequest) -> impl Iterator<Item = Line<'_>> {
    let mut hash = None;
    request.events.iter().enumerate().map(move |(place, event)| {
        let key = match &event.webhook_event_id {
            Some(id) => Cow::Borrowed(id.as_str()),
            None => {
                let hash = hash.get_or_insert_with(|| digest::digest(&digest::SHA256, &request.body));
                let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                Cow::Owned(format!("request:{hex}:{place}"))
            }
        };
        let as_i64 = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Line {
            account: request.account_id.as_str(),
            key,
            request: id,
            start: as_i64(event.start),
            len: as_i64(event.len),
            event,
            received_at: request.received_at,
        }
    })
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
