//! Where surrogates without a partner were replaced.

use std::collections::BTreeMap;

/// A tree of the places in a value where surrogates were replaced. It has a branch for nothing else, so that it is no larger
/// than the text it was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    here: bool,
    /// Whether nothing is known of where: everywhere, then.
    everywhere: bool,
    members: BTreeMap<String, Replaced>,
}

static NOWHERE: Replaced = Replaced { here: false, everywhere: false, members: BTreeMap::new() };
static EVERYWHERE: Replaced = Replaced { here: true, everywhere: true, members: BTreeMap::new() };

impl Replaced {
    /// Returns the places in a value in which nothing was replaced.
    #[must_use]
    pub fn nowhere() -> &'static Self {
        &NOWHERE
    }

    /// Returns the places in a value of which nothing is known but that something was replaced in it.
    #[must_use]
    pub fn everywhere() -> Self {
        EVERYWHERE.clone()
    }

    /// Whether any surrogate was replaced in the value.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.here || !self.members.is_empty()
    }

    /// The places within a member of an object, or an item of an array by its index.
    #[must_use]
    pub fn at(&self, member: &str) -> &Self {
        let unnamed = if self.everywhere { &EVERYWHERE } else { &NOWHERE };
        self.members.get(member).unwrap_or(unnamed)
    }

    /// Records that the value itself, a string or the key of a member, had one.
    pub(super) fn mark(&mut self) {
        self.here = true;
    }

    /// Adds what was found in a member. A later member with the same key takes the place of an earlier one.
    pub(super) fn add(&mut self, member: &str, within: Self) {
        if within.is_any() {
            self.members.insert(member.to_owned(), within);
        } else if !self.members.is_empty() {
            self.members.remove(member);
        }
    }
}
