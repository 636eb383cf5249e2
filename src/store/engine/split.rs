//! How the rows of a stretch become leaves again after a merge.

use bytes::Bytes;

use super::{
    leaf::{self, Leaf, row_size, shared_prefix},
    overlay::Overlay,
};
use crate::store::Result;

/// A row: full key and value.
pub(super) type Row = (Bytes, Bytes);

/// The rows of a leaf with the overlay's over them.
pub(super) struct Merged {
    /// The rows in key order.
    pub rows: Vec<Row>,
    /// Whether the overlay changed anything.
    pub changed: bool,
    /// Whether the overlay only added rows, and all after those that were there.
    pub appended: bool,
}

/// Merges the rows that `overlay` has in the stretch of `leaf` into those of the leaf.
///
/// # Errors
/// When the leaf is damaged.
pub(super) fn merge(leaf: &Leaf, overlay: &Overlay) -> Result<Merged> {
    let mut old = leaf.range(&leaf.start..&leaf.end)?.peekable();
    let mut merged = Merged { rows: Vec::new(), changed: false, appended: true };
    for (key, value) in overlay.range(&leaf.start..&leaf.end) {
        while let Some(row) = old.next_if(|(old, _)| old < key) {
            merged.rows.push(row);
        }
        merged.appended &= old.peek().is_none();
        let replaced = old.next_if(|(old, _)| old == key);
        merged.changed |= replaced.as_ref().map(|(_, value)| value) != value.as_ref();
        merged.rows.extend(value.clone().map(|value| (key.clone(), value)));
    }
    merged.rows.extend(old);
    Ok(merged)
}

/// Packs rows, the only ones from `start` to `end`, into leaves of about `leaf_bytes`.
///
/// Rows that were appended fill leaf after leaf; others are shared out evenly, so that each leaf
/// has room for the next rows. A row too large for a leaf gets one of its own. Without rows there is
/// one leaf nonetheless, since the one before it says that it is there.
pub(super) fn pack(
    start: Bytes,
    end: Bytes,
    rows: &[Row],
    leaf_bytes: usize,
    appended: bool,
) -> Vec<(Leaf, Bytes)> {
    if rows.is_empty() {
        return vec![packed(start, end, rows)];
    }
    let total: usize = rows.iter().map(row_size).sum();
    let share = if appended { leaf_bytes } else { total.div_ceil(total.div_ceil(leaf_bytes)) };
    let mut cuts = Vec::new();
    let mut size = 0;
    for (index, row) in rows.iter().enumerate() {
        let more = row_size(row);
        if index > 0 && size + more > share && size + more / 2 > share {
            cuts.push(index);
            size = 0;
        }
        size += more;
    }
    let mut leaves = Vec::with_capacity(cuts.len() + 1);
    let (mut start, mut from) = (start, 0);
    for cut in cuts {
        let next = separator(&rows[cut - 1].0, &rows[cut].0);
        leaves.push(packed(start, next.clone(), &rows[from..cut]));
        (start, from) = (next, cut);
    }
    leaves.push(packed(start, end, &rows[from..]));
    leaves
}

fn packed(start: Bytes, end: Bytes, rows: &[Row]) -> (Leaf, Bytes) {
    let record = leaf::pack(&start, &end, rows);
    (Leaf::read(start, end, &record), record)
}

/// The shortest key that is above `last` and not above `first`.
fn separator(last: &[u8], first: &Bytes) -> Bytes {
    first.slice(..first.len().min(shared_prefix(last, first) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sizes: &[usize]) -> Vec<Row> {
        let row = |(n, size): (usize, &usize)| {
            (Bytes::from(format!("\u{1}{n:05}")), Bytes::from(vec![0; *size]))
        };
        sizes.iter().enumerate().map(row).collect()
    }

    fn split(rows: &[Row], appended: bool) -> Vec<Leaf> {
        let leaves = pack(vec![1].into(), vec![2].into(), rows, 1000, appended);
        let leaves: Vec<_> = leaves.into_iter().map(|(leaf, _)| leaf).collect();
        let mut found = Vec::new();
        let mut at = Bytes::from(vec![1]);
        for leaf in &leaves {
            assert_eq!(leaf.start, at, "leaves follow each other");
            at = leaf.end.clone();
            found.extend(leaf.range(&leaf.start..&leaf.end).unwrap());
        }
        assert_eq!(found, rows, "every row is in the stretch of its leaf");
        leaves
    }

    #[test]
    fn appended_rows_fill_leaves_and_others_share_them_out() {
        let rows = rows(&[100; 12]);
        let counts = |appended| split(&rows, appended).iter().map(Leaf::rows).collect::<Vec<_>>();
        assert_eq!(counts(true), [9, 3]);
        assert_eq!(counts(false), [6, 6]);
    }

    #[test]
    fn a_large_row_has_a_leaf_of_its_own() {
        let rows = rows(&[100, 100, 9000, 100, 100]);
        let counts: Vec<_> = split(&rows, true).iter().map(Leaf::rows).collect();
        assert_eq!(counts, [2, 1, 2]);
    }

    #[test]
    fn no_rows_have_one_leaf() {
        assert_eq!(split(&[], true).len(), 1);
    }
}
