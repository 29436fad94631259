//! Destinations that misbehave, and that remember what they took: a request counts as taken where it would have its effect,
//! whether or not the answer arrives.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub::clock::Entropy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::lifecycle;

/// How a destination misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It does not.
    Healthy,
    /// It takes no connections for a second, every other second.
    Refuses,
    /// Every fifth time it takes the request and never answers.
    Hangs,
    /// Every fifth time it closes the connection at once, half of these with the request taken.
    Resets,
    /// Every tenth time it answers 429 and asks for a second.
    Busy,
    /// Half of the time it answers 500.
    Flaky,
    /// It takes no connections until the end.
    Away,
}

/// All of them.
pub(super) const HABITS: [Habit; 7] =
    [Habit::Healthy, Habit::Refuses, Habit::Hangs, Habit::Resets, Habit::Busy, Habit::Flaky, Habit::Away];

/// A request that was taken.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) at: Instant,
    /// `x-trunkline-delivery`
    pub(super) delivery: String,
    /// `x-line-signature`
    pub(super) signature: String,
    pub(super) body: String,
    /// Whether the answer was kept back.
    pub(super) is_lost: bool,
}

/// A destination.
#[derive(Debug)]
pub(super) struct Troubled {
    pub(super) habit: Habit,
    pub(super) address: SocketAddr,
    taken: Mutex<Vec<Taken>>,
    /// From now on it behaves.
    well: AtomicBool,
    dice: Entropy,
}

impl Troubled {
    pub(super) async fn start(habit: Habit, seed: u64) -> anyhow::Result<Arc<Self>> {
        let listener = lifecycle::bind(([127, 0, 0, 1], 0).into()).await?;
        let one = Arc::new(Self {
            habit,
            address: listener.local_addr()?,
            taken: Mutex::default(),
            well: false.into(),
            dice: Entropy::seeded(seed),
        });
        tokio::spawn(Arc::clone(&one).listen(listener));
        Ok(one)
    }

    /// It behaves from now on.
    pub(super) fn recover(&self) {
        self.well.store(true, Ordering::SeqCst);
    }

    pub(super) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_well(&self) -> bool {
        self.well.load(Ordering::SeqCst)
    }

    /// Accepts connections, where it does.
    async fn listen(self: Arc<Self>, first: TcpListener) {
        let begun = Instant::now();
        let mut listener = Some(first);
        loop {
            let is_open = self.is_well()
                || match self.habit {
                    Habit::Refuses => begun.elapsed().as_secs().is_multiple_of(2),
                    Habit::Away => false,
                    _ => true,
                };
            if !is_open {
                // What is connected ends as well.
                listener = None;
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            let Some(open) = &listener else {
                listener = lifecycle::bind(self.address).await.ok();
                continue;
            };
            if let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::from_millis(50), open.accept()).await
            {
                tokio::spawn(Arc::clone(&self).talk(stream));
            }
        }
    }

    /// Answers one request, and closes the connection.
    async fn talk(self: Arc<Self>, mut stream: TcpStream) -> Option<()> {
        let mut read: Vec<u8> = Vec::new();
        let head = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        };
        let text = String::from_utf8(read.get(..head)?.to_vec()).ok()?;
        let header = |name: &str| {
            text.lines().find_map(|line| {
                let (this, value) = line.split_once(':')?;
                this.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length: usize = header("content-length")?.parse().ok()?;
        while read.len() < head + length {
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        }
        let body = String::from_utf8(read.get(head..head + length)?.to_vec()).ok()?;
        let taken = |is_lost| {
            let taken = Taken {
                at: Instant::now(),
                delivery: header("x-trunkline-delivery").unwrap_or_default(),
                signature: header("x-line-signature").unwrap_or_default(),
                body: body.clone(),
                is_lost,
            };
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
        };
        let luck = if self.is_well() { u64::MAX } else { self.dice.below(20) };
        let answer = match (self.habit, luck) {
            (Habit::Hangs, 0..4) => {
                taken(true);
                tokio::time::sleep(Duration::from_secs(30)).await;
                return None;
            }
            (Habit::Resets, 0..2) => {
                taken(true);
                return None;
            }
            (Habit::Resets, 2..4) => return None,
            (Habit::Busy, 0..2) => "429 Too Many Requests\r\nretry-after: 1",
            (Habit::Flaky, 0..10) => "500 Internal Server Error",
            _ => {
                taken(false);
                "200 OK"
            }
        };
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.ok()
    }
}
