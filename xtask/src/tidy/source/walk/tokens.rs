//! Names anywhere, and the bodies of macros, which the parser leaves as tokens.

use super::Walk;
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

impl Walk<'_> {
    /// A name that is refused wherever it stands.
    pub(super) fn name(&mut self, ident: &Ident) {
        if self.place.published && ident == "from_utf8_lossy" {
            self.problem(ident.span(), "from_utf8_lossy: decode whole lines, and fail on bad ones");
        }
        if !self.place.guards && ident == "exec_middleware" {
            self.problem(ident.span(), "only guarded.rs and fallback may name exec_middleware");
        }
    }

    /// Looks for calls, macros and attributes in the body of a macro.
    pub(super) fn tokens(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        for (at, tree) in trees.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| trees.get(before));
            match tree {
                TokenTree::Ident(ident) => self.token_name(ident, before, trees.get(at + 1)),
                TokenTree::Group(group) => {
                    let first = group.stream().into_iter().next();
                    let allow = matches!(&first, Some(TokenTree::Ident(name)) if name == "allow");
                    if allow && group.delimiter() == Delimiter::Bracket && is_punct(before, '#') {
                        self.problem(group.span(), "allow: use #[expect(lint, reason = \"…\")]");
                    }
                    self.tokens(group.stream());
                }
                _ => {}
            }
        }
    }

    fn token_name(&mut self, ident: &Ident, before: Option<&TokenTree>, after: Option<&TokenTree>) {
        self.name(ident);
        let called =
            matches!(after, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        if called && is_punct(before, '.') {
            self.call(ident.span(), &ident.to_string());
        }
        if is_punct(after, '!') {
            self.macro_name(ident.span(), &ident.to_string());
        }
    }
}

fn is_punct(tree: Option<&TokenTree>, char: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}
