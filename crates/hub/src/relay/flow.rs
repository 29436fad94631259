//! Whose turn it is: the order of one destination's units, without I/O.
//!
//! A unit waits for every earlier unit that shares one of its chats and has not come to its end; others go on. Units are
//! added in the journal's order. What is not settled is held in memory: at most [`WINDOW`] that the cursor has to wait for,
//! and those that have a row of their own, which the cursor may pass.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::clock::Timestamp;

/// How many units may be under way or finished without its being written down: so many may come twice after a kill, no more.
pub(super) const WINDOW: usize = 512;
/// How many of them may be units that have a row of their own.
pub(super) const ROWS_OPEN: usize = 64;

/// A unit's number in its flow: grows in the order in which units were added.
pub(super) type Number = u64;

/// The units of one destination that have not come to their end.
#[derive(Debug)]
pub(super) struct Flow<T> {
    slots: BTreeMap<Number, Slot<T>>,
    /// For each chat the units that touch it, in order; the first may go.
    chats: HashMap<String, VecDeque<Number>>,
    /// Those that may go, with the time from which on.
    ready: BTreeSet<(Timestamp, Number)>,
    next: Number,
    without_row: usize,
}

#[derive(Debug)]
struct Slot<T> {
    unit: T,
    chats: Vec<String>,
    /// In how many of its chats another unit is before it.
    behind: usize,
    due: Timestamp,
    has_row: bool,
    flies: bool,
}

impl<T> Default for Flow<T> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            chats: HashMap::new(),
            ready: BTreeSet::new(),
            next: 0,
            without_row: 0,
        }
    }
}

impl<T> Flow<T> {
    /// Adds a unit behind all others that share one of `chats` (each named once); it goes from `due` on.
    pub(super) fn add(&mut self, unit: T, chats: Vec<String>, due: Timestamp, has_row: bool) -> Number {
        let number = self.next;
        self.next += 1;
        let mut behind = 0;
        for chat in &chats {
            let queue = self.chats.entry(chat.clone()).or_default();
            behind += usize::from(!queue.is_empty());
            queue.push_back(number);
        }
        if behind == 0 {
            self.ready.insert((due, number));
        }
        self.without_row += usize::from(!has_row);
        self.slots.insert(number, Slot { unit, chats, behind, due, has_row, flies: false });
        number
    }

    /// Takes the unit whose turn it is at `now`, the one that waits longest; it flies until [`settle`](Self::settle) or
    /// [`postpone`](Self::postpone).
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Number> {
        let first = self.ready.first().copied().filter(|(due, _)| *due <= now)?;
        self.fly(first)
    }

    /// Takes the one that waits longest of those that have no unit before them and are as asked for, whatever its time.
    pub(super) fn take_early(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<Number> {
        let found = self.first_ready(is_wanted)?;
        self.fly(found)
    }

    /// Whether a unit as asked for has none before it, whatever its time.
    #[must_use]
    pub(super) fn has_ready(&self, is_wanted: impl Fn(&T) -> bool) -> bool {
        self.first_ready(is_wanted).is_some()
    }

    fn first_ready(&self, is_wanted: impl Fn(&T) -> bool) -> Option<(Timestamp, Number)> {
        let is_so = |number| self.slots.get(number).is_some_and(|slot| is_wanted(&slot.unit));
        self.ready.iter().find(|(_, number)| is_so(number)).copied()
    }

    fn fly(&mut self, (due, number): (Timestamp, Number)) -> Option<Number> {
        self.ready.remove(&(due, number));
        self.slots.get_mut(&number)?.flies = true;
        Some(number)
    }

    /// From when on the next unit may go; `None` when none waits for a time.
    #[must_use]
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.ready.first().map(|(due, _)| *due)
    }

    /// The unit, to change it.
    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut T> {
        self.slots.get_mut(&number).map(|slot| &mut slot.unit)
    }

    /// The unit has come to its end: those behind it may go.
    pub(super) fn settle(&mut self, number: Number) -> Option<T> {
        let slot = self.slots.remove(&number)?;
        self.ready.remove(&(slot.due, number));
        self.without_row -= usize::from(!slot.has_row);
        for chat in &slot.chats {
            let Some(queue) = self.chats.get_mut(chat) else { continue };
            let was_first = queue.front() == Some(&number);
            if was_first {
                queue.pop_front();
            } else {
                queue.retain(|other| *other != number);
            }
            let next = queue.front().copied();
            if next.is_none() {
                self.chats.remove(chat);
            }
            if let Some(next) = next.filter(|_| was_first)
                && let Some(waiting) = self.slots.get_mut(&next)
            {
                waiting.behind -= 1;
                if waiting.behind == 0 {
                    self.ready.insert((waiting.due, next));
                }
            }
        }
        Some(slot.unit)
    }

    /// The unit goes again from `due` on; those behind it wait.
    pub(super) fn postpone(&mut self, number: Number, due: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&number) {
            self.ready.remove(&(slot.due, number));
            slot.due = due;
            slot.flies = false;
            if slot.behind == 0 {
                self.ready.insert((due, number));
            }
        }
    }

    /// The unit that was taken does not go yet after all.
    pub(super) fn put_back(&mut self, number: Number) {
        if let Some(due) = self.slots.get(&number).map(|slot| slot.due) {
            self.postpone(number, due);
        }
    }

    /// The unit has a row of its own from now on: the cursor may pass it.
    pub(super) fn has_row(&mut self, number: Number) {
        if let Some(slot) = self.slots.get_mut(&number).filter(|slot| !slot.has_row) {
            slot.has_row = true;
            self.without_row -= 1;
        }
    }

    /// Whether the unit has a row of its own.
    #[must_use]
    pub(super) fn row_of(&self, number: Number) -> bool {
        self.slots.get(&number).is_some_and(|slot| slot.has_row)
    }

    /// Units that the cursor has to wait for.
    #[must_use]
    pub(super) const fn without_row(&self) -> usize {
        self.without_row
    }

    /// Units that have a row of their own.
    #[must_use]
    pub(super) fn with_row(&self) -> usize {
        self.slots.len() - self.without_row
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The earliest unit that the cursor has to wait for.
    #[must_use]
    pub(super) fn first_without_row(&self) -> Option<&T> {
        self.slots.values().find(|slot| !slot.has_row).map(|slot| &slot.unit)
    }

    /// Units without a row that wait behind one which has one: they may wait long.
    #[must_use]
    pub(super) fn stuck(&self) -> Vec<Number> {
        // In order, so that a whole chain is found in one go.
        let mut held: BTreeSet<&str> = BTreeSet::new();
        let mut stuck = Vec::new();
        for (number, slot) in &self.slots {
            let waits = slot.chats.iter().any(|chat| held.contains(chat.as_str()));
            if waits && !slot.has_row && !slot.flies {
                stuck.push(*number);
            }
            if waits || slot.has_row {
                held.extend(slot.chats.iter().map(String::as_str));
            }
        }
        stuck
    }

    /// Makes all units that wait for a time go at once (a person asked, or the destination is well again).
    pub(super) fn hurry(&mut self, now: Timestamp) {
        let waiting: Vec<_> = self.ready.iter().filter(|(due, _)| *due > now).copied().collect();
        for (_, number) in waiting {
            self.postpone(number, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn chats(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_unit_waits_for_earlier_ones_of_its_chats_and_for_nothing_else() {
        let mut flow = Flow::default();
        let first = flow.add("first", chats(&["a", "b"]), NOW, false);
        let second = flow.add("second", chats(&["b", "c"]), NOW, false);
        let third = flow.add("third", chats(&["c"]), NOW, false);
        let other = flow.add("other", chats(&["d"]), NOW, false);
        assert_eq!((flow.take(NOW), flow.take(NOW), flow.take(NOW)), (Some(first), Some(other), None));
        flow.settle(first);
        assert_eq!((flow.take(NOW), flow.take(NOW)), (Some(second), None));
        flow.postpone(second, Timestamp(2_000));
        assert_eq!((flow.take(NOW), flow.next_due()), (None, Some(Timestamp(2_000))));
        flow.has_row(second);
        assert_eq!(flow.stuck(), [third]);
        assert_eq!(flow.take(Timestamp(2_000)), Some(second));
        flow.put_back(second);
        assert_eq!((flow.take(NOW), flow.take(Timestamp(2_000))), (None, Some(second)));
        flow.settle(second);
        assert_eq!(flow.take(NOW), Some(third));
    }

    #[test]
    fn the_cursor_waits_for_what_has_no_row() {
        let mut flow = Flow::default();
        let first = flow.add(1, chats(&["a"]), NOW, false);
        flow.add(2, chats(&["a"]), NOW, false);
        let third = flow.add(3, chats(&["b"]), NOW, false);
        assert_eq!((flow.first_without_row(), flow.without_row(), flow.with_row()), (Some(&1), 3, 0));
        flow.settle(third);
        flow.has_row(first);
        assert_eq!((flow.first_without_row(), flow.without_row(), flow.with_row()), (Some(&2), 1, 1));
        for number in flow.stuck() {
            flow.has_row(number);
        }
        assert_eq!((flow.first_without_row(), flow.without_row(), flow.with_row()), (None, 0, 2));
    }

    proptest! {
        /// Whatever fails and however calls overtake each other, each chat sees its units in order, and all arrive.
        #[test]
        fn each_chat_keeps_its_order(
            units in proptest::collection::vec(proptest::collection::btree_set(0_u8..5, 0..4), 1..60),
            turns in proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..400),
        ) {
            let mut flow = Flow::default();
            for (place, touched) in units.iter().enumerate() {
                flow.add(place, touched.iter().map(ToString::to_string).collect(), NOW, false);
            }
            let (mut flying, mut seen): (Vec<Number>, Vec<usize>) = (Vec::new(), Vec::new());
            let mut turns = turns.into_iter();
            while !flow.is_empty() {
                while let Some(number) = flow.take(NOW) {
                    let place = *flow.get_mut(number).unwrap();
                    for other in &flying {
                        let other = *flow.get_mut(*other).unwrap();
                        prop_assert!(units[place].is_disjoint(&units[other]), "two of one chat fly at once");
                    }
                    flying.push(number);
                }
                let (ok, index) = turns.next().map_or((true, 0), |(ok, index)| (ok, index.index(flying.len())));
                let number = flying.swap_remove(index);
                if ok {
                    seen.push(flow.settle(number).unwrap());
                } else {
                    flow.has_row(number);
                    flow.postpone(number, NOW);
                }
            }
            prop_assert_eq!(seen.len(), units.len());
            for chat in 0..5 {
                let of_chat: Vec<_> = seen.iter().filter(|place| units[**place].contains(&chat)).collect();
                prop_assert!(of_chat.is_sorted(), "chat {} in the order {:?}", chat, of_chat);
            }
            prop_assert!(flow.chats.is_empty() && flow.ready.is_empty() && flow.without_row() == 0);
        }
    }
}
