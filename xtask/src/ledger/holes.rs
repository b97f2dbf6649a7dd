//! Ways around a proof that must not be in the sources at all, found in their tokens: also in macros and attributes.

use super::tokens;
use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// Calls that make the prover believe something.
const CHEATS: [&str; 3] = ["assume", "admit", "inline_air_stmt"];

/// What makes up tracked values, called or named.
const MAKES_UP: [&str; 2] = ["assume_new", "assume_new_fallback"];

/// Attributes that assume nothing: they choose what is proven how or which warnings
/// are shown, or are obligations themselves.
const HARMLESS: [&str; 21] = [
    "all_triggers",
    "allow",
    "allow_complex_invariants",
    "auto_ext_equal",
    "bit_vector",
    "deprecated_postcondition_mut_ref_style",
    "ext_equal",
    "inline",
    "integer_ring",
    "loop_isolation",
    "memoize",
    "nonlinear",
    "opaque",
    "prophetic",
    "prune_unless_this_module_is_used",
    "reject_recursive_types",
    "rlimit",
    "spinoff_prover",
    "truncate",
    "type_invariant",
    "when_used_as_spec",
];

/// What must not stand in this file.
pub fn find(file: &str, text: &str) -> Result<Vec<String>> {
    let tokens: TokenStream = text
        .parse()
        .map_err(|error| anyhow!("can't read {file}: {error}"))?;
    let mut finder = Finder { found: Vec::new() };
    tokens::each(tokens, &mut |ident, after| finder.look_at(ident, after));
    Ok(finder
        .found
        .into_iter()
        .map(|(line, what)| format!("{file}:{line}: {what}"))
        .collect())
}

struct Finder {
    found: Vec<(usize, String)>,
}

impl Finder {
    fn look_at(&mut self, ident: &Ident, after: &[TokenTree]) {
        let name = ident.to_string();
        if CHEATS.contains(&name.as_str()) && is_call(after) || MAKES_UP.contains(&name.as_str()) {
            self.complain(
                ident,
                format!("`{name}` makes the prover believe something"),
            );
        }
        match name.as_str() {
            "verifier" => tokens::attributes(after)
                .iter()
                .for_each(|attribute| self.look_at_attribute(attribute)),
            "verus_verify" | "verus_spec" => {
                self.complain(ident, format!("`#[{name}]` is not known to the ledger"))
            }
            "verus" if matches!(after.first(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':') =>
            {
                self.complain(
                    ident,
                    "attributes of Verus's own macros are not for sources".to_owned(),
                );
            }
            _ => {}
        }
    }

    fn look_at_attribute(&mut self, attribute: &Ident) {
        let name = attribute.to_string();
        if HARMLESS.contains(&name.as_str()) || tokens::is_assuming(&name) {
            return;
        }
        self.complain(
            attribute,
            format!("`#[verifier::{name}]` is not one that the ledger allows"),
        );
    }

    fn complain(&mut self, ident: &Ident, what: String) {
        self.found.push((ident.span().start().line, what));
    }
}

/// Whether arguments follow.
fn is_call(after: &[TokenTree]) -> bool {
    matches!(after.first(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HW: &str = "crates/portolan/src/hw/memory.rs";
    const ELSEWHERE: &str = "crates/portolan/src/table.rs";

    fn holes(file: &str, text: &str) -> usize {
        find(file, text).unwrap().len()
    }

    #[test]
    fn cheats_are_found_wherever_they_stand() {
        let text = "verus! { proof fn f() { assume(false); calc! { (==) 1; { admit(); } 2; } } }";
        assert_eq!(holes(HW, text), 2);
        assert_eq!(
            find(HW, "fn f() {\n\n  admit() }").unwrap()[0]
                .split(": ")
                .next(),
            Some("crates/portolan/src/hw/memory.rs:3")
        );
    }

    #[test]
    fn comments_strings_and_longer_names_are_none() {
        assert_eq!(
            holes(
                ELSEWHERE,
                "// assume(x)\nfn assume_flushed() { let s = \"admit()\"; } // admit()"
            ),
            0
        );
    }

    #[test]
    fn tracked_values_are_made_up_nowhere() {
        let text = "fn f() { Tracked::assume_new() }";
        assert_eq!((holes(HW, text), holes(ELSEWHERE, text)), (1, 1));
    }

    #[test]
    fn attributes_that_hide_code_are_found_in_every_spelling() {
        assert_eq!(holes(HW, "#[verifier::external] fn f() {}"), 1);
        assert_eq!(holes(HW, "#[verifier(external)] fn f() {}"), 1);
        assert_eq!(
            holes(HW, "#[cfg_attr(verus_only, verifier::external)] fn f() {}"),
            1
        );
        assert_eq!(holes(HW, "#[verifier::some_new_way_to_cheat] fn f() {}"), 1);
        assert_eq!(holes(HW, "#[verus::internal(external_body)] fn f() {}"), 1);
        assert_eq!(
            holes(
                HW,
                "#[verifier::external_body] #[verifier::inline] fn f() {}"
            ),
            0
        );
    }
}
