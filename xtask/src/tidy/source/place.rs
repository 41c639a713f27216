//! Where a file stands: library code, the command line, a test. The place decides which rules hold.

use std::collections::BTreeMap;

/// Which rules hold in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether unwrap, expect, panic and the like are refused.
    pub(super) strict: bool,
    /// Whether printing is refused.
    pub(super) silent: bool,
    /// Whether the file belongs to a published crate, where the clock and decoding rules hold.
    pub(super) published: bool,
    /// Whether the file may name the middleware crate.
    pub(super) guards: bool,
}

impl Place {
    /// The place inside an item with these attributes: a test is free, and `#[expect(lint, reason = "…")]` frees
    /// from what it names, since the compiler sees to it that the lint is really broken there.
    pub(super) fn inside(self, attrs: &[syn::Attribute]) -> Self {
        if is_test(attrs) {
            return Self { strict: false, silent: false, published: false, guards: true };
        }
        let expected = |lints: &[&str]| attrs.iter().any(|attr| expects(attr, lints));
        Self {
            strict: self.strict
                && !expected(&["panic", "unwrap_used", "expect_used", "todo", "unimplemented"]),
            silent: self.silent && !expected(&["print_stdout", "print_stderr"]),
            published: self.published && !expected(&["disallowed_methods"]),
            guards: self.guards,
        }
    }
}

/// The places of all files; knows which files are test modules by their `#[cfg(test)] mod name;`.
#[derive(Debug)]
pub(super) struct Places {
    tests: Vec<String>,
}

impl Places {
    pub(super) fn new(files: &BTreeMap<&str, syn::File>) -> Self {
        let tests = files.iter().flat_map(|(path, file)| test_modules(path, file)).collect();
        Self { tests }
    }

    pub(super) fn of(&self, path: &str) -> Place {
        let free = path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples" | "xtask"))
            || self
                .tests
                .iter()
                .any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")));
        let cli = path.starts_with("crates/exec-server/src/cli/") || path == "crates/exec-server/src/cli.rs";
        Place {
            strict: !free,
            silent: !free && !cli,
            published: !free && path.starts_with("crates/"),
            guards: free
                || !path.starts_with("crates/exec-providers/src/")
                || path.starts_with("crates/exec-providers/src/fallback")
                || path.ends_with("/guarded.rs"),
        }
    }
}

/// The paths, without `.rs`, of the test modules that the file declares but does not hold.
fn test_modules(path: &str, file: &syn::File) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let base = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    let declared = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() && is_test(&module.attrs) => Some(&module.ident),
        _ => None,
    });
    declared.map(|ident| format!("{base}/{ident}")).collect()
}

/// Whether the attribute expects one of these lints of clippy, and says why.
fn expects(attr: &syn::Attribute, lints: &[&str]) -> bool {
    let parts = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
    let Ok(parts) = attr.parse_args_with(parts) else {
        return false;
    };
    let named = |meta: &syn::Meta| {
        meta.path().segments.last().is_some_and(|last| lints.iter().any(|lint| last.ident == lint))
    };
    attr.path().is_ident("expect")
        && parts.iter().any(named)
        && parts.iter().any(|part| part.path().is_ident("reason"))
}

/// Whether the attributes make an item a test or compile it for tests only.
fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let last = attr.path().segments.last().map(|segment| segment.ident.to_string());
        match last.as_deref() {
            Some("test") => true,
            Some("cfg") => attr.parse_args::<syn::Meta>().is_ok_and(|meta| needs_test(&meta)),
            _ => false,
        }
    })
}

/// `test`, or an `all(…)` with such a part; `any(test, …)` is compiled without tests too.
fn needs_test(meta: &syn::Meta) -> bool {
    match meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => {
            let parts = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
            list.parse_args_with(parts).is_ok_and(|parts| parts.iter().any(needs_test))
        }
        _ => false,
    }
}
