//! The dispatcher's places: how many calls are under way at once, and whose they are.

use std::collections::HashMap;

use tokio::task::{self, JoinSet};

use crate::ids::AccountId;

/// Calls under way at once.
const PLACES: usize = 128;
/// An account begins another call only while more than this many times the places it holds are free.
const LEFT_FREE: usize = 3;

/// Who has which place. An account gets a quarter of them at most, and less the fewer are left: so there is one for an
/// account whose LINE answers, also while the calls of a dozen others hang.
#[derive(Debug, Default)]
pub(super) struct Places {
    under_way: JoinSet<()>,
    whose: HashMap<task::Id, AccountId>,
}

impl Places {
    /// Begins a call of the account.
    pub(super) fn take(&mut self, account: AccountId, call: impl Future<Output = ()> + Send + 'static) {
        let id = self.under_way.spawn(call).id();
        self.whose.insert(id, account);
    }

    /// How many calls each account that waits may begin now. They get one after the other, the first ones first.
    pub(super) fn share(&self, waiting: Vec<AccountId>) -> Vec<(AccountId, usize)> {
        let mut held: HashMap<&AccountId, usize> = HashMap::new();
        for account in self.whose.values() {
            *held.entry(account).or_default() += 1;
        }
        let mut shares: Vec<_> = waiting
            .into_iter()
            .map(|account| (held.get(&account).copied().unwrap_or_default(), account, 0_usize))
            .collect();
        let mut free = PLACES.saturating_sub(self.whose.len());
        let mut before = free + 1;
        while free < before {
            before = free;
            for (held, _, more) in &mut shares {
                if LEFT_FREE * (*held + *more) < free {
                    *more += 1;
                    free -= 1;
                }
            }
        }
        shares.into_iter().map(|(_, account, more)| (account, more)).filter(|(_, more)| *more > 0).collect()
    }

    /// Gives free the places of calls that have ended.
    pub(super) fn clear(&mut self) {
        while let Some(ended) = self.under_way.try_join_next_with_id() {
            self.leave(ended);
        }
    }

    /// Waits until a call ends; `false` at once when none is under way.
    pub(super) async fn one_ends(&mut self) -> bool {
        let Some(ended) = self.under_way.join_next_with_id().await else { return false };
        self.leave(ended);
        true
    }

    fn leave(&mut self, ended: Result<(task::Id, ()), task::JoinError>) {
        self.whose.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Entropy, Timestamp};
    use crate::ids::Id as _;

    fn accounts(count: usize) -> Vec<AccountId> {
        let entropy = Entropy::seeded(1);
        (0..count).map(|_| AccountId::new(Timestamp(0), &entropy)).collect()
    }

    fn counts(shares: &[(AccountId, usize)]) -> Vec<usize> {
        shares.iter().map(|(_, more)| *more).collect()
    }

    #[tokio::test]
    async fn an_account_leaves_places_to_the_others() {
        let accounts = accounts(PLACES + 9);
        let mut places = Places::default();
        assert!(places.share(Vec::new()).is_empty());
        assert_eq!(counts(&places.share(accounts[..1].to_vec())), [PLACES / 4]);
        assert_eq!(counts(&places.share(accounts[..3].to_vec())), [22, 22, 21]);
        // More wait than there are places: the first ones get one each.
        assert_eq!(counts(&places.share(accounts.clone())), [1; PLACES]);
        // One after the other comes and all its calls hang: there is a place for the next.
        for account in &accounts[..15] {
            let shares = places.share(vec![account.clone()]);
            assert_eq!(shares.len(), 1);
            for _ in 0..shares[0].1 {
                places.take(account.clone(), std::future::pending());
            }
            assert!(places.share(vec![account.clone()]).is_empty(), "it has its share");
        }
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_call_ends_or_panics() {
        let account = accounts(1).remove(0);
        let mut places = Places::default();
        for _ in 0..PLACES / 8 {
            places.take(account.clone(), async {});
            places.take(account.clone(), async { panic!("it broke") });
        }
        assert!(places.share(vec![account.clone()]).is_empty());
        while places.one_ends().await {}
        assert_eq!(counts(&places.share(vec![account])), [PLACES / 4]);
    }
}
