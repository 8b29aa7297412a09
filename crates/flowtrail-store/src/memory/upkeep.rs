//! A store in memory takes no disk.

use std::path::Path;

use super::MemoryStore;
use crate::{Job, StorageSize, StoreError, Upkeep};

impl Upkeep for MemoryStore {
    fn lead(&self, _job: Job) -> Result<bool, StoreError> {
        // Nobody else has it.
        Ok(true)
    }

    fn size(&self) -> Result<StorageSize, StoreError> {
        Ok(StorageSize {
            how: "this history is in memory, and gone when the process ends",
            ..StorageSize::default()
        })
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn bytes_in_use(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn bytes_to_give_back(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn set_ceiling(&self, _bytes: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn give_back(&self, _most: u64) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn backup(&self, to: &Path, _progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError> {
        Err(StoreError::NoCopy(format!("a history in memory cannot be copied to {}", to.display())))
    }
}
