//! The SQL of sends that are wanted once more.

use super::{contents, read_extras, word};
use crate::clock::Timestamp;
use crate::db::{DbResult, Tx};
use crate::ids::{AccountId, ConversationId, MessageId, SendId, TenantId};
use crate::outbox::model::{NewSend, Origin, State, Target, TargetKind, Terms};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

statements! {
    AGAIN = { concat!("SELECT s.id, s.tenant_id, s.account_id, s.conversation_id, s.target_kind, s.target, s.origin, s.state,
            s.forgotten_at, s.extras
        FROM sends AS s WHERE s.id = (SELECT d.send_id FROM deliveries AS d WHERE d.message_id = $3) AND",
        in_scope!("s", "$1", "$2")) };
    AGAIN_MOVE = { "UPDATE deliveries SET send_id = $2, line_message_id = NULL, quote_token = NULL
        WHERE send_id = $1 AND content <> ''" };
}

/// A settled send as it is wanted once more, with its messages (none when they are no longer kept), and how it ended.
pub(in crate::outbox) async fn settled_send(
    tx: &mut Tx,
    scope: &Scope,
    message: &MessageId,
) -> DbResult<Option<(SendId, State, NewSend)>> {
    type Row = (
        SendId,
        TenantId,
        AccountId,
        ConversationId,
        String,
        String,
        String,
        String,
        Option<Timestamp>,
        Option<String>,
    );
    let row: Option<Row> = tx.opt(&AGAIN, args![scope.tenant(), scope.viewer(), message]).await?;
    let Some((id, tenant, account, conversation, kind, target, origin, state, forgotten, kept)) = row else {
        return Ok(None);
    };
    let messages = if forgotten.is_some() { Vec::new() } else { contents(tx, &id).await? };
    let new = NewSend {
        tenant,
        account,
        conversation,
        target: Target { kind: word("target_kind", &id, &kind, TargetKind::parse)?, id: target },
        messages,
        origin: word("origin", &id, &origin, Origin::parse)?,
        actor: String::new(),
        terms: Terms::FREE,
        extras: read_extras(&id, kept.as_deref())?,
    };
    let state = word("state", &id, &state, State::parse)?;
    Ok(Some((id, state, new)))
}

/// Gives the messages of one send to another; tells how many.
pub(in crate::outbox) async fn move_deliveries(tx: &mut Tx, from: &SendId, to: &SendId) -> DbResult<u64> {
    tx.run(&AGAIN_MOVE, args![from, to]).await
}
