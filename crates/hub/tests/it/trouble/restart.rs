//! A PostgreSQL server of the test's own, restarted under load as by a power failure.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hub::db::Url as Place;

use super::database::Site;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_restarted_at_once_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(dir.path()) else {
        eprintln!("skipped: PostgreSQL's initdb and pg_ctl are not here, or nobody but root could run them");
        return;
    };
    let server = std::sync::Arc::new(server);
    let site = Site::start(Place::Postgres(server.url()), dir.path()).await;
    let (mut n, mut sent) = (1, Vec::new());
    assert_eq!(site.post(n).await, 200);
    site.shows(1).await;
    for _ in 0..3 {
        let restarting = tokio::task::spawn_blocking({
            let server = server.clone();
            move || server.control(&["restart", "-w", "-m", "immediate"])
        });
        // Before, during and after it; LINE tries again until its event is taken.
        let mut after = 0;
        while after < 5 {
            n += 1;
            eventually("the event is taken", async || (site.post(n).await == 200).then_some(())).await;
            if n % 2 == 0 {
                let words = format!("answer {n}");
                let status = site.send(&words).await;
                assert!([202, 503].contains(&status), "{status}");
                sent.push((status, words));
            }
            after += u32::from(restarting.is_finished());
        }
        let restarted = restarting.await.unwrap();
        assert!(restarted.status.success(), "{restarted:?}");
    }
    assert!(sent.iter().any(|(status, _)| *status == 202), "{sent:?}");
    site.shows(n).await;
    site.all_sent_once(&sent).await;
    site.close().await;
}

/// A server with its data in the test's folder, on a port of its own; stopped when dropped.
struct Server {
    programs: PathBuf,
    /// What makes root somebody else, because PostgreSQL does not run as root.
    become_user: Vec<String>,
    data: PathBuf,
    port: u16,
}

impl Server {
    /// Starts one; `None` where its programs are missing, or root has no user to run them as.
    fn start(dir: &Path) -> Option<Self> {
        let programs = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| {
            let programs = entry.ok()?.path().join("bin");
            ["initdb", "pg_ctl"].iter().all(|name| programs.join(name).is_file()).then_some(programs)
        });
        let home = dir.join("server");
        std::fs::create_dir(&home).unwrap();
        let mut become_user = Vec::new();
        if home.metadata().unwrap().uid() == 0 {
            let id = |flag| {
                let out = Command::new("id")
                    .args([flag, "postgres"])
                    .output()
                    .ok()
                    .filter(|o| o.status.success())?;
                String::from_utf8(out.stdout).ok()?.trim().parse::<u32>().ok()
            };
            let (user, group) = (id("-u")?, id("-g")?);
            chown(&home, Some(user), Some(group)).unwrap();
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
            become_user = vec![
                "setpriv".to_owned(),
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
            ];
            Command::new("setpriv").arg("--version").output().ok()?;
        }
        // Taken and given back: free for the moment.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { programs: programs.max()?, become_user, data: home.join("data"), port };
        let data = server.data.display().to_string();
        let words = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"];
        let made = server.run("initdb", &words);
        assert!(made.status.success(), "{made:?}");
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\n",
            home.display()
        );
        std::fs::write(server.data.join("postgresql.auto.conf"), settings).unwrap();
        let started = server.control(&["start", "-w"]);
        assert!(started.status.success(), "{started:?}");
        Some(server)
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn control(&self, words: &[&str]) -> Output {
        let (data, log) = (self.data.display().to_string(), self.data.join("log").display().to_string());
        self.run("pg_ctl", &[&["-D", &data, "-l", &log], words].concat())
    }

    fn run(&self, program: &str, words: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = match self.become_user.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(words).current_dir("/").output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.control(&["stop", "-m", "immediate"]));
    }
}
