//! The theorem, and the record of the proof run, which is part of this program.

use serde::Serialize;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// What is proven, in one sentence.
pub const THEOREM: &str = "Whatever else memory holds, and whichever accessed and dirty bits \
    hardware has set: for every 64-bit number taken as a virtual address, the processor's walk of \
    the raw words answers what the abstract address space says, and a fault where nothing is \
    mapped; after each single store of an operation, that is the address space before it or the \
    one after it.";

/// Where the statement is.
pub const STATEMENT: &str = "crates/portolan/src/spec/theorem.rs";

/// The record of the proof run that the sources were last put through, as far as it says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Receipt {
    /// Why nothing is known, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Obligations proven.
    pub obligations: Option<u64>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Source files with a hash in the record.
    pub source_files: Option<usize>,
    /// What it was done with.
    pub versions: BTreeMap<String, String>,
    /// Obligations by module.
    pub modules: BTreeMap<String, u64>,
}

impl Receipt {
    /// The record that this program was built with.
    pub fn embedded() -> Self {
        Self::read(include_str!("../../../proofs/receipt.toml"))
    }

    /// What `text` says. Fields that are missing, or are something else, are left out.
    pub fn read(text: &str) -> Self {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let unreadable = Some(error.to_string());
                return Receipt {
                    unreadable,
                    ..Receipt::default()
                };
            }
        };
        if table.is_empty() {
            let unreadable = Some("this program was built without one".to_owned());
            return Receipt {
                unreadable,
                ..Receipt::default()
            };
        }
        let inner = |key| table.get(key).and_then(Value::as_table);
        let count = |value: &Value| value.as_integer().and_then(|n| u64::try_from(n).ok());
        let seconds = |value: &Value| value.as_float().or(value.as_integer().map(|n| n as f64));
        let versions = inner("versions").into_iter().flatten();
        let modules = inner("modules").into_iter().flatten();
        Receipt {
            unreadable: None,
            obligations: table.get("obligations").and_then(count),
            seconds: table.get("seconds").and_then(seconds),
            source_files: inner("sources").map(Table::len),
            versions: versions
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            modules: modules
                .filter_map(|(name, n)| Some((name.clone(), count(n)?)))
                .collect(),
        }
    }

    /// The figures in one line.
    pub fn figures(&self) -> String {
        let known = |what: &str, value: Option<String>| {
            value.map_or_else(
                || format!("{what}: not in the receipt"),
                |n| format!("{n} {what}"),
            )
        };
        let modules = (!self.modules.is_empty()).then(|| self.modules.len().to_string());
        [
            known("obligations", self.obligations.map(|n| n.to_string())),
            known("modules", modules),
            known("source files", self.source_files.map(|n| n.to_string())),
            known("seconds", self.seconds.map(|s| format!("{s:.1}"))),
        ]
        .join(", ")
    }

    /// What it was done with, in one line.
    pub fn tools(&self) -> String {
        if self.versions.is_empty() {
            return "versions: not in the receipt".to_owned();
        }
        let named = |(name, version): (&String, &String)| match name.as_str() {
            "verus" => format!("Verus {version}"),
            "z3" => format!("Z3 {version}"),
            name => format!("{name} {version}"),
        };
        self.versions
            .iter()
            .map(named)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The modules with the most obligations, `n` of them, most first.
    pub fn largest(&self, n: usize) -> Vec<(&str, u64)> {
        let mut modules: Vec<_> = self
            .modules
            .iter()
            .map(|(name, n)| (name.as_str(), *n))
            .collect();
        modules.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        modules.truncate(n);
        modules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_receipt() {
        let receipt = Receipt::read(
            "obligations = 12\nseconds = 3.25\n[versions]\nverus = \"1.2\"\nz3 = \"4.12\"\n\
             [modules]\naddr = 2\ntable = 10\n[sources]\n\"a.rs\" = \"00\"\n",
        );
        assert_eq!(
            receipt.figures(),
            "12 obligations, 2 modules, 1 source files, 3.2 seconds"
        );
        assert_eq!(receipt.tools(), "Verus 1.2, Z3 4.12");
        assert_eq!(receipt.largest(1), [("table", 10)]);
    }

    #[test]
    fn what_a_receipt_lacks_is_named() {
        let receipt = Receipt::read("seconds = 4\nobligations = \"many\"\nmodules = 3\n");
        assert_eq!(
            receipt.figures(),
            "obligations: not in the receipt, modules: not in the receipt, \
             source files: not in the receipt, 4.0 seconds"
        );
        assert_eq!(receipt.tools(), "versions: not in the receipt");
    }

    #[test]
    fn what_is_no_receipt_is_said_to_be_none() {
        assert!(Receipt::read("obligations =").unreadable.is_some());
        let none = Receipt::read("").unreadable.unwrap();
        assert_eq!(none, "this program was built without one");
    }
}
