//! What marks an assumption, in tokens.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// Attributes `verifier::…` that are assumptions.
pub const ASSUMING: [&str; 7] = [
    "assume_termination",
    "exec_allows_no_decreases_clause",
    "external_body",
    "external_fn_specification",
    "external_trait_extension",
    "external_trait_specification",
    "external_type_specification",
];

/// The attributes after the word `verifier`: `::name`, or `(name, name)`.
pub fn attributes(after: &[TokenTree]) -> Vec<Ident> {
    match after {
        [
            TokenTree::Punct(a),
            TokenTree::Punct(b),
            TokenTree::Ident(name),
            ..,
        ] if a.as_char() == ':' && b.as_char() == ':' => {
            vec![name.clone()]
        }
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Parenthesis => {
            let idents = group.stream().into_iter().filter_map(|token| match token {
                TokenTree::Ident(name) => Some(name),
                _ => None,
            });
            idents.collect()
        }
        _ => Vec::new(),
    }
}

/// The names of all attributes `verifier::…` in these tokens.
pub fn verifier_attributes(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    each(tokens, &mut |ident, after| {
        if ident == "verifier" {
            found.extend(attributes(after).iter().map(Ident::to_string));
        }
    });
    found
}

/// How many words there are that mark an assumption.
pub fn markers(tokens: TokenStream) -> usize {
    let mut count = 0;
    each(tokens, &mut |ident, after| {
        let followed_by_fn =
            || matches!(after.first(), Some(TokenTree::Ident(next)) if next == "fn");
        match ident.to_string().as_str() {
            "assume_specification" | "uninterp" => count += 1,
            "axiom" if followed_by_fn() => count += 1,
            "verifier" => {
                count += attributes(after)
                    .iter()
                    .filter(|name| is_assuming(&name.to_string()))
                    .count()
            }
            _ => {}
        }
    });
    count
}

/// Whether an attribute is an assumption.
pub fn is_assuming(attribute: &str) -> bool {
    ASSUMING.contains(&attribute)
}

/// Calls `look` with each word and what follows it, also within brackets.
pub fn each(tokens: TokenStream, look: &mut dyn FnMut(&Ident, &[TokenTree])) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => each(group.stream(), look),
            TokenTree::Ident(ident) => look(ident, &tokens[at + 1..]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_are_counted_in_every_spelling() {
        let text = "axiom fn a(); uninterp spec fn b(); #[verifier::external_body] fn c() {}
            #[cfg_attr(x, verifier(external_body, inline))] fn d() {} let axiom = 1;";
        assert_eq!(markers(text.parse().unwrap()), 4);
    }
}
