//! `sluice import`: another service's definitions become a project's folder.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, bail};
use schemas::definitions::{self, Imported};

use crate::cli::Import;

/// Writes the project's folder. Returns what it became, in words.
///
/// # Errors
/// When the file can't be read or isn't what it should be, or the project is there already.
pub fn import(asked: &Import) -> anyhow::Result<String> {
    let name = asked.project.as_str();
    let is_plain = |c: char| c.is_alphanumeric() || "-_".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        bail!("--project {name:?} can't name a folder: use letters, digits, `-` and `_`");
    }
    let text = fs::read_to_string(&asked.file).with_context(|| asked.file.display().to_string())?;
    let imported = definitions::import(&text, name, &asked.token).map_err(|problems| {
        let lines: Vec<String> =
            problems.iter().map(|it| format!("{} ({})", it.message, it.fix)).collect();
        anyhow::anyhow!("{}: {}", asked.file.display(), lines.join("; "))
    })?;
    let folder = asked.into.join(name);
    if folder.exists() {
        bail!("{} is there already: name another --project, or move it away", folder.display());
    }
    for file in &imported.files {
        let path = asked.into.join(&file.path);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, &file.text)
        };
        write().with_context(|| path.display().to_string())?;
    }
    Ok(told(&imported, &folder.display().to_string()))
}

fn told(imported: &Imported, folder: &str) -> String {
    let Imported { flags, cohorts, retold, notes, .. } = imported;
    let mut told = format!(
        "{folder}: {flags} flags and {cohorts} cohorts, of which {retold} are in Sluice's words.\n\
         Add `secrets` and `time_zone` to project.yaml if PostHog's project has them; then try \
         `sluice check`.\n"
    );
    if !notes.is_empty() {
        told.push_str("What to know:\n");
    }
    for note in notes {
        // Writing into a text can't fail.
        let _ = writeln!(told, "- {note}");
    }
    told
}
