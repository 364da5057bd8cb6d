//! A few things that are dear to make and asked for again.

use std::sync::Mutex;

use crate::world::lock;

/// How many things are kept: the reports of a day, in each form, and those of the day before.
const KEPT: usize = 6;

/// What was made last, newest at the end.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    most: usize,
    made: Mutex<Vec<(K, V)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl<K, V> Cache<K, V> {
    /// One that keeps so many things.
    pub(super) fn keeping(most: usize) -> Self {
        Self {
            most,
            made: Mutex::default(),
        }
    }
}

impl<K: PartialEq, V: Clone> Cache<K, V> {
    /// What belongs to this key, made if it is not there. Two who ask at once may both make it, and make the same.
    pub(super) fn get(&self, key: K, make: impl FnOnce() -> V) -> V {
        if let Some((_, value)) = lock(&self.made).iter().find(|(made, _)| *made == key) {
            return value.clone();
        }
        let value = make();
        let mut kept = lock(&self.made);
        if kept.len() >= self.most {
            kept.remove(0);
        }
        kept.push((key, value.clone()));
        value
    }
}
