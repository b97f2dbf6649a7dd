//! The functions of a source file whose bodies concern nobody else's proof.
//!
//! Verus proves a function from its own body and the contracts of what it calls. So an edit inside a plain body can
//! break the proof of that function only. What is not plain is the body of a specification, and of whatever the prover
//! or the compiler may look into for others; in doubt, none is.

use anyhow::{Result, anyhow};
use std::ops::Range;
use verus_syn::punctuated::Punctuated;
use verus_syn::visit::{self, Visit};
use verus_syn::{
    Attribute, Block, FnMode, ImplItemFn, Item, ItemFn, ItemImpl, ItemMacro, ItemMod, ItemTrait,
    Meta, Signature, Token, TraitItemFn, TypeImplTrait,
};

/// Attributes that leave a function's contract all that others see of it.
const HARMLESS: [&str; 8] = [
    "allow",
    "cfg",
    "doc",
    "expect",
    "inline",
    "must_use",
    "track_caller",
    "verifier::when_used_as_spec",
];

/// A function with a body, which is in no other function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its body's place in the text, with the braces.
    pub body: Range<usize>,
    /// Whether its own proof is all that depends on the body.
    pub plain: bool,
}

/// The functions in `verus!`, in the text's order.
pub fn functions(text: &str) -> Result<Vec<Function>> {
    let syntax = verus_syn::parse_file(text).map_err(|error| located(&error))?;
    let mut finder = Finder {
        verified: false,
        harmless: true,
        found: Ok(Vec::new()),
    };
    finder.visit_file(&syntax);
    finder.found
}

fn located(error: &verus_syn::Error) -> anyhow::Error {
    anyhow!("line {}: {error}", error.span().start().line)
}

struct Finder {
    /// Within `verus!`.
    verified: bool,
    /// Whether all attributes of what is around are harmless.
    harmless: bool,
    found: Result<Vec<Function>>,
}

impl Finder {
    fn add(&mut self, attrs: &[Attribute], sig: &Signature, block: &Block) {
        let braces = block.brace_token.span;
        let function = Function {
            body: braces.open().byte_range().start..braces.close().byte_range().end,
            plain: self.harmless && are_harmless(attrs) && is_opaque(sig) && !has_items(block),
        };
        if let (true, Ok(found)) = (self.verified, &mut self.found) {
            found.push(function);
        }
    }

    /// Reads what `read` reads as standing in something with these attributes.
    fn within(&mut self, attrs: &[Attribute], read: impl FnOnce(&mut Self)) {
        let outer = self.harmless;
        self.harmless &= are_harmless(attrs);
        read(self);
        self.harmless = outer;
    }
}

// What is inside a function is not visited.
impl<'ast> Visit<'ast> for Finder {
    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if !item.mac.path.is_ident("verus") {
            return;
        }
        match item.mac.parse_body::<verus_syn::File>() {
            Ok(body) => {
                let outer = std::mem::replace(&mut self.verified, true);
                self.within(&item.attrs, |this| this.visit_file(&body));
                self.verified = outer;
            }
            Err(error) => self.found = Err(located(&error)),
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.within(&item.attrs, |this| visit::visit_item_mod(this, item));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.within(&item.attrs, |this| visit::visit_item_impl(this, item));
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.within(&item.attrs, |this| visit::visit_item_trait(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.attrs, &item.sig, block);
        }
    }
}

fn are_harmless(attrs: &[Attribute]) -> bool {
    attrs.iter().all(|attr| is_harmless(&attr.meta))
}

fn is_harmless(meta: &Meta) -> bool {
    if meta.path().is_ident("cfg_attr") {
        let parts = meta
            .require_list()
            .and_then(|list| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated));
        return parts.is_ok_and(|parts| parts.iter().skip(1).all(is_harmless));
    }
    let segments = meta.path().segments.iter();
    let path: Vec<String> = segments.map(|segment| segment.ident.to_string()).collect();
    HARMLESS.contains(&path.join("::").as_str())
}

/// Whether others see only the contract. The compiler evaluates a `const fn`, looks for the type behind `impl`, and
/// what a recursive function calls is a part of the proof of all that it calls in a circle. A new circle of functions
/// that have no measure is refused before any proof.
fn is_opaque(sig: &Signature) -> bool {
    let code = matches!(
        sig.mode,
        FnMode::Default | FnMode::Exec(_) | FnMode::Proof(_)
    );
    let mut hidden = Contains::default();
    hidden.visit_return_type(&sig.output);
    code && sig.constness.is_none()
        && sig.asyncness.is_none()
        && sig.spec.decreases.is_none()
        && !hidden.hidden_type
}

/// Whether there are items inside: these have proofs of their own.
fn has_items(block: &Block) -> bool {
    let mut inside = Contains::default();
    inside.visit_block(block);
    inside.item
}

/// What was seen.
#[derive(Default)]
struct Contains {
    item: bool,
    hidden_type: bool,
}

impl<'ast> Visit<'ast> for Contains {
    fn visit_item(&mut self, item: &'ast Item) {
        self.item |= !matches!(item, Item::Use(_) | Item::BroadcastUse(_));
    }

    fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
        self.hidden_type = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bodies that are found, and whether they are plain.
    fn bodies(text: &str) -> Vec<(&str, bool)> {
        let found = functions(text).unwrap();
        let bodies = found.iter().map(|f| (&text[f.body.clone()], f.plain));
        bodies.collect()
    }

    #[test]
    fn bodies_are_found_whatever_is_in_strings_comments_and_contracts() {
        let text = r#"
            // é {
            verus! {
                /// {
                #[inline]
                #[cfg_attr(not(verus_only), expect(unused_variables, reason = "{"))]
                fn f(x: u64) -> (r: u64) requires x > { 1u64 } ensures ({ r > 1 }),
                { let a = '{'; let b = "}"; /* } */ x }
                proof fn lemma() { assert(true) by { }; }
                impl T for S { fn m(&self) { loop invariant true, decreases 1int { } } }
                trait T { fn m(&self); fn n(&self) { broadcast use group; let c = |x: u64| { x }; } }
            }
        "#;
        assert_eq!(
            bodies(text),
            [
                (r#"{ let a = '{'; let b = "}"; /* } */ x }"#, true),
                ("{ assert(true) by { }; }", true),
                ("{ loop invariant true, decreases 1int { } }", true),
                ("{ broadcast use group; let c = |x: u64| { x }; }", true),
            ]
        );
    }

    #[test]
    fn a_body_that_others_may_see_is_not_plain() {
        for function in [
            "spec fn f() -> bool { true }",
            "open spec fn f() -> bool { true }",
            "#[auto_spec] fn f() -> bool { true }",
            "#[verifier::allow_in_spec] fn f() -> bool { true }",
            "#[verifier::external_body] fn f() -> bool { true }",
            "#[cfg_attr(verus_only, auto_spec)] fn f() -> bool { true }",
            "const fn f() -> bool { true }",
            "fn f() -> impl Copy { true }",
            "fn f(n: u64) -> bool decreases n { true }",
            "fn f() -> bool { const C: bool = true; fn g() {} C }",
            "#[auto_spec] impl S { fn f() -> bool { true } }",
            "#[verifier::external] mod m { fn f() -> bool { true } }",
        ] {
            let found = functions(&format!("verus! {{ {function} }}")).unwrap();
            assert!(!found[0].plain && found.len() == 1, "{function}");
        }
    }

    #[test]
    fn what_is_not_verified_is_not_found() {
        assert_eq!(bodies("fn f() {} const C: u8 = { 1 };"), []);
        assert_eq!(bodies("verus! { const C: u8 = { 1 }; }"), []);
        assert_eq!(bodies("other! { fn f() {} }"), []);
        assert!(functions("verus! { fn f() { }").is_err());
        assert!(functions("verus! { fn f() { let } }").is_err());
    }
}
