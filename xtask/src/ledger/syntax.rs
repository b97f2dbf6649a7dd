//! Small questions to the syntax tree.

use super::docs::{self, Doc};
use super::tokens;
use quote::ToTokens;
use verus_syn::{Attribute, Expr, Item, Lit, Meta, Path, Type};

/// An item's documentation.
pub fn doc(attrs: &[Attribute]) -> Doc {
    let lines = attrs
        .iter()
        .filter(|attr| attr.path().is_ident("doc"))
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(pair) => text_of(&pair.value),
            _ => None,
        });
    let lines: Vec<String> = lines.collect();
    docs::read(lines.iter().map(String::as_str))
}

fn text_of(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an item is compiled for tests only.
pub fn is_for_tests(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg") && attr.meta.to_token_stream().to_string() == "cfg (test)"
}

/// The attributes of an item that code can be in.
pub fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether a body makes permissions from nothing.
pub fn makes_up_values(body: &dyn ToTokens) -> bool {
    let mut found = false;
    tokens::each(body.to_token_stream(), &mut |ident, _| {
        found = found || ident.to_string().starts_with("assume_new")
    });
    found
}

/// A type's name, without its path and arguments.
pub fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => last(&path.path),
        Type::Reference(reference) => type_name(&reference.elem),
        other => other.to_token_stream().to_string(),
    }
}

/// A path's last name.
pub fn last(path: &Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}
