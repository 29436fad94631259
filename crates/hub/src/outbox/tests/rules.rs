//! The state machine alone, against a model of LINE that does what PLATFORM 7, 17 and 18 say.

use std::time::Duration;

use proptest::prelude::*;

use crate::clock::Timestamp;
use crate::outbox::model::*;

const T0: Timestamp = Timestamp(1_767_225_600_000);

fn token(received: Timestamp) -> Token {
    Token { token: "t".to_owned(), usable_until: received.plus(TOKEN_LIFE).minus(TOKEN_MARGIN) }
}

fn fresh(terms: Terms) -> Progress {
    Progress { terms, request: None, open: false, attempts: 0, first_attempt_at: None, created_at: T0 }
}

fn offer(token: Option<Token>) -> Offer {
    Offer { token, cost: Some(1) }
}

fn replying(open: bool) -> Progress {
    let request = Some(Request::Reply(token(T0)));
    Progress { request, open, attempts: 1, first_attempt_at: Some(T0), ..fresh(Terms::ONE) }
}

fn pushing(open: bool) -> Progress {
    Progress {
        request: Some(Request::Push),
        open,
        attempts: 1,
        first_attempt_at: Some(T0),
        ..fresh(Terms::ONE)
    }
}

fn at(seconds: u64) -> Timestamp {
    T0.plus(Duration::from_secs(seconds))
}

#[test]
fn a_free_reply_goes_before_a_push_and_a_push_only_where_it_may() {
    assert_eq!(plan(&fresh(Terms::ONE), offer(Some(token(T0))), T0), Plan::Reply(token(T0)));
    assert_eq!(plan(&fresh(Terms::ONE), offer(None), T0), Plan::Push(1));
    assert_eq!(plan(&fresh(Terms::FREE), offer(None), T0), Plan::Fail(Fault::PaidSendRefused));
    let group = Offer { token: None, cost: Some(5) };
    assert_eq!(plan(&fresh(Terms::ONE), group.clone(), T0), Plan::Fail(Fault::PaidSendRefused));
    let rich = Terms { allow_paid: true, max_cost: 5 };
    assert_eq!(plan(&fresh(rich), group, T0), Plan::Push(5));
    assert_eq!(plan(&fresh(rich), Offer { token: None, cost: None }, T0), Plan::Count);
}

#[test]
fn a_token_starts_nothing_in_its_last_ten_seconds() {
    // PLATFORM 17: a reply token is good for one minute after the webhook.
    let new = |redelivered, event_at| {
        NewToken {
            tenant: &crate::ids::Id::parse("ten_01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap(),
            account: &crate::ids::Id::parse("acc_01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap(),
            conversation: &crate::ids::Id::parse("cnv_01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap(),
            token: "t",
            position: 1,
            event_at,
            received_at: at(3600),
            redelivered,
            owner: None,
        }
        .usable_until()
    };
    assert_eq!(new(false, at(3599)), at(3650));
    assert_eq!(new(true, at(3599)), at(3650));
    // PLATFORM 17: that of a redelivered event dies 20 minutes after the event.
    assert_eq!(new(true, at(2420)), at(3610));
    assert!(new(true, at(0)) < at(3600));
}

#[test]
fn dummy_tokens_are_known() {
    // GOTCHAS A7.
    let id = |prefix: &str| format!("{prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let dummy = |token: &str| {
        let (tenant, account) =
            (crate::ids::Id::parse(&id("ten")).unwrap(), crate::ids::Id::parse(&id("acc")).unwrap());
        let conversation = crate::ids::Id::parse(&id("cnv")).unwrap();
        NewToken {
            tenant: &tenant,
            account: &account,
            conversation: &conversation,
            token,
            position: 1,
            event_at: T0,
            received_at: T0,
            redelivered: false,
            owner: None,
        }
        .is_dummy()
    };
    assert!(dummy("00000000000000000000000000000000"));
    assert!(dummy("ffffffffffffffffffffffffffffffff"));
    assert!(!dummy("nHuyWiB7yP5Zw52FIkcQobQuGDXCTA"));
    assert!(!dummy("0f0f"));
}

#[test]
fn a_reply_that_may_have_gone_out_is_repeated_or_left_alone() {
    let other = Token { token: "newer".to_owned(), ..token(at(40)) };
    assert_eq!(plan(&replying(true), offer(Some(other.clone())), at(49)), Plan::Repeat);
    assert_eq!(plan(&replying(true), offer(Some(other)), at(50)), Plan::GiveUp);
    assert_eq!(plan(&replying(true), offer(None), at(50)), Plan::GiveUp);
    // Certainly not sent, and the token aged: it is planned anew.
    assert_eq!(plan(&replying(false), offer(None), at(49)), Plan::Repeat);
    assert_eq!(plan(&replying(false), offer(None), at(50)), Plan::Push(1));
}

#[test]
fn a_push_that_may_have_gone_out_is_repeated_for_23_hours() {
    // PLATFORM 18: after 24 hours the same key would send again.
    let hours = |n: u64| at(n * 3600);
    let free = offer(Some(token(hours(22))));
    assert_eq!(plan(&pushing(true), free.clone(), hours(23).minus(Duration::from_millis(1))), Plan::Repeat);
    assert_eq!(plan(&pushing(true), free, hours(23)), Plan::GiveUp);
    assert_eq!(plan(&pushing(false), offer(None), hours(23)), Plan::Fail(Fault::LineUnavailable));
    // Certainly not sent, and the friend wrote meanwhile: now it is free.
    assert_eq!(plan(&pushing(false), offer(Some(token(at(9)))), at(10)), Plan::Reply(token(at(9))));
}

#[test]
fn what_each_answer_means() {
    let next = |progress: &Progress, outcome| after(progress, &outcome, at(5), 0);
    for progress in [replying(false), replying(true), pushing(false), pushing(true)] {
        assert_eq!(next(&progress, Outcome::Accepted), Next::Sent { presumed: false });
        assert!(matches!(next(&progress, Outcome::Open), Next::Retry { open: true, .. }));
        assert_eq!(next(&progress, Outcome::Refused(Some(400))), Next::Failed(Fault::LineRefused));
        for outcome in [Outcome::NotSent, Outcome::Wait(None)] {
            let open = progress.open;
            assert!(matches!(next(&progress, outcome), Next::Retry { open: now, .. } if now == open));
        }
        for (outcome, fault) in [
            (Outcome::Refused(Some(403)), Fault::LineRefused),
            (Outcome::Refused(None), Fault::LineRefused),
            (Outcome::QuotaUsedUp, Fault::QuotaExhausted),
            (Outcome::Credentials, Fault::Credentials),
            (Outcome::Disconnected, Fault::Disconnected),
        ] {
            let expected = if progress.open { Next::Unknown(fault) } else { Next::Failed(fault) };
            assert_eq!(next(&progress, outcome), expected);
        }
    }
    // GOTCHAS B3: the words of a used token after a lost answer mean that the lost one had worked.
    assert_eq!(next(&replying(true), Outcome::InvalidToken), Next::Sent { presumed: true });
    assert_eq!(next(&replying(false), Outcome::InvalidToken), Next::Replan);
    assert_eq!(next(&replying(false), Outcome::MalformedToken), Next::Replan);
    // But not when the token had died meanwhile: LINE says the same of an expired one (PLATFORM 7).
    assert_eq!(after(&replying(true), &Outcome::InvalidToken, at(59), 0), Next::Sent { presumed: true });
    assert_eq!(after(&replying(true), &Outcome::InvalidToken, at(60), 0), Next::Unknown(Fault::NoAnswer));
}

#[test]
fn waits_grow_and_line_may_ask_for_longer_ones() {
    let wait = |attempts, asked, luck| {
        let progress = Progress { attempts, ..pushing(true) };
        match after(&progress, &Outcome::Wait(asked), T0, luck) {
            Next::Retry { at, .. } => at.since(T0),
            other => panic!("{other:?}"),
        }
    };
    for luck in [0, 499, 12_345_678] {
        assert!((500..=1000).contains(&wait(1, None, luck).as_millis()));
        assert!((4_000..=8_000).contains(&wait(4, None, luck).as_millis()));
        assert!((150_000..=300_000).contains(&wait(500, None, luck).as_millis()));
    }
    assert_eq!(wait(1, Some(Duration::from_secs(30)), 0), Duration::from_secs(30));
    assert_eq!(wait(1, Some(Duration::from_secs(90_000)), 0), Duration::from_secs(3600));
}

#[test]
fn months_are_japans() {
    // GOTCHAS C13: LINE counts days in UTC+9.
    let month = Month::parse("2026-12").unwrap();
    let (from, until) = month.bounds();
    assert_eq!(
        (from.to_string(), until.to_string()),
        ("2026-11-30T15:00:00.000Z".to_owned(), "2026-12-31T15:00:00.000Z".to_owned())
    );
    assert_eq!(Month::of(from), month);
    assert_eq!(Month::of(until).to_string(), "2027-01");
    for text in ["2026-13", "2026-00", "26-01", "2026", "2026-1", "", "-026-01"] {
        assert_eq!(Month::parse(text), None, "{text}");
    }
}

/// What befalls one attempt.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// LINE gets it and its answer arrives.
    Answered,
    /// LINE gets it and its answer is lost.
    AnswerLost,
    /// It is lost on the way, and nobody knows.
    Lost,
    /// It certainly never left.
    NotSent,
    /// 429 for speed.
    Wait,
    /// 429 for the quota.
    Quota,
    /// 401.
    Credentials,
    /// 400 for the content.
    Refused,
    /// The hub is killed before the call.
    KilledBefore,
    /// The hub is killed after the call, before the answer is recorded.
    KilledAfter,
}

fn fates() -> impl Strategy<Value = Vec<(Fate, u64)>> {
    use Fate::*;
    let fate = prop::sample::select(vec![
        Answered,
        AnswerLost,
        AnswerLost,
        Lost,
        Lost,
        NotSent,
        NotSent,
        Wait,
        Quota,
        Credentials,
        Refused,
        KilledBefore,
        KilledAfter,
        KilledAfter,
    ]);
    prop::collection::vec((fate, 0_u64..40_000), 0..30)
}

/// LINE, as far as one send goes.
#[derive(Debug, Default)]
struct ModelLine {
    shown: u32,
    token_used: bool,
    key_used: Option<u32>,
}

proptest! {
    #[test]
    fn a_send_ends_and_its_end_is_true(
        fates in fates(),
        has_token in any::<bool>(),
        allow_paid in any::<bool>(),
        free_later in any::<bool>(),
    ) {
        let mut now = T0;
        let mut progress = fresh(Terms { allow_paid, max_cost: 1 });
        let mut line = ModelLine::default();
        let mut tokens: Vec<Token> = has_token.then(|| token(T0)).into_iter().collect();
        let (mut key, mut open_reply) = (0_u32, false);
        let mut fates = fates.into_iter();
        let mut end = None;
        for step in 0..2_000 {
            if step == 3 && free_later {
                // The friend writes once more.
                tokens.push(Token { token: "later".to_owned(), usable_until: now.plus(Duration::from_secs(50)) });
            }
            let token = tokens.iter().rev().find(|token| now < token.usable_until).cloned();
            let planned = plan(&progress, offer(token), now);
            match planned.clone() {
                Plan::Repeat => prop_assert!(progress.request.is_some()),
                Plan::Reply(token) => {
                    // Nothing that may have gone out is ever replaced.
                    prop_assert!(!progress.open);
                    tokens.retain(|other| *other != token);
                    progress.request = Some(Request::Reply(token));
                    progress.first_attempt_at = None;
                    line.token_used = false;
                }
                Plan::Push(_) => {
                    prop_assert!(!progress.open && !open_reply && allow_paid);
                    if progress.request != Some(Request::Push) {
                        key += 1;
                        progress.request = Some(Request::Push);
                        progress.first_attempt_at = None;
                    }
                }
                Plan::Count => unreachable!("a person's price is known"),
                Plan::Fail(fault) => { end = Some(Next::Failed(fault)); break }
                Plan::GiveUp => { end = Some(Next::Unknown(Fault::NoAnswer)); break }
            }
            progress.attempts += 1;
            let first = *progress.first_attempt_at.get_or_insert(now);
            // After the script LINE answers again.
            let (fate, took) = fates.next().unwrap_or((Fate::Answered, 10));
            let (done, outcome) = match fate {
                Fate::Answered => (true, None),
                Fate::AnswerLost | Fate::KilledAfter => (true, Some(Outcome::Open)),
                Fate::Lost | Fate::KilledBefore => (false, Some(Outcome::Open)),
                Fate::NotSent => (false, Some(Outcome::NotSent)),
                Fate::Wait => (false, Some(Outcome::Wait(None))),
                Fate::Quota => (false, Some(Outcome::QuotaUsedUp)),
                Fate::Credentials => (false, Some(Outcome::Credentials)),
                // The bytes are judged the same at every attempt, so only the first can be refused.
                Fate::Refused if progress.open => (true, None),
                Fate::Refused => (false, Some(Outcome::Refused(Some(400)))),
            };
            let mut said = Outcome::Accepted;
            if done {
                match &progress.request {
                    Some(Request::Reply(token)) if line.token_used || now >= token.dead_at() => said = Outcome::InvalidToken,
                    Some(Request::Reply(_)) => { line.token_used = true; line.shown += 1 }
                    _ if line.key_used == Some(key) => {
                        // LINE forgets a key after 24 hours.
                        prop_assert!(now < first.plus(Duration::from_secs(24 * 3600)));
                    }
                    _ => { line.key_used = Some(key); line.shown += 1 }
                }
            }
            let outcome = outcome.unwrap_or(said);
            now = now.plus(Duration::from_millis(took));
            if matches!(fate, Fate::KilledBefore | Fate::KilledAfter) {
                // The next process finds the attempt and takes it for open.
                progress.open = true;
                open_reply |= matches!(progress.request, Some(Request::Reply(_)));
                continue;
            }
            match after(&progress, &outcome, now, took) {
                Next::Retry { at, open } => {
                    prop_assert!(at > now && (open || !progress.open));
                    progress.open = open;
                    open_reply |= open && matches!(progress.request, Some(Request::Reply(_)));
                    now = at;
                }
                Next::Replan => {
                    prop_assert!(!progress.open);
                    progress.request = None;
                    progress.first_attempt_at = None;
                }
                next => { end = Some(next); break }
            }
        }
        prop_assert!(line.shown <= 1, "shown {} times", line.shown);
        match end {
            Some(Next::Sent { .. }) => prop_assert_eq!(line.shown, 1),
            Some(Next::Failed(_)) => prop_assert_eq!(line.shown, 0),
            Some(Next::Unknown(_)) => prop_assert!(progress.open),
            other => prop_assert!(false, "did not end: {other:?}"),
        }
    }
}
