//! Keeps a sandbox in a folder, so that it is still there after a restart.
//!
//! | File | Holds |
//! | --- | --- |
//! | `messages.jsonl` | the messages, one per line, appended; a message that changed stands again, the last line counts |
//! | `content/{message}` | the bytes of pictures, videos, audio and files |
//! | `state` | everything else of `World` with clock and ids, as MessagePack, replaced whole |
//!
//! Saved a second after something happened, and at the end. A crash loses what came since; a webhook on its way, faults and
//! the logs are never kept.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Inner;
use crate::messages::{Content, Message, NewMessage, Via, compact};
use crate::world::{Chat, World};

/// Grows when a field changes its meaning; a folder of another version is refused.
const VERSION: u32 = 1;
/// The shortest time between two saves; long ones wait twenty times as long as they took.
const PAUSE: Duration = Duration::from_secs(1);

/// The `state` file. Written by reference, read as owned.
#[derive(Serialize, Deserialize)]
struct State<W> {
    version: u32,
    clock_offset_ms: i64,
    ids: (u64, u64, u64),
    world: W,
}

/// A line of `messages.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: u64,
    channel: String,
    chat: Chat,
    author: Option<u64>,
    at: i64,
    via: Via,
    read: bool,
    edited: bool,
    unsent: bool,
    value: Value,
    content: Option<LineContent>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LineContent {
    content_type: String,
    ready_at: i64,
    fails: bool,
}

/// The folder of a running sandbox. Nobody else may use it meanwhile.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    /// Held locked as long as the sandbox runs.
    _lock: File,
    /// How many messages of the list are on disk.
    written: usize,
    /// The world's count of resets at the last save.
    resets: u64,
}

impl Disk {
    /// Takes the folder, making it where it is missing, and reads what it holds into the sandbox.
    ///
    /// # Errors
    /// The folder cannot be used, another sandbox uses it, or its files cannot be read.
    pub(crate) fn open(folder: &Path, inner: &Inner) -> io::Result<Self> {
        fs::create_dir_all(folder.join("content"))?;
        let lock = OpenOptions::new().create(true).append(true).open(folder.join("lock"))?;
        lock.try_lock().map_err(|_| io::Error::other("another sandbox uses this folder"))?;
        let mut disk = Self { folder: folder.to_owned(), _lock: lock, written: 0, resets: 0 };
        match fs::read(disk.folder.join("state")) {
            Ok(bytes) => disk.read(&bytes, inner)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.forget_messages()?,
            Err(error) => return Err(error),
        }
        inner.world().messages.track();
        Ok(disk)
    }

    fn read(&mut self, bytes: &[u8], inner: &Inner) -> io::Result<()> {
        let unreadable = |what: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the folder's state cannot be read: {what}"))
        };
        let state: State<World> = rmp_serde::from_slice(bytes).map_err(|error| unreadable(&error))?;
        if state.version != VERSION {
            return Err(unreadable(&format!("it is of version {}, this is {VERSION}", state.version)));
        }
        let mut world = state.world;
        let mut lines = 0_usize;
        let mut last: HashMap<u64, Line> = HashMap::new();
        let mut order: Vec<u64> = Vec::new();
        if let Ok(file) = File::open(self.folder.join("messages.jsonl")) {
            for line in BufReader::new(file).lines() {
                // A crash may cut the last line.
                let Ok(line) = serde_json::from_str::<Line>(&line?) else { continue };
                lines += 1;
                let id = line.id;
                if last.insert(id, line).is_none() {
                    order.push(id);
                }
            }
        }
        order.sort_unstable();
        for line in order.iter().filter_map(|id| last.remove(id)) {
            let content = line.content.as_ref().map(|content| Content {
                bytes: fs::read(self.content(line.id)).map(Bytes::from).unwrap_or_default(),
                content_type: content.content_type.clone(),
                ready_at: content.ready_at,
                fails: content.fails,
            });
            world.messages.add(NewMessage {
                id: line.id,
                channel: &line.channel,
                chat: &line.chat,
                author: line.author,
                text: compact(&line.value),
                at: line.at,
                via: line.via,
                read: line.read,
                content,
            });
            if let Some(message) = world.messages.get_mut(line.id) {
                message.edited = line.edited;
                message.unsent = line.unsent;
            }
        }
        inner.clock.restore(state.clock_offset_ms);
        let (seed, next, last_message) = state.ids;
        inner.ids.restore(seed, next, last_message.max(order.last().copied().unwrap_or(0)));
        self.resets = world.resets;
        // Changed lines pile up; a file with more of them than messages is written anew at the next save.
        if lines > 2 * order.len() + 1_000 {
            self.forget_messages()?;
        } else {
            self.written = order.len();
        }
        *inner.world() = world;
        Ok(())
    }

    fn content(&self, id: u64) -> PathBuf {
        self.folder.join("content").join(id.to_string())
    }

    fn forget_messages(&mut self) -> io::Result<()> {
        self.written = 0;
        File::create(self.folder.join("messages.jsonl")).map(drop)
    }

    /// Writes what changed. The world is locked while it is copied out, not while it is written.
    fn save(&mut self, inner: &Inner) -> io::Result<()> {
        let mut world = inner.world_as_it_is();
        let anew = world.resets != self.resets;
        let from = if anew { 0 } else { self.written };
        let changed = world.messages.take_changed();
        let earlier = changed.into_iter().filter(|place| *place < from);
        let places = earlier.chain(from..world.messages.len());
        let (mut lines, mut contents) = (Vec::new(), Vec::new());
        let mut at = from;
        for place in places {
            let Some(message) = world.messages.at(place) else { continue };
            if let Some(content) = &message.content {
                contents.push((message.id, content.bytes.clone()));
            }
            serde_json::to_writer(&mut lines, &line(&world, message)).map_err(io::Error::other)?;
            lines.push(b'\n');
            at = at.max(place + 1);
        }
        let state = State {
            version: VERSION,
            clock_offset_ms: inner.clock.ahead(),
            ids: inner.ids.state(),
            world: &*world,
        };
        let state = rmp_serde::to_vec_named(&state).map_err(io::Error::other)?;
        let resets = world.resets;
        drop(world);

        if anew {
            fs::remove_dir_all(self.folder.join("content"))?;
            fs::create_dir_all(self.folder.join("content"))?;
            self.forget_messages()?;
            self.resets = resets;
        }
        for (id, bytes) in contents {
            fs::write(self.content(id), bytes)?;
        }
        if !lines.is_empty() {
            let file =
                OpenOptions::new().create(true).append(true).open(self.folder.join("messages.jsonl"))?;
            let mut file = BufWriter::new(file);
            file.write_all(&lines)?;
            file.flush()?;
        }
        self.written = at;
        let new = self.folder.join("state.new");
        fs::write(&new, state)?;
        fs::rename(new, self.folder.join("state"))
    }
}

fn line(world: &World, message: &Message) -> Line {
    Line {
        id: message.id,
        channel: world.messages.channel_of(message).to_owned(),
        chat: world.messages.chat_of(message).cloned().unwrap_or_else(|| Chat::Group(String::new())),
        author: message.author,
        at: message.at,
        via: message.via,
        read: message.read,
        edited: message.edited,
        unsent: message.unsent,
        value: message.value(),
        content: message.content.as_deref().map(|content| LineContent {
            content_type: content.content_type.clone(),
            ready_at: content.ready_at,
            fails: content.fails,
        }),
    }
}

/// Saves after something happened, until `end`, and a last time then.
pub(crate) async fn keep(inner: Arc<Inner>, mut disk: Disk, end: CancellationToken) {
    loop {
        let stopping = end.is_cancelled();
        let took = if inner.touched.swap(false, Ordering::AcqRel) || stopping {
            let saver = Arc::clone(&inner);
            let started = Instant::now();
            let saved = tokio::task::spawn_blocking(move || {
                let result = disk.save(&saver);
                (disk, result)
            });
            let Ok((back, result)) = saved.await else { return };
            disk = back;
            if let Err(error) = result {
                tracing::error!(%error, folder = %disk.folder.display(), "failed to save the sandbox");
                inner.touched.store(true, Ordering::Release);
            }
            started.elapsed()
        } else {
            Duration::ZERO
        };
        if stopping {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE.max(took * 20)) => {}
            () = end.cancelled() => {}
        }
    }
}
