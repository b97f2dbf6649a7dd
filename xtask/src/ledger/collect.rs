//! Finding in a source file what the ledger lists.

use super::docs::{self, Doc};
use super::kind::Kind;
use super::syntax::{attributes_of, doc, is_for_tests, last, makes_up_values, type_name};
use super::tokens;
use anyhow::{Result, anyhow};
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use verus_syn::visit::{self, Visit};
use verus_syn::{Attribute, FnMode, Item, Publish, Signature};

/// A source file, and what it has for the ledger.
pub struct Source {
    /// Its path from the repository's root.
    pub file: String,
    /// What is listed, in the file's order.
    pub entries: Vec<Entry>,
    /// What must not be.
    pub complaints: Vec<String>,
}

/// Something that is listed.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name, with that of the type it belongs to.
    pub name: String,
    /// The line it is on.
    pub line: usize,
    /// Why it is believed, or why it may be done.
    pub reason: String,
    /// The tests that exercise it.
    pub tests: Vec<String>,
}

/// Reads a source file.
pub fn source(file: &str, text: &str) -> Result<Source> {
    let syntax = verus_syn::parse_file(text).map_err(|error| located(&error))?;
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut collector = Collector {
        text,
        owner: None,
        function: String::new(),
        verified: false,
        promised: false,
        markers: 0,
        source: Source {
            file: file.to_owned(),
            entries: Vec::new(),
            complaints: Vec::new(),
        },
    };
    collector.visit_file(&syntax);
    let (seen, there) = (collector.markers, tokens::markers(tokens));
    let mut source = collector.source;
    if seen != there {
        source.complaints.push(format!(
            "{file}: {there} words mark an assumption, but only {seen} are on items that can be listed"
        ));
    }
    Ok(source)
}

fn located(error: &verus_syn::Error) -> anyhow::Error {
    anyhow!("line {}: {error}", error.span().start().line)
}

struct Collector<'t> {
    text: &'t str,
    /// The type or trait whose functions are being read.
    owner: Option<String>,
    /// The function that is being read, with its type.
    function: String,
    /// Within `verus!`.
    verified: bool,
    /// Within an implementation of a trait, whose documentation has the contracts.
    promised: bool,
    /// Words seen that mark an assumption.
    markers: usize,
    source: Source,
}

impl Collector<'_> {
    fn add(&mut self, kind: Kind, name: String, span: Span, reason: String, tests: Vec<String>) {
        self.source.entries.push(Entry {
            kind,
            name,
            line: span.start().line,
            reason,
            tests,
        });
    }

    fn add_documented(&mut self, kind: Kind, name: String, span: Span, attrs: &[Attribute]) {
        let Doc {
            first,
            safety,
            tests,
        } = doc(attrs);
        let reason = if matches!(kind, Kind::UnsafeTrait | Kind::UnsafeFn) {
            safety
        } else {
            first
        };
        self.add(kind, name, span, reason, tests);
    }

    fn owned(&self, name: &str) -> String {
        self.owner
            .as_ref()
            .map_or_else(|| name.to_owned(), |owner| format!("{owner}::{name}"))
    }

    /// Notes what a type or trait assumes by its attributes.
    fn type_item(&mut self, name: &str, span: Span, attrs: &[Attribute]) {
        let assuming = self.mark(attrs);
        if assuming.iter().any(|name| name == "external_body") {
            self.add_documented(Kind::Opaque, name.to_owned(), span, attrs);
        } else if !assuming.is_empty() {
            self.add_documented(Kind::Foreign, name.to_owned(), span, attrs);
        }
    }

    /// Notes what a function assumes and promises.
    fn read_function(&mut self, sig: &Signature, attrs: &[Attribute], body: Option<&dyn ToTokens>) {
        let (name, span) = (self.owned(&sig.ident.to_string()), sig.ident.span());
        let assuming = self.mark(attrs);
        let has = |attribute: &str| assuming.iter().any(|name| name == attribute);
        let specification = matches!(sig.mode, FnMode::Spec(_) | FnMode::SpecChecked(_));
        let axiom = matches!(sig.mode, FnMode::ProofAxiom(_));
        let undefined = matches!(sig.publish, Publish::Uninterp(_));
        self.markers += usize::from(axiom) + usize::from(undefined);
        let kind = if undefined || specification && has("external_body") {
            Some(Kind::Undefined)
        } else if axiom || matches!(sig.mode, FnMode::Proof(_)) && has("external_body") {
            Some(Kind::Axiom)
        } else if has("external_body") {
            Some(Kind::Contract)
        } else if has("external_fn_specification") {
            Some(Kind::Foreign)
        } else if !assuming.is_empty() {
            Some(Kind::Termination)
        } else {
            None
        };
        if let Some(kind) = kind {
            self.add_documented(kind, name.clone(), span, attrs);
        }
        if sig.unsafety.is_some() && !self.promised {
            self.add_documented(Kind::UnsafeFn, name.clone(), span, attrs);
        }
        let unproven = !self.verified && body.is_some();
        if unproven && !self.promised {
            self.add(
                Kind::Unproven,
                name.clone(),
                span,
                String::new(),
                Vec::new(),
            );
        }
        if body.is_some_and(makes_up_values) && !has("external_body") && self.verified {
            let complaint = format!(
                "{}:{}: {name} makes up a tracked value in verified code",
                self.source.file,
                span.start().line
            );
            self.source.complaints.push(complaint);
        }
        self.function = name;
    }

    /// The attributes that are assumptions; counts them.
    fn mark(&mut self, attrs: &[Attribute]) -> Vec<String> {
        let tokens: TokenStream = attrs
            .iter()
            .map(|attr| attr.meta.to_token_stream())
            .collect();
        let mut names = tokens::verifier_attributes(tokens);
        names.retain(|name| tokens::is_assuming(name));
        self.markers += names.len();
        names
    }

    /// Reads what `read` reads as belonging to `owner`.
    fn within(&mut self, owner: String, promised: bool, read: impl FnOnce(&mut Self)) {
        let outer = (
            self.owner.replace(owner),
            std::mem::replace(&mut self.promised, promised),
        );
        read(self);
        (self.owner, self.promised) = outer;
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes_of(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast verus_syn::ItemMacro) {
        if !item.mac.path.is_ident("verus") {
            return;
        }
        match item.mac.parse_body::<verus_syn::File>() {
            Ok(body) => {
                let outer = std::mem::replace(&mut self.verified, true);
                self.visit_file(&body);
                self.verified = outer;
            }
            Err(error) => {
                self.source
                    .complaints
                    .push(format!("{}: {}", self.source.file, located(&error)))
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'ast verus_syn::ItemFn) {
        self.read_function(&item.sig, &item.attrs, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast verus_syn::ImplItemFn) {
        self.read_function(&item.sig, &item.attrs, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast verus_syn::TraitItemFn) {
        self.read_function(
            &item.sig,
            &item.attrs,
            item.default.as_ref().map(|body| body as &dyn ToTokens),
        );
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast verus_syn::ItemImpl) {
        let of = type_name(&item.self_ty);
        let trait_name = item.trait_.as_ref().map(|(_, path, _)| last(path));
        if let Some(trait_name) = &trait_name {
            let name = format!("{trait_name} for {of}");
            let span = item.impl_token.span;
            if item.unsafety.is_some() {
                let reason = docs::safety_comment(self.text, span.start().line);
                self.add(Kind::UnsafeImpl, name.clone(), span, reason, Vec::new());
            }
            if !self.verified
                && item
                    .items
                    .iter()
                    .any(|item| matches!(item, verus_syn::ImplItem::Fn(_)))
            {
                self.add(Kind::Unproven, name, span, String::new(), Vec::new());
            }
        }
        self.within(of, trait_name.is_some(), |this| {
            visit::visit_item_impl(this, item)
        });
    }

    fn visit_item_trait(&mut self, item: &'ast verus_syn::ItemTrait) {
        let name = item.ident.to_string();
        self.type_item(&name, item.ident.span(), &item.attrs);
        if item.unsafety.is_some() {
            self.add_documented(
                Kind::UnsafeTrait,
                name.clone(),
                item.ident.span(),
                &item.attrs,
            );
        }
        self.within(name, false, |this| visit::visit_item_trait(this, item));
    }

    fn visit_item_struct(&mut self, item: &'ast verus_syn::ItemStruct) {
        self.type_item(&item.ident.to_string(), item.ident.span(), &item.attrs);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast verus_syn::ItemEnum) {
        self.type_item(&item.ident.to_string(), item.ident.span(), &item.attrs);
        visit::visit_item_enum(self, item);
    }

    fn visit_assume_specification(&mut self, item: &'ast verus_syn::AssumeSpecification) {
        self.markers += 1;
        let name: Vec<String> = item
            .path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add_documented(
            Kind::Foreign,
            name.join("::"),
            item.assume_specification.span,
            &item.attrs,
        );
    }

    fn visit_expr_unsafe(&mut self, block: &'ast verus_syn::ExprUnsafe) {
        let span = block.unsafe_token.span;
        let reason = docs::safety_comment(self.text, span.start().line);
        self.add(
            Kind::UnsafeBlock,
            self.function.clone(),
            span,
            reason,
            Vec::new(),
        );
        visit::visit_expr_unsafe(self, block);
    }
}

#[cfg(test)]
mod tests;
