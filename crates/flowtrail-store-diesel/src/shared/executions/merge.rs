//! One list of what several flows have.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use flowtrail_store::{Counted, StoreError};
use flowtrail_types::Place;

use super::super::backend::Conn;
use super::walk::{MOST, Walk, Walked};

/// How many places of a list are read at first, and at most at once.
const CHUNKS: (i64, i64) = (32, 512);

/// One of the lists that are merged.
struct List<'a> {
    /// What of it was not read yet.
    rest: Option<Walk<'a>>,
    read: VecDeque<Place>,
    chunk: i64,
}

impl<'a> List<'a> {
    fn new(walk: Walk<'a>) -> Self {
        Self { rest: Some(walk), read: VecDeque::new(), chunk: CHUNKS.0 }
    }

    /// Reads on, and tells where the search ended if the list has more below.
    fn read_on(&mut self, conn: &mut Conn) -> Result<Option<Place>, StoreError> {
        let Some(mut walk) = self.rest.take() else { return Ok(None) };
        let found = walk.places(conn, self.chunk)?;
        if let Some(last) = found.rows.last()
            && found.rows.len() as i64 >= self.chunk
        {
            walk.upper = Some(*last);
            self.rest = Some(walk);
            self.chunk = (self.chunk * 2).min(CHUNKS.1);
        }
        self.read = found.rows.into();
        Ok(found.searched_to)
    }
}

/// The places that several lists have together, at most so many after so many that are left out. A list is read only when
/// its newest execution may be the next one.
pub(super) fn merge(
    conn: &mut Conn,
    walks: Vec<Walk<'_>>,
    offset: i64,
    limit: i64,
) -> Result<Walked<Place>, StoreError> {
    let mut heap: BinaryHeap<(Place, Reverse<usize>, bool)> = BinaryHeap::new();
    let mut lists: Vec<List<'_>> = Vec::new();
    for (number, walk) in walks.into_iter().enumerate() {
        // A place that none of its executions stands above.
        if let Some(newest) = walk.place_at(conn, 0)? {
            heap.push((newest, Reverse(number), false));
        }
        lists.push(List::new(walk));
    }
    let mut found = Walked::default();
    let mut passed = 0;
    // Below this place nothing is known of one of the lists: no list goes further.
    let mut floor: Option<Place> = None;
    let mut last: Option<Place> = None;
    while let Some((place, Reverse(number), is_row)) = heap.pop() {
        if floor.is_some_and(|floor| place < floor) {
            break;
        }
        let list = &mut lists[number];
        if is_row {
            list.read.pop_front();
        }
        // What two lists have is there once.
        let is_new = is_row && last.replace(place) != Some(place);
        if is_new && passed < offset {
            passed += 1;
            if passed == MOST && passed < offset {
                floor = Some(place);
                break;
            }
        } else if is_new {
            found.rows.push(place);
            if found.rows.len() as i64 >= limit {
                return Ok(found);
            }
        }
        if list.read.is_empty() {
            floor = floor.max(list.read_on(conn)?);
        }
        if let Some(next) = list.read.front() {
            heap.push((*next, Reverse(number), true));
        }
    }
    found.searched_to = floor;
    Ok(found)
}

/// How many there are in all lists, looking at no more than so many rows.
pub(super) fn count(conn: &mut Conn, walks: &[Walk<'_>], bound: u32) -> Result<Counted, StoreError> {
    let mut sum = Counted { count: 0, is_exact: true };
    for walk in walks {
        let left = u64::from(bound).saturating_sub(sum.count);
        if left == 0 {
            sum.is_exact = false;
            break;
        }
        let counted = walk.count(conn, u32::try_from(left).unwrap_or(bound))?;
        sum.count += counted.count;
        sum.is_exact &= counted.is_exact;
    }
    Ok(sum)
}
