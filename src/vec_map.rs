//! A map of a few entries, in the order of insertion.

use std::iter::Map;
use std::vec::IntoIter;

/// Values under keys, found by looking at each. The values are boxed, so that the code is the same
/// whatever they are, and stands in the module once.
#[derive(Clone, Debug)]
pub(crate) struct VecMap<K, V>(Vec<(K, Box<V>)>);

impl<K, V> Default for VecMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + PartialEq, V> VecMap<K, V> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Puts a value under a key; gives back the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.get_mut(&key) {
            Some(before) => Some(std::mem::replace(before, value)),
            None => {
                self.0.push((key, Box::new(value)));
                None
            }
        }
    }

    pub(crate) fn get(&self, wanted: &K) -> Option<&V> {
        self.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, wanted: &K) -> Option<&mut V> {
        self.0.iter_mut().find(|(key, _)| key == wanted).map(|(_, value)| &mut **value)
    }

    pub(crate) fn remove(&mut self, wanted: &K) -> Option<V> {
        let at = self.0.iter().position(|(key, _)| key == wanted)?;
        Some(*self.0.remove(at).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, &**value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, &mut **value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }
}

impl<K, V> IntoIterator for VecMap<K, V> {
    type Item = (K, V);
    type IntoIter = Map<IntoIter<(K, Box<V>)>, fn((K, Box<V>)) -> (K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, value)| (key, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order() {
        let mut map = VecMap::new();
        for (key, value) in [(3, "c"), (1, "a"), (2, "b")] {
            assert_eq!(map.insert(key, value), None);
        }
        assert_eq!(map.insert(1, "A"), Some("a"));
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&3, &"c"), (&1, &"A"), (&2, &"b")]);
        assert_eq!((map.remove(&3), map.remove(&3)), (Some("c"), None));
        assert_eq!((map.get(&2), map.get(&3)), (Some(&"b"), None));
        assert_eq!(map.keys().collect::<Vec<_>>(), [&1, &2]);
        map.values_mut().for_each(|value| *value = "x");
        assert!(map.values().all(|value| *value == "x"));
        assert_eq!(map.into_iter().count(), 2);
    }
}
