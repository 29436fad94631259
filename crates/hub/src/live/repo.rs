//! What a session may see, and PostgreSQL's NOTIFY (SQLite has one process and needs none).

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::postgres::PgPool;

use super::Sees;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult};
use crate::ids::{AccountId, UserId};
use crate::{args, statements};

statements! {
    // reads: sessions, users
    WHO = { "SELECT u.id, u.role FROM sessions AS s JOIN users AS u ON u.id = s.user_id
        WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL" };
    // reads: account_grants
    GRANTED = { "SELECT g.account_id FROM account_grants AS g JOIN users AS u ON u.id = g.user_id
        AND u.tenant_id = g.tenant_id WHERE g.user_id = $1 ORDER BY g.account_id" };
}

/// How `team` keeps a session's token.
pub(super) fn session_hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// What the user of a session may see; `None` when the session has ended.
pub(super) async fn sight(db: &Db, session: &[u8], now: Timestamp) -> DbResult<Option<Sees>> {
    let who: Option<(UserId, String)> = db.opt(&WHO, args![session, now]).await?;
    let Some((user, role)) = who else { return Ok(None) };
    if role == "owner" {
        return Ok(Some(Sees::All));
    }
    let granted: Vec<(AccountId,)> = db.all(&GRANTED, args![&user]).await?;
    Ok(Some(Sees::Accounts(granted.into_iter().map(|(account,)| account).collect())))
}

/// The channel of all nodes.
pub(super) const CHANNEL: &str = "trunkline_live";

/// Tells the payload (below 8,000 bytes) to every listening node, this one included.
pub(super) async fn notify(pool: &PgPool, payload: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(pool).await.map(|_| ())
}

/// How many connections to this database wait for notices.
#[cfg(test)]
pub(super) async fn listeners(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let text =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    sqlx::query_scalar(text).fetch_one(pool).await
}

/// Ends those connections from the server's side.
#[cfg(test)]
pub(super) async fn break_listeners(pool: &PgPool) -> Result<(), sqlx::Error> {
    let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    sqlx::query(text).execute(pool).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::app::Hub;
    use crate::app::testing::TestHub;
    use crate::db::Sql;
    use crate::db::testing::Engine;
    use crate::ids::{Id as _, TenantId};
    use crate::scope::Scope;
    use crate::team::{Actor, NewUser, Role, service};

    /// Only a tenant's own accounts can be granted.
    async fn add_account(hub: &Hub, tenant: &TenantId, account: &AccountId) {
        const TEXT: &str = "INSERT INTO accounts (id, tenant_id, messenger, channel_id, webhook_key, bot_user_id,
                display_name, basic_id, chat_mode, mark_as_read_mode, environment, status, oversized, bad_signatures,
                created_at, updated_at)
            VALUES ($1, $2, 'line', $1, $1, '', '', '', 'bot', 'auto', 'live', 'connected', 0, 0, 0, 0)";
        let mut tx = hub.db.begin().await.unwrap();
        tx.run(&Sql { sqlite: TEXT, postgres: TEXT }, args![account, tenant]).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn sight_follows_session_role_and_grants(#[case] engine: Engine) {
        let Some(test) = TestHub::new(engine).await else { return };
        let hub = &test.hub;
        let actor = Actor::System("test");
        let tenant = service::create_tenant(hub, "Tea", Some("Asia/Taipei"), &actor).await.unwrap().id;
        let add = async |email: &str, role| {
            let user = NewUser { email, name: "", role, password: "a long password" };
            service::create_user(hub, &tenant, &user, &actor).await.unwrap()
        };
        let owner = add("owner@example.com", Role::Owner).await;
        let agent = add("agent@example.com", Role::Agent).await;
        let account = AccountId::new(hub.now(), &hub.entropy);
        add_account(hub, &tenant, &account).await;
        let see = async |token: &str| sight(&hub.db, &session_hash(token), hub.now()).await.unwrap();
        let owners = service::open_session(hub, &tenant, &owner).await.unwrap();
        let agents = service::open_session(hub, &tenant, &agent).await.unwrap();
        assert_eq!(see(&owners).await, Some(Sees::All));
        assert_eq!(see(&agents).await, Some(Sees::Accounts(HashSet::new())));
        let scope = Scope::tenant_wide(tenant.clone());
        service::change_member(hub, &scope, &agent, Role::Agent, &[account.to_string()], &actor)
            .await
            .unwrap();
        assert_eq!(see(&agents).await, Some(Sees::Accounts(HashSet::from([account]))));
        service::set_disabled(hub, &scope, &agent, true, &actor).await.unwrap();
        assert_eq!(see(&agents).await, None);
        assert_eq!(see("another token").await, None);
        test.clock.advance(hub.config.session_life + Duration::from_millis(1));
        assert_eq!(see(&owners).await, None);
        test.close().await;
    }
}
