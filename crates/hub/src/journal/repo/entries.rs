//! The journal's SQL.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_lc_rs::digest;
use sqlx::postgres::PgPool;

use crate::clock::Timestamp;
use crate::db::{Arg, Db, DbResult};
use crate::journal::{Entry, NewEvent, NewRequest};
use crate::{args, statements};

statements! {
    FIND_EPOCH = { "SELECT epoch FROM journal_identity" };
    SET_EPOCH = { "INSERT INTO journal_identity (one, epoch) VALUES (1, $1) ON CONFLICT (one) DO NOTHING" };
    HEAD = { "SELECT COALESCE(MAX(position), 0) FROM journal_entries" };
    // The newest entry names its request too, because request bytes expire before entries do.
    LAST_REQUEST = { "SELECT COALESCE(MAX(id), 0) FROM (
            SELECT MAX(id) AS id FROM journal_requests
            UNION ALL
            SELECT MAX(request_id) AS id FROM (
                SELECT request_id FROM journal_entries ORDER BY position DESC LIMIT 1) AS newest) AS ids" };
    // On SQLite many rows go in by one text, put together by `script`.
    APPEND = {
        sqlite: "SELECT 1",
        postgres: "SELECT journal_append($1::BYTEA[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::BIGINT[],
            $7::BIGINT[], $8::TEXT[], $9::BOOLEAN[], $10::BOOLEAN[], $11::BIGINT[], $12::BIGINT[])"
    };
    INSERT_REQUEST = { "INSERT INTO journal_requests (id, body, signature) VALUES ($1, $2, $3)" };
    INSERT_ENTRY = { "INSERT INTO journal_entries (account_id, dedupe_key, request_id, body_start, body_len, kind,
            has_event_id, redelivered, event_at, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (account_id, dedupe_key) DO NOTHING" };
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
    PLACES = { "SELECT position FROM journal_entries WHERE position >= $1 AND position <= $2 AND account_id = $3
        AND received_at = $4 ORDER BY position" };
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
    // The newest stays, however old: by it a cursor of another journal is known.
    DELETE_ENTRIES = { "DELETE FROM journal_entries WHERE position IN (
            SELECT position FROM journal_entries WHERE position <= $2 ORDER BY position LIMIT $3)
        AND received_at < $1 AND position < (SELECT MAX(position) FROM journal_entries)" };
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

/// The entries at these positions, in order, with their JSON.
pub(in crate::journal) async fn at(db: &Db, positions: &[i64]) -> DbResult<Vec<Entry>> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<_> = (1..=positions.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        "SELECT e.position, e.account_id, \
         substr(r.body, CAST(e.body_start + 1 AS INTEGER), CAST(e.body_len AS INTEGER)) AS raw, \
         e.dedupe_key, e.has_event_id, e.kind, e.redelivered, e.blanked, e.event_at, e.received_at \
         FROM journal_entries AS e LEFT JOIN journal_requests AS r ON r.id = e.request_id \
         WHERE e.position IN ({}) ORDER BY e.position",
        places.join(", ")
    );
    let rows: Vec<EntryRow> =
        db.all_built(text, positions.iter().map(|position| Arg::from(*position)).collect()).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

pub(in crate::journal) async fn lag(db: &Db, position: i64) -> DbResult<HashMap<String, i64>> {
    Ok(db.all::<(String, i64)>(&LAG, args![position]).await?.into_iter().collect())
}

/// The positions from the first to the last that hold an event which came to the account at that moment.
pub(in crate::journal) async fn places(
    db: &Db,
    (first, last): (i64, i64),
    account: &str,
    received_at: Timestamp,
) -> DbResult<Vec<i64>> {
    let rows: Vec<(i64,)> = db.all(&PLACES, args![first, last, account, received_at]).await?;
    Ok(rows.into_iter().map(|(position,)| position).collect())
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

/// The number of the last request, 0 when there is none.
pub(in crate::journal) async fn last_request(db: &Db) -> DbResult<i64> {
    Ok(db.opt::<(i64,)>(&LAST_REQUEST, args![]).await?.map_or(0, |(last,)| last))
}

/// SQLite takes 32,766 values in a statement; an entry has 10.
const ROWS: usize = 3000;

/// Appends all requests in one transaction and one trip to the database; requests of which no event is new leave nothing.
///
/// `last` is the number of the last request, where the caller knows it: nobody else writes an SQLite file, because the
/// folder is locked. PostgreSQL draws numbers by itself, behind the lock that keeps positions in order.
pub(in crate::journal) async fn append(
    db: &Db,
    requests: &[&NewRequest],
    last: &mut Option<i64>,
) -> DbResult<()> {
    // An empty batch (LINE's Verify) leaves no trace in the journal.
    let requests: Vec<&NewRequest> =
        requests.iter().copied().filter(|request| !request.events.is_empty()).collect();
    if requests.is_empty() {
        return Ok(());
    }
    match db {
        Db::Sqlite { .. } => {
            let before = match last.take() {
                Some(before) => before,
                None => last_request(db).await?,
            };
            let (text, args) = script(before, &requests);
            db.run_script(text, args).await?;
            *last = Some(before + as_i64(requests.len()));
        }
        Db::Postgres(pool) => append_columns(pool, &requests).await?,
    }
    Ok(())
}

/// Appends one request in a transaction of its own, statement by statement, as a hub without group commit would.
pub(in crate::journal) async fn append_alone(db: &Db, id: i64, request: &NewRequest) -> DbResult<()> {
    let mut tx = db.begin().await?;
    tx.run(&INSERT_REQUEST, args![id, request.body.as_ref(), request.signature.as_str()]).await?;
    for line in lines(id, request) {
        let mut args = Vec::with_capacity(10);
        line.push_args(&mut args);
        tx.run(&INSERT_ENTRY, args).await?;
    }
    tx.commit().await
}

/// SQLite: everything from BEGIN to COMMIT as one text. Parameters are plain `?`, because a numbered one is a name there,
/// looked up among all others.
fn script(before: i64, requests: &[&NewRequest]) -> (String, Vec<Arg>) {
    let events = requests.iter().map(|request| request.events.len()).sum();
    let mut text = String::with_capacity(512 + 40 * events);
    let mut args = Vec::with_capacity(10 * events + 3 * requests.len() + 1);
    text.push_str("BEGIN IMMEDIATE; ");
    let numbered = || (before + 1..).zip(requests.iter().copied());
    let mut in_statement = 0;
    for (id, request) in numbered() {
        for line in lines(id, request) {
            if in_statement == ROWS {
                text.push_str(ENTRIES_END);
                in_statement = 0;
            }
            text.push_str(if in_statement == 0 { ENTRIES } else { ", " });
            text.push_str("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
            line.push_args(&mut args);
            in_statement += 1;
        }
    }
    text.push_str(ENTRIES_END);
    text.push_str(REQUESTS);
    for (id, request) in numbered() {
        text.push_str(if id == before + 1 { "(?, ?, ?)" } else { ", (?, ?, ?)" });
        args.extend(args![id, request.body.as_ref(), request.signature.as_str()]);
    }
    text.push_str(REQUESTS_END);
    args.push(Arg::from(as_i64(events)));
    text.push_str("COMMIT");
    (text, args)
}

const ENTRIES: &str = "INSERT INTO journal_entries (account_id, dedupe_key, request_id, body_start, body_len, kind, \
     has_event_id, redelivered, event_at, received_at) VALUES ";
const ENTRIES_END: &str = " ON CONFLICT (account_id, dedupe_key) DO NOTHING; ";
/// Only requests of which an event is new: those have their entries at the journal's end.
const REQUESTS: &str = "INSERT INTO journal_requests (id, body, signature) SELECT * FROM (VALUES ";
const REQUESTS_END: &str =
    ") WHERE column1 IN (SELECT request_id FROM journal_entries ORDER BY position DESC LIMIT ?); ";

/// PostgreSQL: the function `journal_append` of the migration, which locks, inserts and is its own transaction.
async fn append_columns(pool: &PgPool, requests: &[&NewRequest]) -> DbResult<()> {
    fn column<'a, S, T>(rows: &'a [S], value: impl Fn(&'a S) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let lines: Vec<Line<'_>> =
        (1..).zip(requests).flat_map(|(place, request)| lines(place, request)).collect();
    sqlx::query(APPEND.postgres)
        .bind(column(requests, |request| request.body.as_ref()))
        .bind(column(requests, |request| request.signature.as_str()))
        .bind(column(&lines, |line| line.account))
        .bind(column(&lines, |line| line.key.as_ref()))
        .bind(column(&lines, |line| line.request))
        .bind(column(&lines, |line| line.start))
        .bind(column(&lines, |line| line.len))
        .bind(column(&lines, |line| line.event.kind.as_str()))
        .bind(column(&lines, |line| line.event.webhook_event_id.is_some()))
        .bind(column(&lines, |line| line.event.redelivered))
        .bind(column(&lines, |line| line.event.event_at.millis()))
        .bind(column(&lines, |line| line.received_at.millis()))
        .execute(pool)
        .await?;
    Ok(())
}

fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
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
    fn push_args(&self, args: &mut Vec<Arg>) {
        args.extend([
            Arg::from(self.account),
            Arg::from(self.key.as_ref()),
            Arg::from(self.request),
            Arg::from(self.start),
            Arg::from(self.len),
            Arg::from(self.event.kind.as_str()),
            Arg::from(self.event.webhook_event_id.is_some()),
            Arg::from(self.event.redelivered),
            Arg::from(self.event.event_at),
            Arg::from(self.received_at),
        ]);
    }
}

/// A request's events. One without an id is known by the request's bytes and its place in them.
fn lines(request_id: i64, request: &NewRequest) -> impl Iterator<Item = Line<'_>> {
    let mut hash = None;
    request.events.iter().enumerate().map(move |(place, event)| Line {
        account: request.account_id.as_str(),
        key: match &event.webhook_event_id {
            Some(id) => Cow::Borrowed(id.as_str()),
            None => {
                let hash = hash.get_or_insert_with(|| digest::digest(&digest::SHA256, &request.body));
                let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                Cow::Owned(format!("request:{hex}:{place}"))
            }
        },
        request: request_id,
        start: as_i64(event.start),
        len: as_i64(event.len),
        event,
        received_at: request.received_at,
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
    (cursor, needed): (i64, i64),
    limit: i64,
) -> DbResult<u64> {
    let mut tx = db.begin().await?;
    let old: Vec<(i64,)> = tx.all(&OLD_REQUESTS, args![requests_before, cursor, limit]).await?;
    let mut gone = 0;
    for (request,) in old {
        gone += tx.run(&DELETE_REQUEST, args![request]).await?;
    }
    gone += tx.run(&DELETE_ENTRIES, args![entries_before, needed.min(cursor), limit]).await?;
    tx.commit().await?;
    Ok(gone)
}
