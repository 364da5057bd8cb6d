//! Groups too small to show: a figure about three people is a figure about each of them.

use std::collections::{BTreeMap, BTreeSet};

/// The group that takes in every group too small to stand alone.
pub const OTHER: &str = "other";
/// The group of those who belong to none.
pub const NONE: &str = "none";

/// Moves the members of every non-empty group with fewer than `smallest` members into [`OTHER`].
///
/// A member of several folded groups counts once there. An empty group stays: its zeros are about nobody, and say that
/// the collection looked.
pub fn fold_small<T: Ord>(groups: BTreeMap<String, BTreeSet<T>>, smallest: usize) -> BTreeMap<String, BTreeSet<T>> {
    let mut folded: BTreeMap<String, BTreeSet<T>> = BTreeMap::new();
    for (name, members) in groups {
        let name = if members.is_empty() || members.len() >= smallest {
            name
        } else {
            OTHER.to_owned()
        };
        folded.entry(name).or_default().extend(members);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn groups(table: &[(&str, &[u32])]) -> BTreeMap<String, BTreeSet<u32>> {
        table
            .iter()
            .map(|(name, members)| ((*name).to_owned(), members.iter().copied().collect()))
            .collect()
    }

    #[test]
    fn small_groups_fold_and_empty_ones_stay() {
        let folded = fold_small(
            groups(&[("big", &[1, 2, 3]), ("a", &[1, 4]), ("b", &[4, 5]), ("empty", &[])]),
            3,
        );
        assert_eq!(
            folded,
            groups(&[("big", &[1, 2, 3]), ("other", &[1, 4, 5]), ("empty", &[])])
        );
    }

    proptest! {
        #[test]
        fn no_named_group_is_small_and_nobody_is_lost(
            table in proptest::collection::btree_map("[a-e]{1,2}", proptest::collection::btree_set(0_u32..50, 0..12), 0..8),
            smallest in 0_usize..8,
        ) {
            let everyone: BTreeSet<u32> = table.values().flatten().copied().collect();
            let folded = fold_small(table, smallest);
            let kept: BTreeSet<u32> = folded.values().flatten().copied().collect();
            prop_assert_eq!(everyone, kept);
            for (name, members) in folded {
                prop_assert!(name == OTHER || members.is_empty() || members.len() >= smallest);
            }
        }
    }
}
