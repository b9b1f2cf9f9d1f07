//! The attributes of one measurement, on the stack: a request makes several, and none of them
//! should ask the allocator for anything of ours.

use std::ops::Deref;

use opentelemetry::KeyValue;

/// No instrument has more.
const MAX: usize = 6;

/// A few attributes.
pub(super) struct Attributes {
    all: [KeyValue; MAX],
    length: usize,
}

impl Default for Attributes {
    fn default() -> Self {
        // An empty place; neither of its two texts is on the heap.
        const NOTHING: &str = "";
        Self { all: std::array::from_fn(|_| KeyValue::new(NOTHING, NOTHING)), length: 0 }
    }
}

impl Attributes {
    /// Adds one; what is beyond the limit is left out.
    pub(super) fn push(&mut self, attribute: KeyValue) {
        if let Some(place) = self.all.get_mut(self.length) {
            *place = attribute;
            self.length += 1;
        }
    }

    /// Adds those that there are.
    pub(super) fn extend(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        attributes.into_iter().for_each(|attribute| self.push(attribute));
    }
}

impl Deref for Attributes {
    type Target = [KeyValue];

    fn deref(&self) -> &[KeyValue] {
        &self.all[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_attributes_of_every_instrument() {
        for definition in super::super::definitions() {
            assert!(definition.attributes.len() <= MAX, "{definition:?}");
        }
    }

    #[test]
    fn attributes_are_those_that_were_added() {
        let mut attributes = Attributes::default();
        assert!(attributes.is_empty());
        attributes.push(KeyValue::new("error.type", 1));
        attributes.extend(None);
        attributes.extend(Some(KeyValue::new("http.route", 2)));
        assert_eq!(*attributes, [KeyValue::new("error.type", 1), KeyValue::new("http.route", 2)]);
    }
}
