//! The selected row and the visible rows of a list.

/// The selection of a list. It stays on the same row when the order changes.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<K> {
    /// The key of the selected row; `None` in an empty list.
    selected: Option<K>,
    index: usize,
    /// The first visible row.
    offset: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self {
            selected: None,
            index: 0,
            offset: 0,
        }
    }
}

impl<K: PartialEq> Cursor<K> {
    pub(crate) fn selected(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Finds the selected row again in the list `keys`, of which `page` rows are visible.
    ///
    /// If the row is gone, this selects the row that took its place.
    pub(super) fn follow(&mut self, keys: &[K], page: usize)
    where
        K: Clone,
    {
        let found = self
            .selected
            .as_ref()
            .and_then(|selected| keys.iter().position(|key| key == selected));
        self.select(found.unwrap_or(self.index), keys, page);
    }

    /// Moves the selection by a number of rows; a negative number moves up.
    pub(super) fn step(&mut self, by: isize, keys: &[K], page: usize)
    where
        K: Clone,
    {
        self.select(self.index.saturating_add_signed(by), keys, page);
    }

    /// Selects the row at `index`, or the last row if there are fewer.
    pub(super) fn select(&mut self, index: usize, keys: &[K], page: usize)
    where
        K: Clone,
    {
        self.index = index.min(keys.len().saturating_sub(1));
        self.selected = keys.get(self.index).cloned();
        let page = page.max(1);
        let first = (self.index + 1).saturating_sub(page);
        self.offset = self.offset.clamp(first, self.index);
        // Leave no empty rows at the bottom while rows are hidden at the top.
        self.offset = self.offset.min(keys.len().saturating_sub(page));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_follows_its_row_and_stays_visible() {
        let mut cursor = Cursor::default();
        let mut keys: Vec<u32> = (0..10).collect();
        cursor.follow(&keys, 3);
        assert_eq!((cursor.selected(), cursor.offset()), (Some(&0), 0));
        cursor.step(4, &keys, 3);
        assert_eq!((cursor.selected(), cursor.offset()), (Some(&4), 2));
        keys.reverse();
        cursor.follow(&keys, 3);
        assert_eq!((cursor.index(), cursor.offset()), (5, 3));
        cursor.step(-2, &keys, 3);
        assert_eq!((cursor.index(), cursor.offset()), (3, 3));
        cursor.step(isize::MAX, &keys, 3);
        assert_eq!((cursor.index(), cursor.offset()), (9, 7));
        cursor.step(isize::MIN, &keys, 3);
        assert_eq!((cursor.index(), cursor.offset()), (0, 0));
    }

    #[test]
    fn what_is_gone_leaves_the_selection_to_its_place() {
        let mut cursor = Cursor::default();
        cursor.select(2, &[1, 2, 3, 4], 9);
        cursor.follow(&[1, 2, 4], 9);
        assert_eq!(cursor.selected(), Some(&4));
        cursor.follow(&[1], 9);
        assert_eq!(cursor.selected(), Some(&1));
        cursor.follow(&[], 9);
        assert_eq!((cursor.selected(), cursor.index()), (None, 0));
    }

    #[test]
    fn a_taller_view_shows_what_is_above() {
        let mut cursor = Cursor::default();
        let keys: Vec<u32> = (0..10).collect();
        cursor.select(9, &keys, 2);
        assert_eq!(cursor.offset(), 8);
        cursor.follow(&keys, 6);
        assert_eq!(cursor.offset(), 4);
        cursor.follow(&keys, 0);
        assert_eq!((cursor.index(), cursor.offset()), (9, 9));
    }
}
