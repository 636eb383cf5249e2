//! Removing the oldest rows of a range.

use super::{Batch, Direction, KeyRange, Result, Store, Table};

/// How many rows are read and removed at once.
const PAGE: usize = 1024;

impl Store {
    /// Removes all rows of a range but the last `keep`, in as many commits as it takes; rows may be
    /// added and removed meanwhile. `also` gets each batch before it is submitted, with the last key
    /// that it removes.
    ///
    /// # Errors
    /// When the store can't be read or written; what was removed until then stays removed.
    pub async fn trim(
        &self,
        table: Table,
        mut range: KeyRange,
        keep: usize,
        also: impl Fn(&mut Batch, &[u8]),
    ) -> Result<()> {
        let mut left = keep;
        while left > 0 {
            let page = left.min(PAGE);
            let rows = self.scan(table, range.clone(), Direction::Backward, page).await?;
            let Some((first, _)) = rows.last().filter(|_| rows.len() == page) else {
                return Ok(());
            };
            range.end = Some(first.to_vec());
            left -= page;
        }
        loop {
            let rows = self.scan(table, range.clone(), Direction::Forward, PAGE).await?;
            let Some((last, _)) = rows.last().cloned() else { return Ok(()) };
            let mut batch = Batch::new();
            batch.makes_room();
            for (key, _) in rows {
                batch.delete(table, key);
            }
            also(&mut batch, &last);
            self.commit(batch).await?;
        }
    }
}
