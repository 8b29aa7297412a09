//! A buffer for a body of which nobody knows how large it becomes.
//!
//! A large one is memory of the system's own: only what is written takes any, it never moves, and it goes back at once when it
//! is dropped. The allocator would keep what a growing vector leaves behind, which many large bodies turn into several times
//! what they reserve.

use std::io;

use actix_web::web::Bytes;
use memmap2::MmapMut;

/// Up to this size it is a vector.
const SMALL: usize = 64 << 10;

/// In steps of this size a large one grows.
const STEP: usize = 256 << 10;

/// A buffer that takes so many bytes at most.
#[derive(Debug)]
pub(crate) struct Buffer {
    small: Vec<u8>,
    large: Option<MmapMut>,
    len: usize,
    /// Number of bytes that are reserved for it.
    room: usize,
    limit: usize,
}

/// A large buffer as bytes.
struct Large {
    map: MmapMut,
    len: usize,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

impl Buffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { small: Vec::new(), large: None, len: 0, room: 0, limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of bytes by which its memory grows when so many are added.
    pub(crate) fn growth(&self, more: usize) -> usize {
        let needed = self.len + more;
        let room = match needed {
            _ if needed <= self.room => self.room,
            // Doubled, so that small pieces are not copied again and again.
            _ if needed <= SMALL => needed.max((2 * self.room).min(SMALL)),
            _ => needed.next_multiple_of(STEP).min(self.limit.max(needed)),
        };
        room - self.room
    }

    /// Adds bytes, for which [`growth`](Self::growth) told what to reserve. There must be no more of them than the limit.
    ///
    /// # Errors
    ///
    /// When the system has no memory.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.room += self.growth(bytes.len());
        let len = self.len + bytes.len();
        if len > SMALL && self.large.is_none() {
            let mut map = MmapMut::map_anon(self.limit.max(len))?;
            map[..self.len].copy_from_slice(&self.small);
            self.small = Vec::new();
            self.large = Some(map);
        }
        match &mut self.large {
            Some(map) => map[self.len..len].copy_from_slice(bytes),
            None => {
                self.small.reserve_exact(self.room - self.small.len());
                self.small.extend_from_slice(bytes);
            }
        }
        self.len = len;
        Ok(())
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self.large {
            Some(map) => Bytes::from_owner(Large { map, len: self.len }),
            None => Bytes::from(self.small),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_comes_out_and_takes_what_was_told() {
        for (limit, piece, count) in
            [(1 << 20, 1_000, 3), (1 << 20, 1_000, 1_000), (100, 100, 1), (SMALL + 1, SMALL + 1, 1)]
        {
            let mut buffer = Buffer::new(limit);
            let mut reserved = 0;
            for number in 0..count {
                reserved += buffer.growth(piece);
                buffer.add(&vec![u8::try_from(number % 251).unwrap(); piece]).unwrap();
            }
            assert!(reserved >= buffer.len() && reserved <= limit.max(2 * buffer.len()), "{reserved}");
            let bytes = buffer.into_bytes();
            let expected: Vec<u8> =
                (0..count).flat_map(|number| vec![u8::try_from(number % 251).unwrap(); piece]).collect();
            assert!(bytes == expected, "{limit} {piece} {count}");
        }
    }
}
