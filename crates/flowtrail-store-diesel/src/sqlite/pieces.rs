//! Copies of tables in pieces, around what is damaged.

use diesel::prelude::*;
use flowtrail_store::StoreError;

use super::backend::{self, Conn};
use super::salvage::{Key, TableToRead, keys, run};

/// Most keys of a piece.
const PIECE: u32 = 500;

/// How often a stretch is divided that can be read from neither of its ends.
const DEEPEST: u32 = 70;

/// Most stretches of a table that are looked at: a file of noise has no end of them.
const MOST_STRETCHES: u32 = 5_000;

/// Copies a table from `old` to `main`, and tells how many rows were read and how many stretches were not.
pub(super) fn copy(
    conn: &mut Conn,
    table: &TableToRead,
    progress: &dyn Fn(u64),
) -> Result<(u64, u64), StoreError> {
    let mut copying = Copying { conn, table, by_rowid: false, progress, rows: 0, gaps: 0, stretches: 0 };
    copying.whole()?;
    if table.has_rowid {
        // Its rows stand in another order in the file than in the index of the key, which may lack some without a sign. So other
        // ones may be read.
        let gaps = copying.gaps;
        (copying.by_rowid, copying.gaps, copying.stretches) = (true, 0, 0);
        copying.whole()?;
        // What the one way could not read the other may have: what neither could is at least the lesser.
        copying.gaps = copying.gaps.min(gaps);
    }
    Ok((copying.rows, copying.gaps))
}

struct Copying<'c> {
    conn: &'c mut Conn,
    table: &'c TableToRead,
    by_rowid: bool,
    progress: &'c dyn Fn(u64),
    rows: u64,
    gaps: u64,
    stretches: u32,
}

/// The way along the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// How a way along a stretch ended.
enum Ended {
    /// At its other end: all of it was read.
    AtEnd,
    /// At this key, beyond which something is damaged.
    At(Key),
}

impl Copying<'_> {
    fn has_bytes(&self) -> bool {
        self.table.has_bytes && !self.by_rowid
    }

    fn whole(&mut self) -> Result<(), StoreError> {
        let (low, high) = if self.has_bytes() {
            // Before all keys, and after those of any length that there is.
            (Key::Bytes(Vec::new()), Key::Bytes(vec![0xff; 33]))
        } else {
            (Key::Number(i64::MIN), Key::Number(i64::MAX))
        };
        self.stretch(low, high, 0)
    }

    /// Copies what stands between two keys.
    fn stretch(&mut self, low: Key, high: Key, depth: u32) -> Result<(), StoreError> {
        self.stretches += 1;
        let Ended::At(low) = self.walk(low, &high, Way::Up)? else { return Ok(()) };
        let Ended::At(high) = self.walk(high, &low, Way::Down)? else { return Ok(()) };
        let middle = middle(&low, &high).filter(|_| depth < DEEPEST && self.stretches < MOST_STRETCHES);
        let Some(middle) = middle else {
            self.gaps += 1;
            return Ok(());
        };
        self.stretch(low, middle.clone(), depth + 1)?;
        // The key in the middle itself, which is in neither half.
        self.copy_one_by_one(std::slice::from_ref(&middle))?;
        self.stretch(middle, high, depth + 1)
    }

    /// Copies from one key towards another until something is damaged.
    fn walk(&mut self, mut from: Key, to: &Key, way: Way) -> Result<Ended, StoreError> {
        let key = if self.by_rowid { "rowid" } else { self.table.key.as_str() };
        let (order, low, high) = match way {
            Way::Up => ("ASC", "?1", "?2"),
            Way::Down => ("DESC", "?2", "?1"),
        };
        let mut most = PIECE;
        loop {
            let query = format!(
                "SELECT DISTINCT {key} AS key FROM old.{table} WHERE {key} > {low} AND {key} < {high} \
                 ORDER BY {key} {order} LIMIT {most}",
                table = self.table.name
            );
            let found = keys(self.conn, query, &[from.clone(), to.clone()], self.has_bytes());
            match found {
                // Keys that are not in their order lead anywhere.
                Ok(found) if !is_in_order(&from, &found, way) => {
                    if most == 1 {
                        return Ok(Ended::At(from));
                    }
                    most = (most / 5).max(1);
                }
                Ok(found) => {
                    let Some(last) = found.last().cloned() else { return Ok(Ended::AtEnd) };
                    for keys in found.chunks(100) {
                        match self.copy_keys(keys) {
                            Ok(()) => {}
                            Err(error) if is_damage(&error) => self.copy_one_by_one(keys)?,
                            Err(error) => return Err(backend::translate(error)),
                        }
                    }
                    (self.progress)(self.rows);
                    from = last;
                    most = PIECE;
                }
                Err(error) if !is_damage(&error) => return Err(backend::translate(error)),
                // Nearer to the damage.
                Err(_) if most > 1 => most = (most / 5).max(1),
                Err(_) => return Ok(Ended::At(from)),
            }
        }
    }

    fn copy_one_by_one(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        for key in keys {
            match self.copy_keys(std::slice::from_ref(key)) {
                Ok(()) => {}
                Err(error) if is_damage(&error) => self.gaps += 1,
                Err(error) => return Err(backend::translate(error)),
            }
        }
        Ok(())
    }

    fn copy_keys(&mut self, keys: &[Key]) -> QueryResult<()> {
        let key = if self.by_rowid { "rowid" } else { self.table.key.as_str() };
        let places: Vec<String> = (1..=keys.len()).map(|number| format!("?{number}")).collect();
        // What a new database has from the beginning is replaced; what was read before stays.
        let kind = if self.by_rowid { "IGNORE" } else { "REPLACE" };
        let statement = format!(
            "INSERT OR {kind} INTO main.{table} SELECT * FROM old.{table} WHERE {key} IN ({places})",
            table = self.table.name,
            places = places.join(", ")
        );
        self.rows += run(self.conn, statement, keys)?;
        Ok(())
    }
}

/// True for keys that lead away from a key, each further than the one before.
fn is_in_order(from: &Key, keys: &[Key], way: Way) -> bool {
    let mut before = from;
    keys.iter().all(|key| {
        let is_further = match way {
            Way::Up => key > before,
            Way::Down => key < before,
        };
        before = key;
        is_further
    })
}

/// True for whatever makes no sense or cannot be read: a page, a value that does not fit its column. False for what keeps the
/// copy from being written.
fn is_damage(error: &diesel::result::Error) -> bool {
    let message = error.to_string();
    !["disk is full", "is locked", "readonly"].iter().any(|words| message.contains(words))
}

/// A key about half way between two others; none when they are next to each other.
fn middle(low: &Key, high: &Key) -> Option<Key> {
    match (low, high) {
        (Key::Number(low), Key::Number(high)) => {
            let middle = i128::midpoint((*low).into(), (*high).into());
            let middle = i64::try_from(middle).ok()?;
            (middle > *low && middle < *high).then_some(Key::Number(middle))
        }
        (Key::Bytes(low), Key::Bytes(high)) => {
            let as_number = |bytes: &[u8]| {
                let mut first = [0; 16];
                let length = bytes.len().min(16);
                first[..length].copy_from_slice(&bytes[..length]);
                u128::from_be_bytes(first)
            };
            let (low, high) = (as_number(low), as_number(high));
            let middle = u128::midpoint(low, high);
            (middle > low && middle < high).then(|| Key::Bytes(middle.to_be_bytes().to_vec()))
        }
        _ => None,
    }
}
