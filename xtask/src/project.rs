//! Where things are in the repository, and which versions it is pinned to.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The verified crate's package name.
pub const PACKAGE: &str = "portolan";

/// The verified crate's folder, from the repository's root.
pub const CRATE: &str = "crates/portolan";

/// The folder of the verified sources, from the repository's root.
pub const SOURCES: &str = "crates/portolan/src";

/// The folder's part where assumptions may stand, from the repository's root. `hw.rs` beside it is its front page.
pub const TRUSTED: &str = "crates/portolan/src/hw";

/// The folder of what a kernel would otherwise write itself, from the repository's root: no proof
/// rests on it. `interop.rs` beside it is its front page.
pub const KERNELS: &str = "crates/portolan/src/interop";

/// A copy of the repository: its root folder.
pub struct Project {
    root: PathBuf,
}

/// The versions of what verifies: `[workspace.metadata.verus]` in the root manifest, and the receipt's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// Verus, as `verus --version` says it.
    pub verus: String,
    /// The solver.
    pub z3: String,
    /// Verus's standard library, the crate `vstd`.
    pub vstd: String,
    /// The compiler that Verus is built on.
    pub rustc: String,
}

impl Project {
    /// The repository that this program was built from.
    pub fn here() -> Result<Project> {
        let folder = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = folder.parent().context("xtask has no parent folder")?;
        Ok(Project::at(root))
    }

    /// The repository at `root`.
    pub fn at(root: &Path) -> Project {
        Project {
            root: root.to_owned(),
        }
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of something in the repository.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A file's text.
    pub fn read(&self, relative: &str) -> Result<String> {
        std::fs::read_to_string(self.path(relative))
            .with_context(|| format!("can't read {relative}"))
    }

    /// Writes a file, and the folders on the way.
    pub fn write(&self, relative: &str, text: &str) -> Result<()> {
        let path = self.path(relative);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("can't make the folder of {relative}"))?;
        }
        std::fs::write(&path, text).with_context(|| format!("can't write {relative}"))
    }

    /// The Rust files below a folder, by their paths from the root with `/`, sorted. Build output is left out.
    pub fn rust_files(&self, folder: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let walk = WalkDir::new(self.path(folder)).into_iter();
        for entry in
            walk.filter_entry(|entry| !is_left_out(entry.file_name().to_str(), entry.depth()))
        {
            let entry = entry.with_context(|| format!("can't list {folder}"))?;
            if entry.file_type().is_file() && entry.path().extension().is_some_and(|e| e == "rs") {
                let relative = entry.path().strip_prefix(&self.root)?;
                let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
                files.push(
                    parts
                        .with_context(|| format!("{} is not UTF-8", relative.display()))?
                        .join("/"),
                );
            }
        }
        files.sort();
        Ok(files)
    }

    /// The SHA-256 of each verified source file.
    pub fn source_hashes(&self) -> Result<BTreeMap<String, String>> {
        let mut hashes = BTreeMap::new();
        for file in self.rust_files(SOURCES)? {
            let bytes =
                std::fs::read(self.path(&file)).with_context(|| format!("can't read {file}"))?;
            hashes.insert(file, sha256(&bytes));
        }
        ensure!(!hashes.is_empty(), "{SOURCES} has no source files");
        Ok(hashes)
    }

    /// The root manifest.
    pub fn manifest(&self) -> Result<toml::Table> {
        self.read("Cargo.toml")?
            .parse()
            .context("can't parse Cargo.toml")
    }

    /// The pinned versions.
    pub fn pins(&self) -> Result<Versions> {
        let manifest = self.manifest()?;
        let pins = manifest
            .get("workspace")
            .and_then(|w| w.get("metadata"))
            .and_then(|m| m.get("verus"));
        let pins = pins.context("Cargo.toml has no [workspace.metadata.verus]")?;
        pins.clone()
            .try_into()
            .context("[workspace.metadata.verus] in Cargo.toml")
    }

    /// The version of a dependency in `Cargo.lock`.
    pub fn locked(&self, name: &str) -> Result<String> {
        #[derive(Deserialize)]
        struct Lock {
            package: Vec<Package>,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            version: String,
        }
        let lock: Lock =
            toml::from_str(&self.read("Cargo.lock")?).context("can't parse Cargo.lock")?;
        let mut versions = lock
            .package
            .into_iter()
            .filter(|package| package.name == name);
        match (versions.next(), versions.next()) {
            (Some(package), None) => Ok(package.version),
            (None, _) => bail!("Cargo.lock has no {name}"),
            _ => bail!("Cargo.lock has several versions of {name}"),
        }
    }
}

/// Whether a file is one where assumptions may stand.
pub fn is_trusted_place(file: &str) -> bool {
    is_in(TRUSTED, file)
}

/// Whether a file is one where a kernel's side may be implemented: the folder for it, or a module's tests.
pub fn is_kernels_place(file: &str) -> bool {
    is_in(KERNELS, file) || file.ends_with("/tests.rs")
}

/// Whether a file is in a module's folder, or its front page.
fn is_in(folder: &str, file: &str) -> bool {
    file.strip_prefix(folder)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn is_left_out(name: Option<&str>, depth: usize) -> bool {
    depth > 0 && name.is_some_and(|name| name == "target" || name.starts_with('.'))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_may_stand_in_hw_only() {
        assert!(is_trusted_place("crates/portolan/src/hw.rs"));
        assert!(is_trusted_place("crates/portolan/src/hw/memory.rs"));
        assert!(!is_trusted_place("crates/portolan/src/hwm.rs"));
        assert!(!is_trusted_place("crates/portolan/src/addr.rs"));
        assert!(!is_trusted_place(
            "crates/portolan/src/interop/x86_64/memory.rs"
        ));
    }

    #[test]
    fn a_kernels_side_may_stand_in_interop_and_tests_only() {
        assert!(is_kernels_place(
            "crates/portolan/src/interop/x86_64/memory.rs"
        ));
        assert!(is_kernels_place("crates/portolan/src/tlb/tests.rs"));
        assert!(!is_kernels_place("crates/portolan/src/hw/memory.rs"));
        assert!(!is_kernels_place("crates/portolan/src/addr.rs"));
    }

    #[test]
    fn hashes_are_the_published_ones() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn this_repository_is_pinned() {
        let project = Project::here().unwrap();
        assert_eq!(
            project.pins().unwrap().vstd,
            project.locked("vstd").unwrap()
        );
    }
}
