//! A histogram of durations that can be added to, subtracted from and merged, whose quantiles are within 1%.

/// How many bits of a duration below its highest one tell its bin: 64 bins in each power of two.
const BITS: u32 = 6;
const BINS_PER_OCTAVE: u64 = 1 << BITS;

/// How often each duration occurred, in bins whose width grows with the duration.
///
/// Durations below 64 µs have a bin each; above, each power of two is cut into 64 bins of equal width. The middle of
/// a bin is within 0.79% of everything in it ([`RELATIVE_ERROR`](Self::RELATIVE_ERROR)). Only integers decide the bin,
/// so that the same duration falls into the same one on every machine, and what was added can be taken away again.
///
/// Counts may be negative: a histogram may stand for a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durations {
    /// Bin and count, in the order of the bins; no count is zero.
    bins: Vec<(u16, i64)>,
}

/// Bytes that are no histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a histogram of durations")]
pub struct InvalidDurations;

impl Durations {
    /// How far a quantile is at most from the duration that it stands for, relative to that duration.
    pub const RELATIVE_ERROR: f64 = 0.5 / BINS_PER_OCTAVE as f64;

    /// Counts a duration, in microseconds, so many times more. A negative duration counts as none.
    pub fn add(&mut self, duration_us: i64, times: i64) {
        self.add_to_bin(bin_of(u64::try_from(duration_us).unwrap_or(0)), times);
    }

    fn add_to_bin(&mut self, bin: u16, times: i64) {
        if times == 0 {
            return;
        }
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(index) => {
                self.bins[index].1 += times;
                if self.bins[index].1 == 0 {
                    self.bins.remove(index);
                }
            }
            Err(index) => self.bins.insert(index, (bin, times)),
        }
    }

    /// Adds all counts of another histogram, `times` times each; `-1` takes them away.
    pub fn merge(&mut self, other: &Self, times: i64) {
        if self.bins.is_empty() && times == 1 {
            self.bins.clone_from(&other.bins);
            return;
        }
        if other.bins.len() * 8 < self.bins.len() {
            other.bins.iter().for_each(|(bin, count)| self.add_to_bin(*bin, count * times));
            return;
        }
        let mut merged = Vec::with_capacity(self.bins.len() + other.bins.len());
        let (mut ours, mut theirs) = (self.bins.iter().peekable(), other.bins.iter().peekable());
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some((a, _)), Some((b, _))) => *a.min(b),
                (Some((a, _)), None) => *a,
                (None, Some((b, _))) => *b,
                (None, None) => break,
            };
            let mut count = ours.next_if(|(bin, _)| *bin == next).map_or(0, |(_, count)| *count);
            count += theirs.next_if(|(bin, _)| *bin == next).map_or(0, |(_, count)| count * times);
            if count != 0 {
                merged.push((next, count));
            }
        }
        self.bins = merged;
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.bins.iter().map(|(_, count)| count).sum()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// The duration, in microseconds, that this share of all durations does not exceed (by the nearest rank): 0.5 is
    /// the median. None when nothing was counted.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total: i64 = self.bins.iter().map(|(_, count)| (*count).max(0)).sum();
        if total == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "fewer than 2^53 durations"
        )]
        let rank = ((share.clamp(0.0, 1.0) * total as f64).ceil() as i64).max(1);
        let mut seen = 0;
        for (bin, count) in &self.bins {
            seen += (*count).max(0);
            if seen >= rank {
                return Some(middle_of(*bin));
            }
        }
        None
    }

    /// The histogram as bytes: for each bin its distance from the one before and its count, as variable-length
    /// integers, the count in zigzag.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bins.len() * 3);
        let mut before = 0;
        for (bin, count) in &self.bins {
            write_number(&mut bytes, u64::from(bin - before));
            before = *bin;
            write_number(&mut bytes, ((count << 1) ^ (count >> 63)).cast_unsigned());
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are no histogram.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, InvalidDurations> {
        let mut bins = Vec::with_capacity(bytes.len() / 2);
        let mut bin = 0u16;
        while !bytes.is_empty() {
            let distance = read_number(&mut bytes)?;
            bin = u16::try_from(distance)
                .ok()
                .and_then(|distance| bin.checked_add(distance))
                .ok_or(InvalidDurations)?;
            let count = read_number(&mut bytes)?;
            bins.push((bin, (count >> 1).cast_signed() ^ -((count & 1).cast_signed())));
        }
        Ok(Self { bins })
    }
}

fn bin_of(duration_us: u64) -> u16 {
    if duration_us < BINS_PER_OCTAVE {
        return u16::try_from(duration_us).unwrap_or(0);
    }
    let octave = duration_us.ilog2() - BITS;
    let within = (duration_us >> octave) - BINS_PER_OCTAVE;
    // At most 58 octaves of 64 bins lie above the first one.
    u16::try_from(u64::from(octave + 1) * BINS_PER_OCTAVE + within).unwrap_or(u16::MAX)
}

fn middle_of(bin: u16) -> f64 {
    let bin = u64::from(bin);
    #[expect(clippy::cast_precision_loss, reason = "a bin is known to one part in 64 anyway")]
    if bin < BINS_PER_OCTAVE {
        bin as f64
    } else {
        let octave = bin / BINS_PER_OCTAVE - 1;
        let lower = (BINS_PER_OCTAVE + bin % BINS_PER_OCTAVE) << octave.min(57);
        // The durations in a bin are integers: of a bin with one of them, the middle is that one.
        lower as f64 + ((1u64 << octave.min(57)) - 1) as f64 / 2.0
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, InvalidDurations> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(InvalidDurations)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(InvalidDurations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_near_the_middle_of_its_bin() {
        let mut duration = 0u64;
        while duration < 1 << 62 {
            let middle = middle_of(bin_of(duration));
            #[expect(clippy::cast_precision_loss, reason = "compared to 1%")]
            let off = (middle - duration as f64).abs() / (duration as f64).max(1.0);
            assert!(off <= Durations::RELATIVE_ERROR, "{duration} is told as {middle}, {off} off");
            duration += 1 + duration / 97;
        }
        assert!(bin_of(u64::MAX) < u16::MAX);
    }

    #[test]
    fn bins_are_in_the_order_of_durations() {
        let bins: Vec<u16> = (0..1_000_000).map(bin_of).collect();
        assert!(bins.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
    }

    #[test]
    fn what_was_added_can_be_taken_away() {
        let mut all = Durations::default();
        let mut half = Durations::default();
        for duration in 0..2_000 {
            all.add(duration * 37, 1);
            if duration % 2 == 0 {
                half.add(duration * 37, 1);
            }
        }
        assert_eq!(all.count(), 2_000);
        let mut odd = all.clone();
        odd.merge(&half, -1);
        assert_eq!(odd.count(), 1_000);
        odd.merge(&half, 1);
        assert_eq!(odd, all);
        odd.merge(&all, -1);
        assert!(odd.is_empty() && odd.quantile(0.5).is_none());
    }

    #[test]
    fn quantiles_go_by_the_nearest_rank() {
        let mut durations = Durations::default();
        (1..=100).for_each(|millis| durations.add(millis * 1_000, 1));
        for (share, expected) in
            [(0.0, 1_000.0), (0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0), (1.0, 100_000.0)]
        {
            let told = durations.quantile(share).unwrap();
            assert!((told - expected).abs() / expected <= Durations::RELATIVE_ERROR, "{share}: {told}");
        }
    }

    #[test]
    fn bytes_there_and_back() {
        let mut durations = Durations::default();
        for (duration, times) in
            [(0, 1), (63, -5), (64, 300), (1_000_000, 1 << 40), (i64::MAX, i64::from(i32::MIN))]
        {
            durations.add(duration, times);
        }
        assert_eq!(Durations::decode(&durations.encode()), Ok(durations));
        assert_eq!(Durations::decode(&[]), Ok(Durations::default()));
        for garbage in [&[0x80][..], &[1], &[0xff; 30], &[0xff, 0xff, 0xff, 0x7f, 1]] {
            assert_eq!(Durations::decode(garbage), Err(InvalidDurations));
        }
    }
}
