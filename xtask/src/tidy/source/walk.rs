//! One walk over the syntax tree of a file. Comments and strings cannot mislead it; macro bodies are read as tokens.

mod rules;
mod tokens;

use super::super::Problem;
use super::place::Place;
use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

const FUNCTION_LINES: usize = 60;

pub(super) fn check(path: &str, file: &syn::File, place: Place) -> Vec<Problem> {
    let std_clock = rules::imports_std_instant(file);
    let mut walk = Walk { path, place, std_clock, problems: Vec::new() };
    walk.visit_file(file);
    walk.problems
}

struct Walk<'a> {
    path: &'a str,
    place: Place,
    /// Whether `Instant` alone means the one of std here.
    std_clock: bool,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn problem(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::new(self.path, span.start().line, message));
    }

    /// Walks an item, by the rules that hold inside it.
    fn within(&mut self, attrs: &[syn::Attribute], walk: impl FnOnce(&mut Self)) {
        let before = self.place;
        self.place = before.inside(attrs);
        walk(self);
        self.place = before;
    }

    fn length(&mut self, sig: &syn::Signature, block: &syn::Block) {
        let (first, last) = (sig.span().start().line, block.span().end().line);
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES {
            let message =
                format!("function {} has {lines} lines, and {FUNCTION_LINES} are the most", sig.ident);
            self.problem(sig.span(), message);
        }
    }

    fn call(&mut self, span: Span, name: &str) {
        if self.place.strict && rules::is_unwrap(name) {
            self.problem(span, format!("{name} outside tests: return an error"));
        }
    }

    fn macro_name(&mut self, span: Span, name: &str) {
        if self.place.strict && rules::is_panic(name) || self.place.silent && rules::is_print(name) {
            self.problem(span, format!("{name}! outside tests"));
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.within(rules::item_attrs(item), |walk| visit::visit_item(walk, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.length(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.length(&item.sig, &item.block);
        self.within(&item.attrs, |walk| visit::visit_impl_item_fn(walk, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.length(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_attribute(&mut self, attr: &'ast syn::Attribute) {
        if let Some(message) = rules::attribute(attr) {
            self.problem(attr.span(), message);
        }
        visit::visit_attribute(self, attr);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.call(call.method.span(), &call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., owner, name] = names.as_slice()
            && matches!(owner.as_str(), "Option" | "Result")
        {
            self.call(path.span(), name);
        }
        if self.place.published && rules::is_std_clock(&names, self.std_clock) {
            self.problem(path.span(), "the clock of std: use tokio::time::Instant");
        }
        visit::visit_path(self, path);
    }

    fn visit_ident(&mut self, ident: &'ast syn::Ident) {
        self.name(ident);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        if let Some(last) = mac.path.segments.last() {
            self.macro_name(last.ident.span(), &last.ident.to_string());
        }
        self.tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }
}

#[cfg(test)]
mod tests;
