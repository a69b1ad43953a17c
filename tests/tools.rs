//! Where the binary under test and the tools around it are. What is missing fails, loudly.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The repository's root.
pub fn repository() -> PathBuf {
    // Asked when it runs, since one target folder serves several clones.
    let tests = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&tests).parent().expect("tests/ lies in the repository").to_owned()
}

/// The binary under test.
pub fn sluice() -> PathBuf {
    let built = || {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| cache().join("target"), PathBuf::from);
        target.join("debug/sluice")
    };
    let path = std::env::var_os("TEST_SLUICE_BINARY").map_or_else(built, PathBuf::from);
    assert!(path.is_file(), "no binary at {}: run script/test, which builds it", path.display());
    path
}

/// The folder of Kafka's jars.
pub fn kafka_jars() -> PathBuf {
    tool("KAFKA_JARS", |path| starts_any_file(path, "kafka_2.13-"))
}

/// A Python that has posthog-python.
pub fn sdk_python() -> PathBuf {
    tool("SDK_PYTHON", |path| path.ends_with("bin/python"))
}

/// A Node; the system's, if nothing is said.
pub fn sdk_node() -> PathBuf {
    std::env::var_os("SDK_NODE").map_or_else(|| "node".into(), PathBuf::from)
}

/// The `node_modules` that has posthog-node and posthog-js.
pub fn sdk_node_modules() -> PathBuf {
    tool("SDK_NODE_MODULES", |path| {
        path.ends_with("node_modules") && path.join("posthog-js").is_dir()
    })
}

/// A Go; the system's, if nothing is said.
pub fn sdk_go() -> PathBuf {
    std::env::var_os("SDK_GO").map_or_else(|| "go".into(), PathBuf::from)
}

/// The folder in which Go keeps posthog-go and what it has compiled.
pub fn sdk_go_cache() -> PathBuf {
    tool("SDK_GO_CACHE", |path| path.join("modules/github.com/posthog").is_dir())
}

/// A Chromium. None where none can be had: the variable is there and says nothing.
pub fn sdk_chromium() -> Option<PathBuf> {
    let debians = PathBuf::from("/usr/bin/chromium");
    match std::env::var_os("SDK_CHROMIUM") {
        Some(said) if said.is_empty() => None,
        None if debians.is_file() => Some(debians),
        _ => Some(tool("SDK_CHROMIUM", |path| path.ends_with("chromium") && path.is_file())),
    }
}

/// What the variable names, or else the newest thing in the cache that `fits`.
fn tool(variable: &str, fits: fn(&Path) -> bool) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = named.or_else(|| newest(&cache(), 4, fits));
    let path = path.unwrap_or_else(|| panic!("{variable} is not set: run script/test"));
    assert!(path.exists(), "{variable} is {}, which isn't there: run script/test", path.display());
    path
}

fn cache() -> PathBuf {
    let home = std::env::var_os("HOME").expect("HOME is set");
    Path::new(&home).join(".cache/sluice")
}

fn newest(folder: &Path, depth: u8, fits: fn(&Path) -> bool) -> Option<PathBuf> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    let mut open = vec![(folder.to_owned(), depth)];
    while let Some((path, depth)) = open.pop() {
        if fits(&path) {
            let changed = fs::metadata(&path).and_then(|metadata| metadata.modified());
            found.push((changed.unwrap_or(SystemTime::UNIX_EPOCH), path));
        } else if depth > 0 && path.is_dir() && !path.ends_with("target") {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| (entry.path(), depth - 1)));
        }
    }
    found.into_iter().max().map(|(_, path)| path)
}

fn starts_any_file(folder: &Path, start: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(start))
}
