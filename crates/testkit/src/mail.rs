//! A mail server that speaks SMTP and keeps what it takes.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A letter as it came.
#[derive(Debug, Clone, Default)]
pub struct Mailed {
    /// Whom the envelope names.
    pub to: Vec<String>,
    /// Headers and content, as sent.
    pub raw: String,
}

impl Mailed {
    /// A header's value, with continuation lines joined.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.raw.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }
}

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub enum Manner {
    /// It takes everything.
    #[default]
    Takes,
    /// It answers every letter with this line: `550 5.1.1 no such user`.
    Refuses(String),
    /// It takes no login, with this line; without a login it takes no letter.
    NoLogin(String),
    /// It says nothing at all.
    Hangs,
}

/// A server on loopback; it ends when dropped.
#[derive(Debug)]
pub struct MailServer {
    /// `127.0.0.1:port`
    pub address: String,
    kept: Arc<Mutex<Vec<Mailed>>>,
    manner: Arc<Mutex<Manner>>,
    _stop: DropGuard,
}

impl MailServer {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (kept, manner) = (Arc::<Mutex<Vec<Mailed>>>::default(), Arc::<Mutex<Manner>>::default());
        let stop = CancellationToken::new();
        let (keep, how, ended) = (kept.clone(), manner.clone(), stop.clone());
        tokio::spawn(ended.run_until_cancelled_owned(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let how = how.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(talk(stream, how, keep.clone()));
            }
        }));
        Self { address, kept, manner, _stop: stop.drop_guard() }
    }

    /// Its address for `TRUNKLINE_SMTP_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Behaves so from the next connection on.
    pub fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// What it took so far, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Mailed> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One conversation.
async fn talk(stream: TcpStream, manner: Manner, kept: Arc<Mutex<Vec<Mailed>>>) -> Option<()> {
    if matches!(manner, Manner::Hangs) {
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        return None;
    }
    let (reads, mut writes) = stream.into_split();
    let mut lines = BufReader::new(reads).lines();
    let mut letter = Mailed::default();
    writes.write_all(b"220 test ESMTP\r\n").await.ok()?;
    while let Some(line) = lines.next_line().await.ok()? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match (verb.as_str(), &manner) {
            ("EHLO", _) => "250-test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN".to_owned(),
            ("AUTH" | "MAIL", Manner::NoLogin(words)) | ("RCPT", Manner::Refuses(words)) => words.clone(),
            ("AUTH", _) => "235 2.7.0 fine".to_owned(),
            ("RCPT", _) => {
                letter.to.push(line.split(['<', '>']).nth(1).unwrap_or_default().to_owned());
                "250 2.1.5 fine".to_owned()
            }
            ("DATA", _) => {
                writes.write_all(b"354 go on\r\n").await.ok()?;
                while let Some(line) = lines.next_line().await.ok()? {
                    if line == "." {
                        break;
                    }
                    letter.raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                    letter.raw.push_str("\r\n");
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut letter));
                "250 2.0.0 taken".to_owned()
            }
            ("QUIT", _) => "221 2.0.0 bye".to_owned(),
            _ => "250 2.0.0 fine".to_owned(),
        };
        writes.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
    Some(())
}
