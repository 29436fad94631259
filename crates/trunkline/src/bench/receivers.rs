//! Destinations for the measurements: servers by hand, as the generator is, that note when each event has come to all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{lifecycle, settings};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
/// What stands before the event's number in a body of `load`.
const MARK: &[u8] = b"\"webhookEventId\":\"01K";

/// What has come.
#[derive(Debug)]
pub(super) struct Board {
    begun: Instant,
    /// Deliveries in all.
    count: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    /// Times of events, in µs since the beginning: when LINE had its 200, and when the last destination had the event.
    events: Mutex<HashMap<u64, (u64, u64)>>,
    noted: AtomicBool,
}

impl Board {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            count: 0.into(),
            first: u64::MAX.into(),
            last: 0.into(),
            events: Mutex::default(),
            noted: false.into(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Forgets what has come; events are told apart from now on where `noted`.
    pub(super) fn clear(&self, noted: bool) {
        self.count.store(0, Ordering::SeqCst);
        self.first.store(u64::MAX, Ordering::SeqCst);
        self.last.store(0, Ordering::SeqCst);
        self.noted.store(noted, Ordering::SeqCst);
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Deliveries since it was cleared.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// From the first delivery to the last, in seconds.
    pub(super) fn lasted(&self) -> f64 {
        let (first, last) = (self.first.load(Ordering::SeqCst), self.last.load(Ordering::SeqCst));
        last.saturating_sub(first) as f64 / 1e6
    }

    /// LINE has its 200 for the event.
    pub(super) fn accepted(&self, number: u64) {
        if self.noted.load(Ordering::Relaxed) {
            let now = self.now();
            self.events.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().0 = now;
        }
    }

    fn came(&self, body: &[u8]) {
        let now = self.now();
        self.count.fetch_add(1, Ordering::Relaxed);
        self.first.fetch_min(now, Ordering::Relaxed);
        self.last.fetch_max(now, Ordering::Relaxed);
        if self.noted.load(Ordering::Relaxed)
            && let Some(number) = number(body)
        {
            self.events.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().1 = now;
        }
    }

    /// Milliseconds from LINE's 200 to the last destination's, sorted.
    pub(super) fn lags(&self) -> Vec<f64> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let known = events.values().filter(|(accepted, _)| *accepted > 0);
        let mut lags: Vec<f64> = known.map(|(from, to)| to.saturating_sub(*from) as f64 / 1e3).collect();
        lags.sort_by(f64::total_cmp);
        lags
    }
}

/// The event's number in a body of `load`.
fn number(body: &[u8]) -> Option<u64> {
    let at = body.windows(MARK.len()).rposition(|window| window == MARK)? + MARK.len();
    std::str::from_utf8(body.get(at..at + 23)?).ok()?.parse().ok()
}

/// A destination.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Its address.
    pub(super) url: String,
    /// 0: it answers 200; 1: it answers 503.
    away: Arc<AtomicU8>,
    /// What it took.
    taken: Arc<AtomicU64>,
}

impl Receiver {
    async fn start(board: Arc<Board>) -> anyhow::Result<Self> {
        let listener = lifecycle::bind(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("{}hook", settings::origin(listener.local_addr()?)?);
        let away = Arc::new(AtomicU8::new(0));
        let is_away = Arc::clone(&away);
        let taken = Arc::new(AtomicU64::new(0));
        let takes = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (board, away, taken) = (Arc::clone(&board), Arc::clone(&is_away), Arc::clone(&takes));
                tokio::spawn(talk(stream, board, away, taken));
            }
        });
        Ok(Self { url, away, taken })
    }

    /// What it took so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Goes away, or comes back.
    pub(super) fn go_away(&self, away: bool) {
        self.away.store(u8::from(away), Ordering::SeqCst);
    }
}

/// Five destinations and what came to them.
pub(super) async fn start(count: usize) -> anyhow::Result<(Vec<Receiver>, Arc<Board>)> {
    let board = Arc::new(Board::new());
    let mut receivers = Vec::with_capacity(count);
    for _ in 0..count {
        receivers.push(Receiver::start(Arc::clone(&board)).await?);
    }
    Ok((receivers, board))
}

/// Answers the requests of one connection.
async fn talk(
    mut stream: TcpStream,
    board: Arc<Board>,
    away: Arc<AtomicU8>,
    taken: Arc<AtomicU64>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut read: Vec<u8> = Vec::with_capacity(4096);
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        };
        let text = std::str::from_utf8(read.get(..head)?).ok()?;
        let length: usize = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        })?;
        while read.len() < head + length {
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        }
        let is_away = away.load(Ordering::Relaxed) != 0;
        if !is_away {
            taken.fetch_add(1, Ordering::Relaxed);
            board.came(read.get(head..head + length)?);
        }
        stream.write_all(if is_away { AWAY } else { OK }).await.ok()?;
        read.drain(..head + length);
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_found_in_a_body() {
        assert_eq!(number(br#"{"text":"x","webhookEventId":"01K00000000000000000000042","y":1}"#), Some(42));
        assert_eq!(number(b"{}"), None);
    }
}
