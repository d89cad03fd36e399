//! What the queries of a database share besides storage: the catalog, the executor's threads and memory, clock and
//! randomness.

use super::Engine;
use crate::catalog::{Catalog, CatalogStore};
use crate::error::Result;
use crate::executor::{ExecutorOptions, Resources};
use crate::vfs::{Clock, Rng, Vfs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How queries are run.
pub(super) struct Setup {
    pub(super) database: String,
    pub(super) threads: Option<usize>,
    pub(super) spill_vfs: Arc<dyn Vfs>,
    pub(super) spill_folder: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
}

/// What queries share.
pub struct Queries {
    /// Tables and indexes.
    pub catalog: CatalogStore,
    /// Threads, memory and a place for what it has no room for.
    pub resources: Arc<Resources>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bits.
    pub rng: Arc<dyn Rng>,
    /// Reads and writes the files of COPY.
    pub files: Arc<dyn Vfs>,
    /// Statements that took the short path of reads by key.
    pub point_reads: AtomicU64,
}

impl Queries {
    pub(super) fn open(engine: &Engine, setup: &Setup) -> Result<Self> {
        let catalog =
            CatalogStore::open(engine.store(), engine.participant(), Catalog::new(&setup.database))?;
        let mut options = ExecutorOptions::new(
            engine.budget(),
            &setup.spill_vfs,
            setup.spill_folder.clone(),
            Arc::clone(&setup.clock),
        );
        if let Some(threads) = setup.threads {
            options.threads = threads.max(1);
        }
        Ok(Self {
            catalog,
            resources: Resources::new(engine.shared_store(), options),
            clock: Arc::clone(&setup.clock),
            rng: Arc::clone(&setup.rng),
            files: Arc::clone(&setup.spill_vfs),
            point_reads: AtomicU64::new(0),
        })
    }
}
