//! A closed loop of requests: each connection sends, waits for the answer, and sends again. The client speaks HTTP by hand,
//! because a library's client would use more of the two cores than what is measured.
//!
//! [`Source`] makes webhook requests as LINE sends them: every body is about 1 KB, has a fresh `webhookEventId` and is signed anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use super::stage::{Channel, Friend};

/// What is sent, and where to.
pub(super) trait Requests: Send + Sync + 'static {
    /// The origin.
    fn origin(&self) -> &Url;

    /// Writes the next whole request of a connection.
    fn write(&self, lane: usize, request: &mut Vec<u8>);

    /// The connection's last request was answered 200.
    fn accepted(&self, lane: usize) {
        let _ = lane;
    }
}

/// Bodies are filled up to this many bytes.
const BODY: usize = 1024;

/// Whom the requests pretend to come from, and where they go.
#[derive(Debug)]
pub(super) struct Source {
    /// The account's webhook address.
    pub(super) webhook: Url,
    /// The account's channel.
    pub(super) channel: Channel,
    /// Who writes.
    pub(super) friends: Vec<Friend>,
    /// Numbers the events of the whole run, so that none comes twice.
    pub(super) numbers: Arc<AtomicU64>,
}

impl Requests for Source {
    fn origin(&self) -> &Url {
        &self.webhook
    }

    fn write(&self, lane: usize, request: &mut Vec<u8>) {
        self.write_next(lane, request);
    }
}

/// Event ids go on where an earlier run on the same database ended.
pub(super) fn first_number() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a number that no earlier run used")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs() * 1_000_000
}

impl Source {
    /// Writes the next request; gives its event's number.
    pub(super) fn write_next(&self, lane: usize, request: &mut Vec<u8>) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let friend = self.friends.get(lane % self.friends.len().max(1)).map_or("", |friend| &friend.id);
        let body = body(&self.channel.bot_user_id, friend, number);
        let signature = line_api::signature::sign(&self.channel.secret, &body);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json; charset=utf-8\r\nuser-agent: LineBotWebhook/2.0\r\n\
             x-line-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
            self.webhook.path(),
            self.webhook.authority(),
            body.len(),
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(&body);
        number
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Requests answered 200 within the measured time.
    pub(super) accepted: u64,
    /// Requests answered 200 in all, warm-up included.
    pub(super) accepted_in_all: u64,
    /// Other answers.
    pub(super) refused: u64,
    /// The measured time.
    pub(super) lasted: Duration,
    /// Microseconds of each measured request, sorted.
    latencies: Vec<u32>,
}

impl Seen {
    pub(super) fn per_second(&self) -> f64 {
        self.accepted as f64 / self.lasted.as_secs_f64()
    }

    /// The latency that `share` of the requests did not exceed, in ms.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.latencies.get(place).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

/// Drives `connections` for `warm_up`, then for `measured`.
pub(super) async fn run(
    source: Arc<impl Requests>,
    connections: usize,
    warm_up: Duration,
    measured: Duration,
) -> anyhow::Result<Seen> {
    run_at(source, connections, None, warm_up, measured).await
}

/// As [`run`], with so many requests a second in all, where the connections can keep up.
pub(super) async fn run_at(
    source: Arc<impl Requests>,
    connections: usize,
    rate: Option<f64>,
    warm_up: Duration,
    measured: Duration,
) -> anyhow::Result<Seen> {
    let begin = Instant::now() + warm_up;
    let end = begin + measured;
    let gap = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
    let tasks: Vec<_> = (0..connections)
        .map(|lane| tokio::spawn(connection(source.clone(), (lane, connections), gap, begin, end)))
        .collect();
    let mut seen = Seen { lasted: measured, ..Seen::default() };
    for task in tasks {
        let one = task.await??;
        seen.accepted += one.accepted;
        seen.accepted_in_all += one.accepted_in_all;
        seen.refused += one.refused;
        seen.latencies.extend(one.latencies);
    }
    seen.latencies.sort_unstable();
    Ok(seen)
}

async fn connection(
    source: Arc<impl Requests>,
    (lane, lanes): (usize, usize),
    gap: Option<Duration>,
    begin: Instant,
    end: Instant,
) -> anyhow::Result<Seen> {
    let address = source.origin().socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(address.as_slice()).await?;
    stream.set_nodelay(true)?;
    let mut seen = Seen::default();
    let mut request = Vec::with_capacity(2 * BODY);
    let mut answer = Vec::with_capacity(1024);
    // The connections take turns, so that a slow rate is not one burst after another.
    let mut next = Instant::now() + gap.unwrap_or_default().mul_f64(lane as f64 / lanes.max(1) as f64);
    loop {
        if let Some(gap) = gap {
            tokio::time::sleep_until(next.into()).await;
            next += gap;
        }
        request.clear();
        source.write(lane, &mut request);
        let sent = Instant::now();
        stream.write_all(&request).await?;
        let status = read(&mut stream, &mut answer).await?;
        let done = Instant::now();
        if status == 200 {
            seen.accepted_in_all += 1;
            source.accepted(lane);
        } else {
            seen.refused += 1;
        }
        if done > end {
            return Ok(seen);
        }
        if sent >= begin && status == 200 {
            seen.accepted += 1;
            seen.latencies.push(u32::try_from((done - sent).as_micros()).unwrap_or(u32::MAX));
        }
    }
}

/// Reads one answer; gives its status.
async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<u16> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.with_context(|| format!("an answer without length: {head}"))?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).context("no status")?;
        while answer.len() < end + 4 + length {
            if stream.read_buf(answer).await? == 0 {
                bail!("the server closed the connection");
            }
        }
        return Ok(status);
    }
}

/// A webhook body with one text message, about 1 KB.
pub(super) fn body(destination: &str, user: &str, number: u64) -> Vec<u8> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the generator stands for LINE, whose events carry the real time"
    )]
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
    let id = format!("01K{number:023}");
    let mut body = format!(
        r#"{{"destination":"{destination}","events":[{{"type":"message","message":{{"type":"text","id":"{}","quoteToken":"q{number:030}","text":"#,
        500_000_000_000_000_000_u64 + number,
    );
    body.push('"');
    let tail = format!(
        r#"","markAsReadToken":"m{number:030}"}},"webhookEventId":"{id}","deliveryContext":{{"isRedelivery":false}},"timestamp":{now},"source":{{"type":"user","userId":"{user}"}},"replyToken":"{number:032}","mode":"active"}}]}}"#,
    );
    while body.len() + tail.len() + 2 < BODY {
        body.push('茶');
    }
    body.push_str(&tail);
    body.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_a_webhook_of_about_a_kilobyte() {
        let body = body("U0123456789abcdef0123456789abcdef", "Uabcdef0123456789abcdef0123456789", 7);
        assert!((BODY - 8..=BODY).contains(&body.len()), "{}", body.len());
        let envelope = line_api::webhook::parse(&body).unwrap();
        assert_eq!(envelope.events.len(), 1);
        assert!(envelope.events[0].head().id.is_some());
    }
}
