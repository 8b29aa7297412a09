//! `flowtrail backup`: a copy of the database while it is in use.

use std::path::Path;

use flowtrail_store::Store;
use flowtrail_store_diesel::open_store;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Doing;
use crate::terminal::say;
use crate::{Config, Failure};

pub(super) fn run(config: &Config, file: &Path) -> Result<(), Failure> {
    // A copy has the schema that is there: nothing is migrated on the way.
    let store = open_store(&config.database, false)?;
    let expected = store.upkeep().bytes_in_use()?;
    let style =
        ProgressStyle::with_template("{bar:40} {bytes} of about {total_bytes}  {bytes_per_sec}, {eta} left")
            .doing("cannot draw")?;
    let bar = ProgressBar::new(expected.max(1)).with_style(style);
    store.upkeep().backup(file, &|written| bar.set_position(written.min(expected)))?;
    bar.finish_and_clear();
    let size = std::fs::metadata(file).map_or(0, |file| file.len());
    say(format_args!("{} ({}), checked and on disk", file.display(), bytesize::ByteSize(size)));
    Ok(())
}
