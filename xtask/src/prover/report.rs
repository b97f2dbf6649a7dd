//! What Verus prints with `--output-json`.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Verus's report on one crate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Which Verus it is.
    pub verus: Build,
    /// What came out, if it verified anything.
    #[serde(rename = "verification-results", default)]
    pub results: Results,
    #[serde(default)]
    times_ms: Times,
}

/// Which Verus it is.
#[derive(Debug, Deserialize)]
pub struct Build {
    /// As in the release's name, perhaps with `.dirty`.
    pub version: String,
    /// The compiler that it is built on, with the platform.
    pub toolchain: String,
}

/// How many obligations were proven and how many were not.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Results {
    /// The compiler or Verus refused the crate, or an obligation was not proven.
    pub encountered_error: bool,
    /// Verus refused the crate before it asked the solver.
    pub encountered_vir_error: bool,
    /// Obligations proven.
    pub verified: u64,
    /// Obligations not proven.
    pub errors: u64,
    /// Whether it was told to verify all of the crate.
    pub is_verifying_entire_crate: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Times {
    total: u64,
    total_verify_module_times: Vec<Module>,
    smt: Smt,
}

#[derive(Debug, Deserialize)]
struct Module {
    module: String,
    #[serde(rename = "function-breakdown", default)]
    functions: Vec<Function>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Smt {
    smt_run_module_times: Vec<Module>,
}

#[derive(Debug, Deserialize)]
struct Function {
    function: String,
    success: bool,
}

impl Report {
    /// The report in what Verus printed: what is said of dependencies may stand before it.
    pub fn parse(said: &str) -> Result<Option<Report>> {
        let start = if said.starts_with('{') {
            Some(0)
        } else {
            said.find("\n{").map(|at| at + 1)
        };
        let Some(start) = start else {
            return Ok(None);
        };
        let mut values = serde_json::Deserializer::from_str(&said[start..]).into_iter();
        values
            .next()
            .transpose()
            .context("can't read the prover's report")
    }

    /// The modules that have been looked at, by path in the crate; the crate's root is `""`.
    pub fn modules(&self) -> Vec<String> {
        self.times_ms
            .total_verify_module_times
            .iter()
            .map(|m| m.module.clone())
            .collect()
    }

    /// Whether each function's obligations were proven.
    pub fn functions(&self) -> BTreeMap<&str, bool> {
        let modules = self.times_ms.smt.smt_run_module_times.iter();
        modules
            .flat_map(|m| &m.functions)
            .map(|f| (f.function.as_str(), f.success))
            .collect()
    }

    /// How long it took.
    pub fn seconds(&self) -> f64 {
        let tenths = self.times_ms.total.div_ceil(100);
        tenths as f64 / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"verification results:: 1778 verified, 0 errors
{
  "verification-results": { "encountered-error": true, "encountered-vir-error": false, "success": false,
    "verified": 7, "errors": 1, "is-verifying-entire-crate": true },
  "times-ms": { "total": 1240,
    "total-verify-module-times": [ { "module": "addr", "time": 3 } ],
    "smt": { "smt-run-module-times": [ { "module": "addr", "time": 1,
      "function-breakdown": [ { "function": "p::addr::f", "mode:": "exec", "time": 0, "success": false } ] } ] } },
  "verus": { "version": "0.1", "toolchain": "1.96.0-x86_64-unknown-linux-gnu" }
}
"#;

    #[test]
    fn a_report_is_found_after_what_is_said_of_dependencies() {
        let report = Report::parse(SAID).unwrap().unwrap();
        assert_eq!((report.results.verified, report.results.errors), (7, 1));
        assert!(report.results.is_verifying_entire_crate);
        assert_eq!(report.modules(), ["addr"]);
        assert_eq!(report.functions().get("p::addr::f"), Some(&false));
        assert!((report.seconds() - 1.3).abs() < 1e-9);
    }

    #[test]
    fn no_report_is_none() {
        assert!(Report::parse("error: expected `;`\n").unwrap().is_none());
    }
}
