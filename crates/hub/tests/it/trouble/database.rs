//! A database that is full or away: 503 means that LINE sends again, 200 that it is on disk; both are kept to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hub::clock::{Entropy, SystemClock};
use hub::config::{Config, LineHosts};
use hub::db::testing::{TestDb, is_ci, server};
use hub::db::{Db, Url as Place};
use hub::journal::Commit;
use hub::start::{self, Parts, Running};
use hub::team::{self, Actor};
use line_sandbox::Sandbox;
use testkit::{Account, Engine, TestHub};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::*;

/// Texts long enough to need room.
fn long(n: u32) -> String {
    format!("{n} {}", "茶".repeat(1300))
}

/// The numbers at the head of the messages that came in, in order.
fn numbers(lines: &[Value]) -> Vec<u32> {
    let inbound = lines.iter().filter(|line| line["direction"] == "in");
    inbound.filter_map(|line| line["content"]["text"].as_str()?.split(' ').next()?.parse().ok()).collect()
}

// The hub's tables have no room for a moment, the journal has: LINE is answered 200 and the inbox catches up. SQLite ends a
// transaction by itself when there is no room, which must not leave the hub's one writer unusable.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_hubs_tables_full_the_inbox_waits_and_catches_up() {
    let Some(hub) = TestHub::new().with_loops().start().await else { return };
    let account = hub.connect_account().await;
    let first = letter(&account, &[text_event(&hub, STRANGER, 1, &long(1), 0)]);
    assert_eq!(post_signed(&account, first).await, 200);
    eventually("the first message", async || {
        (all(hub.api(), "/conversations").await.len() == 1).then_some(())
    })
    .await;

    let Db::Sqlite { write, .. } = &hub.hub().db else { panic!("not on SQLite") };
    let full = async || {
        let mut connection = write.acquire().await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await.unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).execute(&mut *connection).await.unwrap();
    };
    for n in 2..=40 {
        if n % 10 == 2 {
            full().await;
        }
        let body = letter(&account, &[text_event(&hub, STRANGER, n, &long(n), i64::from(n))]);
        assert_eq!(post_signed(&account, body).await, 200, "the journal has room");
    }
    // The limit is the connection's, which may have outlived the trouble.
    let mut connection = write.acquire().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1073741823").execute(&mut *connection).await.unwrap();
    drop(connection);
    eventually("everything is shown", async || (numbers(&lines(&hub).await).len() >= 40).then_some(())).await;
    assert_eq!(numbers(&lines(&hub).await), (1..=40).collect::<Vec<_>>());
    assert_eq!(all(hub.api(), "/events").await.len(), 40);
    assert_eq!(send(&hub, "goes on", true).await.status, 202);
    assert_eq!(hub.running().failure(), None);
    hub.close().await;
}

// The whole disk is full: 503, so that LINE sends again; with space everything works, without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_and_after_space_returns_nothing_accepted_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::small(dir.path()) else {
        return Disk::elsewhere(
            "trouble::database::a_full_disk_is_503_and_after_space_returns_nothing_accepted_is_missing",
        );
    };
    let site = Site::start(Place::Sqlite(dir.path().to_owned()), dir.path()).await;
    for n in 1..=5 {
        assert_eq!(site.post(n).await, 200);
    }
    site.shows(5).await;
    disk.fill();
    let mut refused = Vec::new();
    let mut sent = Vec::new();
    for n in 6..=40 {
        match site.post(n).await {
            200 => {}
            503 => refused.push(n),
            other => panic!("{other}"),
        }
        let words = format!("answer {n}");
        sent.push((site.send(&words).await, words));
    }
    assert!(refused.len() > 20, "the disk was not full: {refused:?}");
    assert!(sent.iter().any(|(status, _)| *status == 503), "{sent:?}");
    disk.free();
    for n in refused {
        eventually("LINE's next try is taken", async || (site.post(n).await == 200).then_some(())).await;
    }
    site.shows(40).await;
    site.all_sent_once(&sent).await;
    site.close().await;
}

// PostgreSQL ends every connection again and again, as a restart or a failover does.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_postgresql_ends_lose_and_double_nothing() {
    let Some(hub) = TestHub::new().engine(Engine::Postgres).with_loops().start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("林小晴").await;
    friend.says(&account, "0 first").await;
    eventually("the first message", async || {
        (all(hub.api(), "/conversations").await.len() == 1).then_some(())
    })
    .await;
    let path = format!("/conversations/{}/messages", text(&conversation(&hub).await["id"]));

    let Place::Postgres(address) = &hub.hub().config.database else { panic!("not on PostgreSQL") };
    let name = Url::parse(address).unwrap().path().trim_start_matches('/').to_owned();
    let pool = sqlx::PgPool::connect(&server()).await.unwrap();
    let ending = CancellationToken::new();
    let killer = tokio::spawn({
        let (ending, pool) = (ending.clone(), pool.clone());
        async move {
            let mut killed = 0;
            while !ending.is_cancelled() {
                let end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
                let count: i64 = sqlx::query_scalar(end).bind(&name).fetch_one(&pool).await.unwrap();
                killed += count;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            killed
        }
    });
    let mut sent = Vec::new();
    for n in 1..=40 {
        let event = text_event(&hub, &friend.id, n, &format!("{n} more"), i64::from(n));
        let body = letter(&account, &[event]);
        eventually("LINE's next try is taken", async || match post_signed(&account, body.as_str()).await {
            200 => Some(()),
            503 => None,
            other => panic!("{other}"),
        })
        .await;
        if n % 4 == 0 {
            let words = format!("answer {n}");
            let body = json!({ "messages": [{ "type": "text", "text": words }] });
            let status = hub.api().post(&path, body).await.status.as_u16();
            assert!([202, 503].contains(&status), "{status}");
            sent.push((status, words));
        }
    }
    ending.cancel();
    let killed = killer.await.unwrap();
    assert!(killed >= 20, "only {killed} connections were ended");
    pool.close().await;
    eventually("everything is shown", async || {
        let shown = hub.api().get(&format!("{path}?limit=200")).await;
        let shown =
            if shown.status == 200 { shown.json()["items"].as_array().cloned()? } else { return None };
        (numbers(&shown).len() >= 41).then_some(())
    })
    .await;
    assert_eq!(numbers(&lines(&hub).await), (0..=40).collect::<Vec<_>>());
    // Each by its words: one that was answered 503 may have come as well.
    eventually("the answers are on the phone", async || {
        let received = friend.texts_received(&account).await;
        let mut accepted = sent.iter().filter(|(status, _)| *status == 202);
        accepted.all(|(_, words)| received.contains(words)).then_some(())
    })
    .await;
    once_each(&sent, &friend.texts_received(&account).await);
    assert_eq!(hub.running().failure(), None);
    hub.close().await;
}

// The server is gone for a while: connections break and new ones are refused.
#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_the_answer_is_503_and_afterwards_everything_goes_on() {
    let Some(db) = TestDb::new(Engine::Postgres).await else { return };
    let Place::Postgres(address) = &db.url else { panic!("not on PostgreSQL") };
    let mut address = Url::parse(address).unwrap();
    let host = address.host_str().unwrap_or("127.0.0.1").to_owned();
    let mut wire = Wire::lay(format!("{host}:{}", address.port().unwrap_or(5432))).await;
    address.set_host(Some("127.0.0.1")).unwrap();
    address.set_port(Some(wire.port)).unwrap();
    let site = Site::start(Place::Postgres(address.into()), db.dir()).await;
    for n in 1..=5 {
        assert_eq!(site.post(n).await, 200);
    }
    site.shows(5).await;
    assert_eq!(site.ready().await, 200);

    let sent_before = (site.send("before").await, "before".to_owned());
    wire.cut();
    let began = tokio::time::Instant::now();
    let statuses = futures_util::future::join_all((6..=12).map(|n| site.post(n))).await;
    assert_eq!(statuses, [503; 7]);
    // LINE waits 2 s (PLATFORM 15), so the hub does not wait as long as its pool would, which is 10 s. What lies between
    // is for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let during = site.send("during");
    let restored = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        wire.restore().await;
    };
    let (during, ()) = tokio::join!(during, restored);
    assert!([202, 503].contains(&during), "{during}");
    for n in 6..=12 {
        eventually("LINE's next try is taken", async || (site.post(n).await == 200).then_some(())).await;
    }
    site.shows(12).await;
    site.all_sent_once(&[sent_before, (during, "during".to_owned())]).await;
    assert_eq!(site.ready().await, 200);
    site.close().await;
    db.close().await;
}

/// Checks that what was answered 202 arrived once, and what was answered 503 at most once.
fn once_each(sent: &[(u16, String)], received: &[String]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for words in received {
        *counts.entry(words).or_default() += 1;
    }
    for (status, words) in sent {
        let count = counts.remove(words.as_str()).unwrap_or(0);
        assert!(
            if *status == 202 { count == 1 } else { count <= 1 },
            "{words} was answered {status} and came {count} times"
        );
    }
    assert!(counts.is_empty(), "nobody sent {counts:?}");
}

/// A disk whose space runs out when a test says so.
enum Disk {
    /// A small file system in memory, unmounted when dropped.
    Mounted(PathBuf),
    /// This process may not write beyond the first kilobyte of a file, which needs no rights. It holds for all of the
    /// process, so that only a process that runs nothing but one test has such a disk.
    Limited,
}

impl Disk {
    /// Tells a test that [`elsewhere`](Self::elsewhere) started it.
    const VARIABLE: &str = "TRUNKLINE_TEST_DISK";

    /// A small disk; `None` where this process cannot have one.
    #[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
    fn small(at: &Path) -> Option<Self> {
        if std::env::var(Self::VARIABLE).is_ok_and(|how| how == "limited") {
            return Some(Self::Limited);
        }
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(at).output().ok()?;
        done.status.success().then(|| Self::Mounted(at.to_owned()))
    }

    /// Runs the test in a process that can: as the root of a user namespace of its own, or with a limit on its files.
    #[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
    fn elsewhere(test: &str) {
        assert!(std::env::var(Self::VARIABLE).is_err(), "the process made for it has no small disk");
        let works = |program: &str, words: &[&str]| {
            Command::new(program).args(words).output().is_ok_and(|o| o.status.success())
        };
        let mut command = if works("unshare", &["-rm", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]) {
            let mut command = Command::new("unshare");
            command.arg("-rm").env(Self::VARIABLE, "mounted");
            command
        } else if works("prlimit", &["--fsize"]) {
            // Without the signal that ends a process at its limit, a write fails as on a full disk.
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).env(Self::VARIABLE, "limited");
            command
        } else {
            assert!(!is_ci(), "a small disk is needed under CI=true: mount, unshare or prlimit");
            eprintln!("skipped: there is no way to a small disk here: mount, unshare or prlimit");
            return;
        };
        let run = command.arg(std::env::current_exe().unwrap()).args(["--exact", test]).output().unwrap();
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{told}\n{}", String::from_utf8_lossy(&run.stderr));
        assert!(told.contains("1 passed"), "{told}");
    }

    /// Leaves no space.
    fn fill(&self) {
        match self {
            Self::Mounted(at) => {
                use std::io::Write as _;
                let mut ballast = std::fs::File::create(at.join("ballast")).unwrap();
                while ballast.write_all(&[0; 4096]).is_ok() {}
            }
            Self::Limited => Self::limit("1024"),
        }
    }

    /// Gives the space back.
    fn free(&self) {
        match self {
            Self::Mounted(at) => std::fs::remove_file(at.join("ballast")).unwrap(),
            Self::Limited => Self::limit("unlimited"),
        }
    }

    fn limit(bytes: &str) {
        let limit = format!("--fsize={bytes}:unlimited");
        let done = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &limit]).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted(at) = self {
            // Lazily: a test that failed may still have files open.
            drop(Command::new("umount").arg("-l").arg(at).output());
        }
    }
}

/// A wire to a server that can be cut and laid again.
struct Wire {
    port: u16,
    to: String,
    _current: Option<DropGuard>,
}

impl Wire {
    async fn lay(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut wire = Self { port, to, _current: None };
        wire.carry(listener);
        wire
    }

    fn carry(&mut self, listener: TcpListener) {
        let (stop, to) = (CancellationToken::new(), self.to.clone());
        self._current = Some(stop.clone().drop_guard());
        tokio::spawn(async move {
            let accept = async {
                loop {
                    let Ok((mut near, _)) = listener.accept().await else { continue };
                    let (stop, to) = (stop.clone(), to.clone());
                    tokio::spawn(async move {
                        let Ok(mut far) = TcpStream::connect(to).await else { return };
                        tokio::select! {
                            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                            () = stop.cancelled() => {}
                        }
                    });
                }
            };
            tokio::select! {
                () = accept => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Breaks every connection and refuses new ones.
    fn cut(&mut self) {
        self._current = None;
    }

    async fn restore(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.carry(listener);
    }
}

/// A hub whose database is where the test puts it, beside a local LINE; its own loops run, on the machine's clock.
pub(super) struct Site {
    running: Running,
    http: reqwest::Client,
    hub: Url,
    line: Url,
    key: String,
    account: Account,
    friend: (String, String),
}

impl Site {
    pub(super) async fn start(database: Place, data_dir: &Path) -> Self {
        let listeners = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let [hub, line] = listeners
            .each_ref()
            .map(|listener| Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap());
        let config = Config {
            public_url: hub.clone(),
            data_dir: data_dir.to_owned(),
            database,
            line: LineHosts::sandbox(&line),
            master_key: None,
            master_key_file: None,
            webhook_max: 1 << 20,
            allow_private_destinations: hub::guard::Inside::All,
            destinations_max: 5,
            trusted_proxies: hub::web::Proxies::default(),
            mail: None,
            session_life: Duration::from_secs(3600),
        };
        let parts = Parts {
            config,
            clock: Arc::new(SystemClock),
            entropy: Entropy::seeded(3),
            commit: Commit::Group,
        };
        let running = start::start(parts).await.unwrap();
        running.spawn_loops();
        let stop = running.hub.stop.clone();
        let [hub_listener, line_listener] = listeners;
        let sandbox = Sandbox::new(line_sandbox::Config { seed: 3, public_url: None });
        tokio::spawn(sandbox.serve(line_listener, stop.clone().cancelled_owned()));
        let service = running.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move {
            axum::serve(hub_listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
        });

        let actor = Actor::System("test");
        let tenant = team::service::tenant_for(&running.hub, None, true, &actor).await.unwrap().id;
        let key = team::service::create_api_key(&running.hub, &tenant, "test", &[], &actor).await.unwrap().1;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let control = async |path: &str, body: Value| -> Value {
            let path = line.join(&format!("/sandbox/v1/{path}")).unwrap();
            http.post(path).json(&body).send().await.unwrap().json().await.unwrap()
        };
        let provider = text(&control("providers", json!({ "name": "test" })).await["providerId"]);
        let channel =
            control("channels", json!({ "providerId": provider, "type": "messaging", "name": "Test OA" }))
                .await;
        let channel_id = text(&channel["channelId"]);
        let console = json!({ "useWebhook": true, "greeting": false, "autoReply": false });
        let settings = line.join(&format!("/sandbox/v1/channels/{channel_id}")).unwrap();
        http.patch(settings).json(&console).send().await.unwrap().error_for_status().unwrap();
        let person = control("users", json!({ "displayName": "林小晴" })).await;
        let friend = (text(&person["user"]), text(&person["userId"][&provider]));
        let body = json!({ "channel_id": channel_id, "channel_secret": channel["channelSecret"] });
        let connect = http.post(hub.join("/api/v1/accounts").unwrap()).bearer_auth(&key).json(&body);
        let connected: Value =
            connect.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        let _ = control(&format!("users/{}/follow", friend.0), json!({ "channelId": channel_id })).await;
        let account = Account {
            id: text(&connected["id"]),
            webhook_url: Url::parse(connected["webhook_url"].as_str().unwrap()).unwrap(),
            channel_id,
            channel_secret: text(&channel["channelSecret"]),
            bot_user_id: text(&channel["botUserId"]),
            connected,
        };
        Self { running, http, hub, line, key, account, friend }
    }

    /// Posts the `n`th message as LINE does.
    pub(super) async fn post(&self, n: u32) -> u16 {
        let at = self.running.hub.now().millis() + i64::from(n);
        let event = text_event_at(at, &self.friend.1, n, &long(n));
        post_signed(&self.account, letter(&self.account, &[event])).await
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        let path = self.hub.join(&format!("/api/v1/{path}")).unwrap();
        let answer = self.http.get(path).bearer_auth(&self.key).send().await.unwrap();
        if answer.status() == 200 { answer.json().await.ok() } else { None }
    }

    async fn conversation(&self) -> Option<String> {
        let shown = self.ask("conversations").await?;
        shown["items"][0]["id"].as_str().map(str::to_owned)
    }

    /// Queues a push; gives the status.
    pub(super) async fn send(&self, words: &str) -> u16 {
        let conversation = eventually("the conversation is known", async || self.conversation().await).await;
        let path = self.hub.join(&format!("/api/v1/conversations/{conversation}/messages")).unwrap();
        let body = json!({ "messages": [{ "type": "text", "text": words }] });
        self.http.post(path).bearer_auth(&self.key).json(&body).send().await.unwrap().status().as_u16()
    }

    async fn ready(&self) -> u16 {
        self.http.get(self.hub.join("/readyz").unwrap()).send().await.unwrap().status().as_u16()
    }

    /// Waits until messages 1 to `last` are in the transcript, each once.
    pub(super) async fn shows(&self, last: u32) {
        let shown = eventually("the messages are shown", async || {
            let conversation = self.conversation().await?;
            let shown = self.ask(&format!("conversations/{conversation}/messages?limit=200")).await?;
            let mut shown = numbers(shown["items"].as_array()?);
            shown.sort_unstable();
            (shown.len() >= usize::try_from(last).ok()?).then_some(shown)
        });
        assert_eq!(shown.await, (1..=last).collect::<Vec<_>>());
    }

    /// Waits until what was answered 202 is on the phone, and checks that nothing is there twice.
    pub(super) async fn all_sent_once(&self, sent: &[(u16, String)]) {
        let accepted: Vec<&str> =
            sent.iter().filter(|(status, _)| *status == 202).map(|(_, words)| words.as_str()).collect();
        let path =
            format!("/sandbox/v1/users/{}/timeline?channelId={}", self.friend.0, self.account.channel_id);
        let received = async || -> Vec<String> {
            let shown: Value =
                self.http.get(self.line.join(&path).unwrap()).send().await.unwrap().json().await.unwrap();
            let items = shown["items"].as_array().unwrap().iter().filter(|item| item["from"] == "account");
            items.map(|item| text(&item["message"]["text"])).collect()
        };
        eventually("the answers are on the phone", async || {
            let received = received().await;
            accepted.iter().all(|words| received.iter().any(|got| got == words)).then_some(())
        })
        .await;
        once_each(sent, &received().await);
    }

    pub(super) async fn close(self) {
        assert_eq!(self.running.failure(), None);
        self.running.stop(Duration::from_secs(10)).await;
    }
}
