//! The ruling catalog: the one that records are folded by, which changes at one moment for every
//! worker and partition.

use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};
use schemas::catalog::Catalog;

use crate::store::Store;

/// The catalog that records are folded by.
///
/// Whoever folds holds it from the first record of a batch until everybody was told how far that
/// went, and it is replaced while nobody does: no partition is read by one catalog and taken for
/// complete by another.
///
/// It is held before anything of the store is locked, never after, and once by a thread: who waits
/// to replace it goes first, before whoever asks to hold it then.
pub struct Ruling {
    store: Arc<Store>,
    catalog: RwLock<Arc<Catalog>>,
}

impl Ruling {
    /// Takes up a first catalog.
    pub fn new(store: Arc<Store>, catalog: Arc<Catalog>) -> Self {
        store.take_up(&catalog, &store.position());
        Ruling { store, catalog: RwLock::new(catalog) }
    }

    /// The catalog, which rules as long as this is held. Whoever replaces it waits for that, and so
    /// does everybody who folds: nothing may be waited for meanwhile.
    pub fn hold(&self) -> RwLockReadGuard<'_, Arc<Catalog>> {
        self.catalog.read()
    }

    /// Has records folded by this catalog from now on. What it asks for anew has to be filled up to
    /// here.
    pub fn replace(&self, catalog: Arc<Catalog>) {
        let mut ruling = self.catalog.write();
        self.store.take_up(&catalog, &self.store.position());
        *ruling = catalog;
    }

    /// Whether somebody folds by it, or replaces it.
    #[cfg(test)]
    pub fn is_held(&self) -> bool {
        self.catalog.is_locked()
    }

    /// Whether somebody replaces it, or waits for that.
    #[cfg(test)]
    pub fn is_being_replaced(&self) -> bool {
        // Whoever asks to hold it then has to wait.
        self.catalog.try_read().is_none()
    }
}
