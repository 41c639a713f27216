//! Which names and attributes are refused, without where.

use syn::visit::{self, Visit};

pub(super) fn is_unwrap(name: &str) -> bool {
    matches!(name, "unwrap" | "expect" | "unwrap_err" | "expect_err")
}

pub(super) fn is_panic(name: &str) -> bool {
    matches!(name, "panic" | "todo" | "unimplemented" | "dbg")
}

pub(super) fn is_print(name: &str) -> bool {
    matches!(name, "print" | "println" | "eprint" | "eprintln")
}

/// Whether the path is `std::time::Instant::now`, or `Instant::now` where that `Instant` is the one of std.
pub(super) fn is_std_clock(names: &[String], imported: bool) -> bool {
    match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["std", "time", "Instant", "now"] => true,
        ["Instant", "now"] => imported,
        _ => false,
    }
}

/// Why the attribute is refused, if it is.
pub(super) fn attribute(attr: &syn::Attribute) -> Option<&'static str> {
    let allow = "allow: use #[expect(lint, reason = \"…\")]";
    match &attr.meta {
        syn::Meta::Path(path) if path.is_ident("ignore") => Some("ignore without a reason"),
        syn::Meta::List(list) if list.path.is_ident("allow") => Some(allow),
        syn::Meta::List(list) if list.path.is_ident("cfg_attr") => {
            let parts = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
            let parts = list.parse_args_with(parts).ok()?;
            parts.iter().skip(1).any(|part| part.path().is_ident("allow")).then_some(allow)
        }
        _ => None,
    }
}

pub(super) fn item_attrs(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether a `use` of the file brings in `std::time::Instant` under its own name.
pub(super) fn imports_std_instant(file: &syn::File) -> bool {
    let mut uses = Uses(false);
    uses.visit_file(file);
    uses.0
}

struct Uses(bool);

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.0 |= reaches(&item.tree, &["std", "time", "Instant"]);
        visit::visit_item_use(self, item);
    }
}

fn reaches(tree: &syn::UseTree, path: &[&str]) -> bool {
    match (tree, path) {
        (syn::UseTree::Path(step), [first, rest @ ..]) => step.ident == first && reaches(&step.tree, rest),
        (syn::UseTree::Group(group), _) => group.items.iter().any(|tree| reaches(tree, path)),
        (syn::UseTree::Name(name), [last]) => name.ident == last,
        (syn::UseTree::Glob(_), [_]) => true,
        _ => false,
    }
}
