//! Mutants whose edits are in plain bodies, and making several of them at once.

use super::body::{self, Function};
use super::list::Mutant;
use anyhow::Result;
use std::ops::Range;

/// A source file of the crate.
pub struct Source {
    text: String,
    functions: Vec<Function>,
}

/// A mutant whose edit is inside a plain body.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The mutant.
    pub mutant: &'a Mutant,
    /// The body's place in the file as it is, with the braces.
    pub body: Range<usize>,
    /// The body with the edit made.
    edited: String,
}

impl Source {
    /// A file with this text.
    pub fn new(text: String) -> Result<Source> {
        Ok(Source {
            functions: body::functions(&text)?,
            text,
        })
    }

    /// The mutant with its site, if the edit changes nothing but the inside of a plain body.
    pub fn site<'a>(&self, mutant: &'a Mutant) -> Result<Option<Site<'a>>> {
        let edited = mutant.apply(&self.text)?;
        let plain = self.functions.iter().enumerate().filter(|(_, f)| f.plain);
        for (number, Function { body, .. }) in plain {
            let (before, after) = (&self.text[..=body.start], &self.text[body.end - 1..]);
            let inside = edited
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after));
            let Some(inside) = inside else {
                continue;
            };
            let now = Function {
                body: body.start..edited.len() - (after.len() - 1),
                plain: true,
            };
            let is_same_function = body::functions(&edited).is_ok_and(|functions| {
                functions.len() == self.functions.len() && functions[number] == now
            });
            return Ok(is_same_function.then(|| Site {
                mutant,
                body: body.clone(),
                edited: format!("{{{inside}}}"),
            }));
        }
        Ok(None)
    }
}

/// A file's text with all these edits made, and where each body is in it then. The bodies are different ones of the
/// file's.
pub fn apply(text: &str, sites: &[&Site]) -> (String, Vec<Range<usize>>) {
    let mut order: Vec<usize> = (0..sites.len()).collect();
    order.sort_by_key(|at| sites[*at].body.start);
    let mut whole = String::with_capacity(text.len());
    let mut bodies = vec![0..0; sites.len()];
    let mut done = 0;
    for at in order {
        let Site { body, edited, .. } = sites[at];
        whole.push_str(&text[done..body.start]);
        bodies[at] = whole.len()..whole.len() + edited.len();
        whole.push_str(edited);
        done = body.end;
    }
    whole.push_str(&text[done..]);
    (whole, bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "verus! { fn a() { x + 1 } const fn b() { x + 2 } fn c(é: u8) { x + 3 } }";

    fn mutant(find: &str, replace: &str) -> Mutant {
        Mutant::new("m", "table/map.rs", find, replace)
    }

    /// Whether the edit is found to be inside a plain body.
    fn is_inside(find: &str, replace: &str) -> bool {
        let source = Source::new(TEXT.to_owned()).unwrap();
        source.site(&mutant(find, replace)).unwrap().is_some()
    }

    #[test]
    fn an_edit_is_inside_if_all_around_stays_as_it_is() {
        assert!(is_inside("x + 1", "x"));
        assert!(is_inside("fn a() { x + 1", "fn a() { x"));
        assert!(is_inside("+ 1 }", "+ 1; { } }"));
        assert!(!is_inside("fn a() { x + 1", "fn aa() { x + 1"));
        assert!(!is_inside("x + 2", "x"));
        assert!(!is_inside("x + 1 }", "x } fn d() { }"));
        assert!(!is_inside(
            "x + 1 } const fn b() { x + 2",
            "x } const fn b() { x"
        ));
        assert!(!is_inside("x + 1", "x + 1; fn d() {}"));
        assert!(!is_inside("x + 1", "x + ("));
    }

    #[test]
    fn edits_are_made_together() {
        let source = Source::new(TEXT.to_owned()).unwrap();
        let mutants = [mutant("+ 3", ""), mutant("x + 1", "y + 100")];
        let sites = mutants
            .each_ref()
            .map(|mutant| source.site(mutant).unwrap().unwrap());
        let (whole, bodies) = apply(TEXT, &sites.each_ref());
        assert_eq!(
            whole,
            "verus! { fn a() { y + 100 } const fn b() { x + 2 } fn c(é: u8) { x  } }"
        );
        assert_eq!(&whole[bodies[0].clone()], "{ x  }");
        assert_eq!(&whole[bodies[1].clone()], "{ y + 100 }");
    }
}
