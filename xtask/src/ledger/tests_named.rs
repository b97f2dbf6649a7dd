//! Looking up the tests that the ledger names.

use crate::project::Project;
use anyhow::Result;

/// The repository's Rust files, as far as tests can be in them.
pub struct TestNames {
    files: Vec<(String, String)>,
}

impl TestNames {
    /// The files of the repository, without this program's own.
    pub fn read(project: &Project) -> Result<TestNames> {
        let mut files = Vec::new();
        for file in project.rust_files("")? {
            if !file.starts_with("xtask/") {
                let text = project.read(&file)?;
                files.push((file, text));
            }
        }
        Ok(TestNames { files })
    }

    /// These files, by path and text.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> TestNames {
        TestNames {
            files: files
                .iter()
                .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
                .collect(),
        }
    }

    /// Whether a test of this path exists: a function of the last name, in a file or module of the name before it.
    pub fn has(&self, test: &str) -> bool {
        let mut names = test.rsplit("::");
        let function = format!("fn {}(", names.next().unwrap_or_default());
        let module = names.next();
        self.files.iter().any(|(file, text)| {
            text.contains(&function) && module.is_none_or(|module| is_in(file, text, module))
        })
    }
}

/// Whether a file has the module: is called so, is in a folder called so, or has it inside.
fn is_in(file: &str, text: &str, module: &str) -> bool {
    file.split('/')
        .any(|part| part == module || part.strip_suffix(".rs") == Some(module))
        || text.contains(&format!("mod {module} {{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_by_function_and_module() {
        let names = TestNames::of(&[
            ("crates/m/tests/conformance.rs", "#[test]\nfn reads() {}"),
            (
                "crates/m/src/soft/walk.rs",
                "mod tests {\n #[test]\n fn walks() {} }",
            ),
        ]);
        assert!(names.has("conformance::reads"));
        assert!(names.has("soft::walk::tests::walks"));
        assert!(names.has("walk::walks"));
        assert!(!names.has("conformance::walks"));
        assert!(!names.has("conformance::read"));
    }
}
