//! A queue of a few entries.

use std::slice;

/// What came first leaves first. The values are boxed, so that the code is the same whatever they are, and
/// stands in the module once; a ring would be more of it, and save little where there are few.
#[derive(Debug)]
pub(crate) struct Queue<T>(Vec<Box<T>>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Queue<T> {
    pub(crate) fn push_back(&mut self, value: T) {
        self.0.push(Box::new(value));
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.remove(0)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.0.first().map(|value| &**value)
    }

    /// Takes out what stands so far from the front.
    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        if at < self.0.len() { Some(*self.0.remove(at)) } else { None }
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn retain(&mut self, keeps: impl Fn(&T) -> bool) {
        self.0.retain(|value| keeps(value));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> slice::Iter<'_, Box<T>> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> slice::IterMut<'_, Box<T>> {
        self.0.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_leaves_first() {
        let mut queue = Queue::default();
        (1..=5).for_each(|number| queue.push_back(number));
        assert_eq!((queue.len(), queue.front()), (5, Some(&1)));
        assert_eq!((queue.pop_front(), queue.remove(1), queue.remove(3)), (Some(1), Some(3), None));
        queue.retain(|number| *number != 4);
        queue.iter_mut().for_each(|number| **number *= 10);
        let mut other = Queue::default();
        other.push_back(7);
        queue.append(&mut other);
        assert_eq!(
            (queue.iter().map(|number| **number).collect(), other.len()),
            (vec![20, 50, 7], 0)
        );
        queue.clear();
        assert_eq!((queue.pop_front(), queue.front()), (None, None));
    }
}
