//! What a run says of each of the mutants that were made together.

use crate::prover::{Diagnostic, Outcome, Span};
use crate::scratch::is_resource_limit;
use std::ops::Range;

/// Where a body is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, from the repository's root.
    pub file: String,
    /// The body, with the braces.
    pub body: Range<usize>,
}

/// For each body the first error that its proof has, if there is one. If the run tells nothing of single bodies, as it
/// did not come to the proofs or something is wrong outside of all bodies, the answer is what is in the way.
pub fn refusals(outcome: &Outcome, places: &[Place]) -> Result<Vec<Option<String>>, String> {
    let results = outcome.report.as_ref().map(|report| &report.results);
    let is_of_proofs = results.is_some_and(|results| {
        !results.encountered_vir_error && (results.errors > 0 || outcome.success)
    });
    if !is_of_proofs {
        let mut errors = outcome.diagnostics.iter().filter(|d| d.is_error());
        let first = errors.next().map(|error| error.message.clone());
        return Err(first.unwrap_or_else(|| "no error is shown".to_owned()));
    }
    attribute(&outcome.diagnostics, places)
}

/// Gives each error to the one body that it has a place in. That the solver gave up is no error of anything.
fn attribute(diagnostics: &[Diagnostic], places: &[Place]) -> Result<Vec<Option<String>>, String> {
    let mut refusals = vec![None; places.len()];
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error() && !is_resource_limit(&diagnostic.message));
    for error in errors {
        let mut owners = (0..places.len()).filter(|at| places[*at].has_any_of(&error.spans));
        match (owners.next(), owners.next()) {
            (Some(owner), None) if error.code.is_none() => {
                refusals[owner].get_or_insert_with(|| error.message.clone());
            }
            _ => return Err(error.message.clone()),
        }
    }
    Ok(refusals)
}

impl Place {
    fn has_any_of(&self, spans: &[Span]) -> bool {
        spans.iter().flat_map(Span::and_uses).any(|span| {
            span.file_name == self.file
                && self.body.start <= span.byte_start
                && span.byte_end <= self.body.end
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prover::Expansion;

    /// An error with a number or without, about these places.
    fn error(message: &str, code: &str, spans: &[(&str, usize, usize)]) -> Diagnostic {
        let spans: Vec<String> = spans
            .iter()
            .map(|(file, start, end)| {
                format!(r#"{{"file_name":"{file}","byte_start":{start},"byte_end":{end}}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"level":"error","message":"{message}","code":{code},"spans":[{}]}}"#,
            spans.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    fn places() -> [Place; 2] {
        [10..20, 30..40].map(|body| Place {
            file: "a.rs".to_owned(),
            body,
        })
    }

    #[test]
    fn an_error_is_its_bodys_whatever_contract_it_names() {
        let errors = [
            error("first", "null", &[("a.rs", 22, 25), ("a.rs", 30, 40)]),
            error("second", "null", &[("a.rs", 31, 32)]),
        ];
        assert_eq!(
            attribute(&errors, &places()).unwrap(),
            [None, Some("first".to_owned())]
        );
    }

    #[test]
    fn an_error_in_a_macro_is_where_that_is_used() {
        let mut inside = error("e", "null", &[("std.rs", 5, 6)]);
        let used = error("e", "null", &[("a.rs", 12, 15)]).spans.remove(0);
        let between = Expansion {
            span: Span {
                expansion: Some(Box::new(Expansion { span: used })),
                ..inside.spans[0].clone()
            },
        };
        inside.spans[0].expansion = Some(Box::new(between));
        assert_eq!(
            attribute(&[inside], &places()).unwrap(),
            [Some("e".to_owned()), None]
        );
    }

    #[test]
    fn an_error_outside_of_all_bodies_spoils_the_run() {
        for spans in [
            &[("a.rs", 22, 25)][..],
            &[("b.rs", 12, 15)],
            &[("a.rs", 9, 15)],
            &[("a.rs", 12, 15), ("a.rs", 32, 35)],
            &[],
        ] {
            assert!(attribute(&[error("e", "null", spans)], &places()).is_err());
        }
    }

    #[test]
    fn an_error_of_the_compiler_spoils_the_run() {
        let coded = error(
            "e",
            r#"{"code":"E0382","explanation":null}"#,
            &[("a.rs", 12, 15)],
        );
        assert!(attribute(&[coded], &places()).is_err());
    }

    #[test]
    fn a_solver_that_gives_up_refuses_nothing() {
        let message = "f: Resource limit (rlimit) exceeded; consider this";
        for at in [(12, 15), (22, 25)] {
            let gave_up = error(message, "null", &[("a.rs", at.0, at.1)]);
            assert_eq!(attribute(&[gave_up], &places()).unwrap(), [None, None]);
        }
    }
}
