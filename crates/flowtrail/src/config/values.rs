//! Values of options, as people write them.

use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};

/// A number of bytes, written like `16MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<ByteSize>() {
            Ok(size) if size.as_u64() > 0 => Ok(Self(size.as_u64())),
            _ => Err(format!("expected a size like 16MiB, got {text:?}")),
        }
    }
}

/// The longest that an execution may take.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A percentage, written like `50%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u8);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse();
        match number {
            Ok(percent @ 1..=100) => Ok(Self(percent)),
            _ => Err(format!("expected a percentage like 50%, from 1% to 100%, got {text:?}")),
        }
    }
}

/// A length of time, written like `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(Self(duration)),
            _ => Err(format!("expected a duration like 5m or 30s, at most 24h, got {text:?}")),
        }
    }
}

macro_rules! from_file {
    ($($type:ty),+) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        })+
    };
}

from_file!(Percent, Size, Span);
