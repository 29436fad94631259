//! The checks of who answers what: what LINE reports against the plan, and what only a person can see, as dated ticks.

use line_client::{BotInfo, ChatMode, MarkAsReadMode};

use super::checks::Unread;
use super::model::{Code, Finding, State};
use crate::accounts::model::{Account, AnswerKind, Owner, Plan, Tick};
use crate::accounts::plan::{self, Ticked};
use crate::clock::Timestamp;

/// The findings of [`Code::ChatMode`], [`Code::Redelivery`], [`Code::GreetingOwner`] and [`Code::GroupChats`].
pub(super) fn findings(
    account: &Account,
    ticks: &[Ticked],
    bot: &Result<BotInfo, Unread>,
    now: Timestamp,
) -> Vec<Finding> {
    vec![
        chat_mode(account.plan, bot, now),
        ticked(Code::Redelivery, State::Warning, Tick::Redelivery, ticks, now),
        greeting(plan::owner(account, AnswerKind::Greeting), ticks, now),
        ticked(Code::GroupChats, State::Unknown, Tick::GroupChats, ticks, now),
    ]
}

/// LINE's response mode against plan A (chat off) or B (chat on, read by hand: GOTCHAS F6).
fn chat_mode(plan: Plan, bot: &Result<BotInfo, Unread>, now: Timestamp) -> Finding {
    let found = |state, variant| Finding::new(Code::ChatMode, state, variant, now);
    let bot = match bot {
        Ok(bot) => bot,
        Err(Unread::Silent) => return found(State::Unknown, "any-silent"),
        Err(Unread::Refused(_)) => return found(State::Unknown, "any-refused"),
    };
    match (plan, bot.chat_mode == ChatMode::Chat) {
        (Plan::A, false) => found(State::Ok, "a-off"),
        (Plan::A, true) => found(State::Warning, "a-on"),
        (Plan::B, false) => found(State::Warning, "b-off"),
        (Plan::B, true) if bot.mark_as_read_mode == MarkAsReadMode::Auto => found(State::Warning, "b-auto"),
        (Plan::B, true) => found(State::Ok, "b-on"),
    }
}

/// A switch that LINE does not report; `open` is what it means that nobody ticked it.
fn ticked(code: Code, open: State, tick: Tick, ticks: &[Ticked], now: Timestamp) -> Finding {
    match ticks.iter().find(|ticked| ticked.tick == tick) {
        None => Finding::new(code, open, "not-ticked", now),
        Some(ticked) => {
            let (state, variant) =
                if ticked.is_stale(now) { (State::Warning, "stale") } else { (State::Ok, "ticked") };
            Finding::new(code, state, variant, now).with("at", ticked.at).with("by", ticked.by.as_str())
        }
    }
}

/// LINE's own greeting is on in every new account (GOTCHAS F5).
fn greeting(owner: Owner, ticks: &[Ticked], now: Timestamp) -> Finding {
    const CODE: Code = Code::GreetingOwner;
    let tick = ticks.iter().find(|ticked| ticked.tick == Tick::GreetingOff);
    let found = |state, variant| Finding::new(CODE, state, variant, now);
    match (owner, tick) {
        (Owner::Line, None) => found(State::Ok, "line"),
        // Ticked as off at LINE, though LINE is to greet.
        (Owner::Line, Some(ticked)) => found(State::Warning, "line-off").with("at", ticked.at),
        (_, Some(ticked)) if ticked.is_stale(now) => {
            found(State::Warning, "stale").with("at", ticked.at).with("by", ticked.by.as_str())
        }
        (_, Some(ticked)) => found(State::Ok, "off").with("at", ticked.at).with("by", ticked.by.as_str()),
        (Owner::Hub, None) => found(State::Warning, "twice"),
        (Owner::Nobody, None) => found(State::Warning, "unasked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::testing;
    use crate::app::testing::START;

    fn tick(tick: Tick, at: Timestamp) -> Ticked {
        Ticked { tick, at, by: "陳美玲".to_owned() }
    }

    // S1-31, S1-32
    #[test]
    fn lines_mode_is_held_against_the_plan() {
        let judged = |plan, chat_mode: ChatMode, read: MarkAsReadMode| {
            let bot = BotInfo { chat_mode, mark_as_read_mode: read, ..testing::bot("1656000000") };
            let found = chat_mode_of(plan, bot);
            (found.state, found.variant.into_owned())
        };
        fn chat_mode_of(plan: Plan, bot: BotInfo) -> Finding {
            chat_mode(plan, &Ok(bot), START)
        }
        use MarkAsReadMode::{Auto, Manual};
        assert_eq!(judged(Plan::A, ChatMode::Bot, Auto), (State::Ok, "a-off".to_owned()));
        assert_eq!(judged(Plan::A, ChatMode::Chat, Auto), (State::Warning, "a-on".to_owned()));
        assert_eq!(judged(Plan::B, ChatMode::Bot, Auto), (State::Warning, "b-off".to_owned()));
        assert_eq!(judged(Plan::B, ChatMode::Chat, Auto), (State::Warning, "b-auto".to_owned()));
        assert_eq!(judged(Plan::B, ChatMode::Chat, Manual), (State::Ok, "b-on".to_owned()));
        assert_eq!(chat_mode(Plan::A, &Err(Unread::Silent), START).state, State::Unknown);
    }

    // GOTCHAS A5
    #[test]
    fn a_tick_counts_until_it_is_too_old() {
        let judged =
            |ticks: &[Ticked]| ticked(Code::Redelivery, State::Warning, Tick::Redelivery, ticks, START);
        assert_eq!(judged(&[]).variant, "not-ticked");
        assert_eq!(judged(&[tick(Tick::GroupChats, START)]).variant, "not-ticked");
        assert_eq!(judged(&[tick(Tick::Redelivery, START)]).state, State::Ok);
        let old = Timestamp(START.millis() - 91 * 24 * 3600 * 1000);
        assert_eq!(judged(&[tick(Tick::Redelivery, old)]).variant, "stale");
    }

    // S1-36, GOTCHAS F5: the reminder stays until the confirmation is there.
    #[test]
    fn two_greetings_are_warned_of() {
        let off = [tick(Tick::GreetingOff, START)];
        let judged = |owner, ticks: &[Ticked]| greeting(owner, ticks, START).variant.into_owned();
        assert_eq!(judged(Owner::Hub, &[]), "twice");
        assert_eq!(judged(Owner::Nobody, &[]), "unasked");
        assert_eq!(judged(Owner::Hub, &off), "off");
        assert_eq!(judged(Owner::Line, &[]), "line");
        assert_eq!(judged(Owner::Line, &off), "line-off");
    }
}
