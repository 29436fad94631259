//! The hub under test and the LINE beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hub::app::Hub;
use hub::clock::{Clock, Entropy};
use hub::config::{Config, LineHosts};
use hub::db::testing::{Engine, TestDb};
use hub::guard::Inside;
use hub::ids::{TenantId, UserId};
use hub::journal::{Commit, consumer};
use hub::scope::Scope;
use hub::start::{self, Parts, Running};
use hub::team::{self, Actor, KeyScope, NewUser, Role};
use hub::{jobs, wiring};
use line_sandbox::Sandbox;
use serde_json::{Value, json};
use url::Url;

use crate::actors::{Api, Browser, Control, LineUser};
use crate::clock::SteppedClock;

const ACTOR: Actor = Actor::System("test");
/// The password of the users that the kit makes.
const PASSWORD: &str = "correct horse battery";

/// How a test hub is to be.
#[derive(Debug)]
pub struct Builder {
    engine: Engine,
    loops: bool,
    seed: u64,
    webhook_max: usize,
    mail: Option<String>,
    public_url: Option<Url>,
    private: Inside,
}

impl Builder {
    /// On which database; SQLite when nothing is said.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Lets the hub's own loops run.
    #[must_use]
    pub fn with_loops(mut self) -> Self {
        self.loops = true;
        self
    }

    /// The largest webhook body, in bytes.
    #[must_use]
    pub fn webhook_max(mut self, bytes: usize) -> Self {
        self.webhook_max = bytes;
        self
    }

    /// The hub's public address, where it is to be another than the one it listens at.
    #[must_use]
    pub fn public_url(mut self, url: &str) -> Self {
        self.public_url = Some(url.parse().expect("an address"));
        self
    }

    /// Which destinations inside the network are allowed; all when nothing is said.
    #[must_use]
    pub fn private_destinations(mut self, setting: &str) -> Self {
        self.private = setting.parse().expect("a setting");
        self
    }

    /// Refuses destinations that are not in the public Internet, as a hub does unless its operator allows them.
    #[must_use]
    pub fn public_destinations_only(mut self) -> Self {
        self.private = Inside::None;
        self
    }

    /// Where letters leave: `smtp://127.0.0.1:…`.
    #[must_use]
    pub fn mail(mut self, url: impl Into<String>) -> Self {
        self.mail = Some(url.into());
        self
    }

    /// Starts it; `None` when there is no PostgreSQL to test on.
    pub async fn start(self) -> Option<TestHub> {
        let db = TestDb::new(self.engine).await?;
        let line_listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port for LINE");
        let line = origin(line_listener.local_addr().expect("an address"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port for the hub");
        let url = origin(listener.local_addr().expect("an address"));
        let clock = Arc::new(SteppedClock::default());
        let config = Config {
            public_url: self.public_url.clone().unwrap_or_else(|| url.clone()),
            data_dir: db.dir().to_owned(),
            database: db.url.clone(),
            line: LineHosts::sandbox(&line),
            master_key: None,
            master_key_file: None,
            webhook_max: self.webhook_max,
            allow_private_destinations: self.private.clone(),
            destinations_max: 5,
            trusted_proxies: hub::web::Proxies::default(),
            mail: self.mail.as_ref().map(|url| {
                hub::mail::Mail::parse(url, "Trunkline <alerts@hub.example>").expect("a mail server")
            }),
            session_life: Duration::from_secs(3600),
        };
        let entropy = Entropy::seeded(self.seed);
        let parts = Parts { config, clock: clock.clone() as Arc<dyn Clock>, entropy, commit: Commit::Group };
        let running = start::start(parts).await.expect("the hub starts");
        let hub = running.hub.clone();
        if self.loops {
            running.spawn_loops();
        }
        let sandbox = Sandbox::new(line_sandbox::Config { seed: self.seed, public_url: None });
        tokio::spawn(sandbox.clone().serve(line_listener, hub.stop.clone().cancelled_owned()));
        let service = running.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let stop = hub.stop.clone();
        tokio::spawn(async move {
            axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
        });

        let tenant = team::service::tenant_for(&hub, None, true, &ACTOR).await.expect("a tenant").id;
        let new =
            NewUser { email: "owner@test.example", name: "Owner", role: Role::Owner, password: PASSWORD };
        let owner = team::service::create_user(&hub, &tenant, &new, &ACTOR).await.expect("an owner");
        let key = key(&hub, &tenant, "test", &[]).await;
        let control = Control::new(&line);
        let provider = control.post("/providers", json!({ "name": "test" })).await;
        let provider = provider["providerId"].as_str().expect("a provider").to_owned();
        let api = Api::new(&url, key);
        Some(TestHub {
            url,
            line,
            clock,
            sandbox,
            control,
            provider,
            tenant,
            owner,
            api,
            loops: self.loops,
            db: Some(db),
            running: Some(running),
        })
    }
}

/// A hub, its LINE, and one tenant with an owner. End the test with [`TestHub::close`].
#[derive(Debug)]
pub struct TestHub {
    /// The hub's address.
    pub url: Url,
    /// LINE's address.
    pub line: Url,
    /// The hub's clock; [`TestHub::advance`] moves the sandbox's with it.
    pub clock: Arc<SteppedClock>,
    /// LINE.
    pub sandbox: Sandbox,
    /// LINE's controls.
    pub control: Control,
    /// The tenant.
    pub tenant: TenantId,
    owner: UserId,
    provider: String,
    api: Api,
    loops: bool,
    db: Option<TestDb>,
    running: Option<Running>,
}

/// A connected account and the channel behind it.
#[derive(Debug, Clone)]
pub struct Account {
    /// `acc_…`
    pub id: String,
    /// Where LINE sends its webhooks.
    pub webhook_url: Url,
    /// The channel's id.
    pub channel_id: String,
    /// The channel's secret.
    pub channel_secret: String,
    /// The bot's user id.
    pub bot_user_id: String,
    /// What the API answered to the connecting.
    pub connected: Value,
}

impl TestHub {
    /// A hub on SQLite without loops, to be adjusted and started.
    #[expect(
        clippy::new_ret_no_self,
        reason = "the tests' way of saying it: a test hub, with this and that, started"
    )]
    #[must_use]
    pub fn new() -> Builder {
        Builder {
            engine: Engine::Sqlite,
            loops: false,
            seed: 1,
            webhook_max: 1 << 20,
            mail: None,
            public_url: None,
            private: Inside::All,
        }
    }

    /// The hub's inside, for what has no outside.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.running.as_ref().expect("the hub runs").hub
    }

    /// The hub with its router, loops and failure.
    #[must_use]
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the hub runs")
    }

    /// Everything of the tenant.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::tenant_wide(self.tenant.clone())
    }

    /// Nobody in particular, in a browser.
    #[must_use]
    pub fn anon(&self) -> Browser {
        Browser::new(&self.url)
    }

    /// The owner in a browser, signed in by a one-time link and its real cookie.
    pub async fn owner(&self) -> Browser {
        self.browser_of(&self.owner).await
    }

    /// An agent who may see the accounts with these ids, signed in.
    pub async fn agent(&self, email: &str, accounts: &[&str]) -> Browser {
        let hub = self.hub();
        let new = NewUser { email, name: "", role: Role::Agent, password: PASSWORD };
        let user = team::service::create_user(hub, &self.tenant, &new, &ACTOR).await.expect("an agent");
        let accounts: Vec<String> = accounts.iter().map(|id| (*id).to_owned()).collect();
        team::service::change_member(hub, &self.scope(), &user, Role::Agent, &accounts, &ACTOR)
            .await
            .expect("the agent's accounts");
        self.browser_of(&user).await
    }

    async fn browser_of(&self, user: &UserId) -> Browser {
        let link = team::service::entry_link(self.hub(), &self.tenant, user).await.expect("a link");
        let browser = self.anon();
        let path = Url::parse(&link).expect("an address").path().to_owned();
        let entered = browser.get(&path).await;
        assert!(entered.status.is_redirection(), "{} {}", entered.status, entered.body);
        browser
    }

    /// A program with a key of all scopes.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// A program with a key of the given scopes.
    pub async fn api_with(&self, scopes: &[KeyScope]) -> Api {
        Api::new(&self.url, key(self.hub(), &self.tenant, "scoped", scopes).await)
    }

    /// A program of another tenant, which is made with this name.
    pub async fn stranger(&self, tenant: &str) -> Api {
        let hub = self.hub();
        let tenant = team::service::create_tenant(hub, tenant, None, &ACTOR).await.expect("another tenant");
        Api::new(&self.url, key(hub, &tenant.id, "stranger", &[]).await)
    }

    /// A person with a phone.
    pub async fn line_user(&self, name: &str) -> LineUser {
        let made = self.control.post("/users", json!({ "displayName": name })).await;
        LineUser {
            control: self.control.clone(),
            user: made["user"].as_str().expect("a user").to_owned(),
            id: made["userId"][&self.provider].as_str().expect("a user id").to_owned(),
            name: name.to_owned(),
        }
    }

    /// A connected account, and 林小晴, its friend, who wrote "hello"; the hub has taken it in.
    pub async fn account_with_friend(&self) -> (Account, LineUser) {
        let account = self.connect_account().await;
        let friend = self.line_user("林小晴").await;
        friend.follows(&account).await;
        friend.says(&account, "hello").await;
        self.settle().await;
        (account, friend)
    }

    /// A channel at LINE, as its console makes and sets it for a hub; gives the console's view of it.
    pub async fn channel(&self, name: &str) -> Value {
        let body = json!({ "providerId": self.provider, "type": "messaging", "name": name });
        let made = self.control.post("/channels", body).await;
        let console =
            json!({ "useWebhook": true, "greeting": false, "autoReply": false, "groupChats": true });
        let path = format!("/channels/{}", made["channelId"].as_str().expect("a channel"));
        self.control.patch(&path, console).await
    }

    /// Connects a new channel through the API.
    pub async fn connect_account(&self) -> Account {
        let channel = self.channel("Test OA").await;
        let of = |name: &str| channel[name].as_str().expect("a channel").to_owned();
        let (channel_id, channel_secret) = (of("channelId"), of("channelSecret"));
        let body = json!({ "messenger": "line", "channel_id": channel_id, "channel_secret": channel_secret });
        let connected = self.api.post("/accounts", body).await.expect(201);
        Account {
            id: connected["id"].as_str().expect("an id").to_owned(),
            webhook_url: connected["webhook_url"]
                .as_str()
                .and_then(|url| Url::parse(url).ok())
                .expect("an address"),
            channel_id,
            channel_secret,
            bot_user_id: of("botUserId"),
            connected,
        }
    }

    /// Does everything that waits, and what that sets off, until nothing does: journal, jobs, outbox.
    pub async fn settle(&self) {
        assert!(!self.loops, "with loops the hub settles by itself; wait for what is expected");
        let hub = self.hub();
        let (reader, registry) = (start::reader(hub), wiring::jobs());
        let (consumers, dispatcher) = (wiring::consumers(hub), wiring::dispatcher(hub));
        loop {
            let mut done = 0;
            for consumer in &consumers {
                done += consumer::drain(&reader, consumer.as_ref()).await.expect("the journal is read");
            }
            done += jobs::run_pending(hub, &registry).await.expect("the jobs run");
            dispatcher.run_pending().await.expect("the outbox sends");
            if done == 0 {
                return;
            }
        }
    }

    /// Moves both clocks ahead.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.sandbox.advance(by);
    }

    /// Ends the hub and drops its databases. A job that is dead is a failure of the test.
    pub async fn close(mut self) {
        let running = self.running.take().expect("the hub runs");
        let hub = running.hub.clone();
        let dead = [
            jobs::counts(&hub.db, None).await.expect("jobs are counted").dead,
            jobs::counts(&hub.db, Some(&self.scope())).await.expect("jobs are counted").dead,
        ];
        running.stop(Duration::from_secs(10)).await;
        self.db.take().expect("the databases").close().await;
        assert_eq!(dead, [0, 0], "jobs died, of the hub and of the tenant");
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.hub.stop.cancel();
            assert!(
                std::thread::panicking(),
                "end the test with `hub.close().await`, which looks for dead jobs"
            );
        }
    }
}

async fn key(hub: &Hub, tenant: &TenantId, name: &str, scopes: &[KeyScope]) -> String {
    team::service::create_api_key(hub, tenant, name, scopes, &ACTOR).await.expect("a key").1
}

fn origin(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}/")).expect("an address")
}
