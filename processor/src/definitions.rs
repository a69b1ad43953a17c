//! Definitions on disk: read at start, watched while running, taken up whole or not at all.

mod look;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fail::fail_point;
use schemas::catalog::Catalog;
use schemas::definitions::{Problem, Source, compile};

use self::look::Look;
use crate::fill::Filler;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::priority;
use crate::ruling::Ruling;
use crate::store::{Store, StoreError};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How many looks pass until no request can be waiting with the definitions before an edit:
/// ten seconds, twice what a request may wait.
const LOOKS_UNTIL_LET_GO: u32 = 33;
/// The most files, and the largest, that are read as definitions.
const FILES_MAX: usize = 100_000;
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why definitions couldn't be taken up.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// The folder can't be read.
    #[error("definitions in {folder} can't be read: {error}")]
    Folder {
        /// Where they should be.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// They have mistakes.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// Their numbers couldn't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads every definition below `folder`, in the order of their paths.
///
/// # Errors
/// When the folder or a file can't be read.
pub fn read(folder: &Path) -> Result<Vec<Source>, DefinitionsError> {
    let read = files(folder).and_then(|files| {
        let source = |(path, _): (PathBuf, Metadata)| {
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            let relative = path.strip_prefix(folder).unwrap_or(&path);
            Ok(Source { path: relative.to_string_lossy().into_owned(), text })
        };
        files.into_iter().map(source).collect::<std::io::Result<Vec<_>>>()
    });
    let mut sources =
        read.map_err(|error| DefinitionsError::Folder { folder: folder.to_owned(), error })?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

/// Every file of definitions below a folder.
fn files(folder: &Path) -> std::io::Result<Vec<(PathBuf, Metadata)>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let kind = path.extension().and_then(|kind| kind.to_str());
            let is_definition = matches!(kind, Some("yaml" | "yml" | "json"));
            let metadata = match std::fs::metadata(&path) {
                // What nothing is behind is nobody's definition unless it is called one.
                Err(_) if !is_definition => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                folders.push(path);
            } else if is_definition {
                if metadata.len() > FILE_BYTES_MAX || found.len() >= FILES_MAX {
                    return Err(std::io::Error::other(format!(
                        "{}: more than {FILES_MAX} files, or larger than {FILE_BYTES_MAX} bytes",
                        path.display()
                    )));
                }
                found.push((path, metadata));
            }
        }
    }
    Ok(found)
}

/// The definitions in use, and how they get there.
pub struct Definitions {
    folder: PathBuf,
    store: Arc<Store>,
    ruling: Arc<Ruling>,
    catalog: Arc<ArcSwap<Catalog>>,
    in_use: Vec<Source>,
    /// What follows an edit, in stages.
    edited: Option<Edited>,
    refused: Option<Vec<Source>>,
}

/// Definitions that were edited, on their way. First those before them go on deciding what isn't
/// filled yet; then these decide; and when nobody can be asking for the others any more, their
/// matchers are let go.
struct Edited {
    catalog: Arc<Catalog>,
    /// How many looks at the folder are left until the last stage; nothing before the second.
    looks_left: Option<u32>,
}

impl Definitions {
    /// Reads the folder for the first time.
    ///
    /// # Errors
    /// With every mistake in it: a node doesn't start on definitions that are wrong.
    pub fn open(folder: &Path, store: Arc<Store>) -> Result<Self, DefinitionsError> {
        let sources = read(folder)?;
        let catalog = compiled(&sources, &store)?;
        store.keep_for(&[&catalog]);
        Ok(Definitions {
            folder: folder.to_owned(),
            ruling: Arc::new(Ruling::new(Arc::clone(&store), Arc::clone(&catalog))),
            store,
            catalog: Arc::new(ArcSwap::new(catalog)),
            in_use: sources,
            edited: None,
            refused: None,
        })
    }

    /// What records are folded by.
    pub fn ruling(&self) -> Arc<Ruling> {
        Arc::clone(&self.ruling)
    }

    /// The catalog that decides.
    pub fn catalog(&self) -> Arc<ArcSwap<Catalog>> {
        Arc::clone(&self.catalog)
    }

    /// Watches the folder and fills what is new, until `stop` is dropped or used.
    pub fn watch<L: Log>(
        mut self,
        filler: &Filler<L>,
        metrics: &Metrics,
        stop: &mpsc::Receiver<()>,
    ) {
        // Neither reading many files nor filling may hold up who folds and who answers.
        priority::step_far_aside();
        priority::work_in_pieces();
        let mut look = Look::default();
        let mut left = true;
        loop {
            let waited = stop.recv_timeout(LOOK_EVERY);
            if waited != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            if look.may_have_changed(&self.folder) {
                match self.reload() {
                    Ok(changed) => left |= changed,
                    Err(error) => {
                        metrics.definitions_refused.inc();
                        tracing::error!("definitions refused, the last good ones stay:\n{error}");
                    }
                }
            }
            if left {
                let catalog = self.catalog.load_full();
                metrics.filling.set(filler.left(&catalog) as i64);
                let interrupted = || stop.try_recv() != Err(mpsc::TryRecvError::Empty);
                let filled = filler.fill(&catalog, &interrupted);
                left = !matches!(filled, Ok(0));
                metrics.filling.set(filler.left(&catalog) as i64);
                if let Err(error) = filled {
                    tracing::warn!(%error, "new conditions can't be filled yet; trying again");
                }
            }
            if !left {
                self.advance();
            }
        }
    }

    /// Takes up what has changed on disk. Returns whether anything has.
    ///
    /// # Errors
    /// When it can't be read, or has mistakes; the last good definitions stay.
    pub fn reload(&mut self) -> Result<bool, DefinitionsError> {
        let sources = read(&self.folder)?;
        if sources == self.in_use || self.refused.as_ref() == Some(&sources) {
            return Ok(false);
        }
        let catalog = match compiled(&sources, &self.store) {
            Ok(catalog) => catalog,
            Err(error) => {
                self.refused = Some(sources);
                return Err(error);
            }
        };
        let old = self.catalog.load_full();
        let first = catalog.standing_on(&old, |matcher| self.store.is_filled(matcher));
        self.fold_by(Arc::new(first));
        self.edited = Some(Edited { catalog: Arc::clone(&catalog), looks_left: None });
        tracing::info!(
            flags = catalog.projects().iter().map(|project| project.flags.len()).sum::<usize>(),
            cohorts = catalog.projects().iter().map(|project| project.cohorts.len()).sum::<usize>(),
            "definitions taken up"
        );
        self.in_use = sources;
        self.refused = None;
        Ok(true)
    }

    /// Brings an edit on its way, once what it needs is filled.
    pub fn advance(&mut self) {
        let Some(edited) = &mut self.edited else { return };
        match &mut edited.looks_left {
            None => {
                self.catalog.store(Arc::clone(&edited.catalog));
                edited.looks_left = Some(LOOKS_UNTIL_LET_GO);
            }
            Some(0) => {
                let catalog = Arc::clone(&edited.catalog);
                self.edited = None;
                self.fold_by(catalog);
            }
            Some(left) => *left -= 1,
        }
    }

    /// Folds and decides by this catalog from now on.
    fn fold_by(&self, catalog: Arc<Catalog>) {
        let old = self.catalog.load_full();
        self.store.keep_for(&[&*old, &*catalog]);
        self.ruling.replace(Arc::clone(&catalog));
        fail_point!("definitions.taken_up", |_| std::process::abort());
        self.catalog.store(Arc::clone(&catalog));
        self.store.keep_for(&[&*catalog]);
    }
}

/// What definitions amount to; the numbers in it are kept.
fn compiled(sources: &[Source], store: &Store) -> Result<Arc<Catalog>, DefinitionsError> {
    let mut registry = store.registry()?;
    let environment = |name: &str| std::env::var(name).ok();
    let compiled = compile(sources, &environment, &mut registry);
    let compiled = compiled.map_err(DefinitionsError::Problems)?;
    for warning in &compiled.warnings {
        tracing::warn!("{warning}");
    }
    store.write_registry(&registry)?;
    fail_point!("definitions.numbered", |_| std::process::abort());
    Ok(Arc::new(compiled.catalog))
}

#[cfg(test)]
mod tests;
