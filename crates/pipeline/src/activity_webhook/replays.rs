//! Which notifications were taken before, as far as one process remembers.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// How much is remembered; older ids are forgotten first.
const MOST_REMEMBERED: usize = 10_000;

/// Ids of content that was taken. They are kept as numbers that nobody outside can foresee: two ids with one number are as
/// good as impossible, and would cost a hint, not an event.
#[derive(Default)]
pub(super) struct Replays {
    hasher: RandomState,
    known: HashSet<u64>,
    in_order: VecDeque<u64>,
}

impl Replays {
    /// Whether all of them were taken.
    pub(super) fn have_all(&self, ids: &[String]) -> bool {
        ids.iter().all(|id| self.known.contains(&self.hasher.hash_one(id)))
    }

    /// Takes note of them.
    pub(super) fn note(&mut self, ids: &[String]) {
        for id in ids {
            let number = self.hasher.hash_one(id);
            if self.known.insert(number) {
                self.in_order.push_back(number);
            }
        }
        while self.in_order.len() > MOST_REMEMBERED {
            if let Some(oldest) = self.in_order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ids_are_remembered_and_the_oldest_forgotten() {
        let ids = |range: std::ops::Range<usize>| range.map(|id| format!("content-{id}")).collect::<Vec<_>>();
        let mut replays = Replays::default();
        assert!(!replays.have_all(&ids(0..1)));
        for _ in 0..2 {
            replays.note(&ids(0..MOST_REMEMBERED));
            assert!(replays.have_all(&ids(0..MOST_REMEMBERED)));
        }
        assert!(!replays.have_all(&ids(MOST_REMEMBERED - 1..MOST_REMEMBERED + 1)));
        replays.note(&ids(MOST_REMEMBERED..MOST_REMEMBERED + 1));
        assert!(!replays.have_all(&ids(0..1)));
        assert!(replays.have_all(&ids(1..MOST_REMEMBERED + 1)));
        assert_eq!(
            (replays.known.len(), replays.in_order.len()),
            (MOST_REMEMBERED, MOST_REMEMBERED)
        );
    }
}
