//! Each rule with a case that breaks it and one that does not.

use super::super::super::tree::Tree;
use super::super::check;
use super::FUNCTION_LINES;

const LIB: &str = "crates/exec-core/src/a.rs";

/// The lines with problems; the code begins at line 2.
fn lines(path: &str, code: &str) -> Vec<usize> {
    let text = format!("//! x\n{code}\n");
    check(&Tree::of(&[(path, &text)])).iter().map(|problem| problem.line).collect()
}

#[test]
fn a_function_is_short() {
    let of = |lines: usize| format!("fn f() {{\n{}}}", "    g();\n".repeat(lines - 2));
    assert!(lines(LIB, &of(FUNCTION_LINES)).is_empty());
    assert_eq!(lines(LIB, &of(FUNCTION_LINES + 1)), [2]);
    assert_eq!(lines(LIB, &format!("impl A {{\n{}\n}}", of(FUNCTION_LINES + 1))), [3]);
    assert_eq!(lines(LIB, &format!("trait A {{\n{}\n}}", of(FUNCTION_LINES + 1))), [3]);
}

#[test]
fn unwrap_and_panic_are_for_tests() {
    for bad in
        ["a.unwrap()", "a.expect(\"x\")", "a.map(Option::unwrap)", "panic!()", "todo!()", "std::panic!()"]
    {
        let code = format!("fn f() {{ {bad}; }}");
        assert_eq!(lines(LIB, &code), [2], "{bad}");
        assert!(lines("crates/exec-core/tests/it/a.rs", &code).is_empty(), "{bad}");
        assert!(lines("benches/layers.rs", &code).is_empty(), "{bad}");
        assert!(lines(LIB, &format!("#[cfg(test)]\nmod tests {{ {code} }}")).is_empty(), "{bad}");
        assert!(lines(LIB, &format!("#[test]\n{code}")).is_empty(), "{bad}");
        assert!(lines(LIB, &format!("impl A {{ #[cfg(all(test, unix))] {code} }}")).is_empty(), "{bad}");
        assert_eq!(lines(LIB, &format!("#[cfg(any(test, unix))]\n{code}")), [3], "{bad}");
    }
    assert!(lines(LIB, "// a.unwrap()\nfn f() { g(\"a.unwrap()\").unwrap_or(1); }").is_empty());
}

#[test]
fn an_expected_lint_with_a_reason_frees_from_its_rule_only() {
    let code = "fn f() { panic!(); println!(); }";
    assert_eq!(lines(LIB, code), [2, 2]);
    assert_eq!(lines(LIB, &format!("#[expect(clippy::panic, reason = \"x\")]\n{code}")), [3]);
    assert_eq!(lines(LIB, &format!("#[expect(clippy::panic)]\n{code}")), [3, 3]);
    assert_eq!(lines(LIB, &format!("#[expect(clippy::large_futures, reason = \"x\")]\n{code}")), [3, 3]);
}

#[test]
fn macro_bodies_are_read_too() {
    assert_eq!(lines(LIB, "fn f() { vec![a.unwrap(), b]; }"), [2]);
    assert_eq!(lines(LIB, "fn f() {\nselect! {\n x = y => { println!(\"a\") } }\n}"), [4]);
    assert!(lines(LIB, "fn f() { assert_eq!(unwrap(a), expect); }").is_empty());
}

#[test]
fn printing_is_for_the_command_line() {
    let code = "fn f() { println!(\"a\"); eprintln!(\"b\"); }";
    assert_eq!(lines(LIB, code), [2, 2]);
    assert!(lines("crates/exec-server/src/cli/execute.rs", code).is_empty());
    assert_eq!(lines("crates/exec-server/src/cli/execute.rs", "fn f() { a.unwrap(); }"), [2]);
}

#[test]
fn allow_is_refused_everywhere() {
    for bad in ["#[allow(dead_code)]", "#[cfg_attr(unix, allow(dead_code))]"] {
        assert_eq!(lines("xtask/src/a.rs", &format!("{bad}\nfn f() {{}}")), [2], "{bad}");
    }
    assert_eq!(lines(LIB, "#![allow(dead_code)]"), [2]);
    assert_eq!(lines(LIB, "m! { #[allow(dead_code)] fn f() {} }"), [2]);
    assert!(lines(LIB, "#[expect(dead_code, reason = \"x\")]\nfn f() {}").is_empty());
}

#[test]
fn ignore_needs_a_reason() {
    assert_eq!(lines(LIB, "#[test]\n#[ignore]\nfn f() {}"), [3]);
    assert!(lines(LIB, "#[test]\n#[ignore = \"needs a network\"]\nfn f() {}").is_empty());
}

#[test]
fn the_clock_of_std_is_refused_in_the_crates() {
    assert_eq!(lines(LIB, "fn f() { std::time::Instant::now(); }"), [2]);
    assert_eq!(lines(LIB, "use std::time::{Duration, Instant};\nfn f() { Instant::now(); }"), [3]);
    assert!(lines(LIB, "use tokio::time::Instant;\nfn f() { Instant::now(); }").is_empty());
    assert!(lines("xtask/src/a.rs", "fn f() { std::time::Instant::now(); }").is_empty());
}

#[test]
fn lossy_decoding_is_refused_in_the_crates() {
    assert_eq!(lines(LIB, "fn f() { String::from_utf8_lossy(b); }"), [2]);
    assert_eq!(lines(LIB, "fn f() { info!(x = String::from_utf8_lossy(b)); }"), [2]);
    assert!(lines(LIB, "fn f() { std::str::from_utf8(b); }").is_empty());
}

#[test]
fn only_guarded_and_fallback_name_the_middleware() {
    let code = "use exec_middleware::Retry;";
    assert_eq!(lines("crates/exec-providers/src/openai.rs", code), [2]);
    assert!(lines("crates/exec-providers/src/guarded.rs", code).is_empty());
    assert!(lines("crates/exec-providers/src/fallback/member.rs", code).is_empty());
    assert!(lines("crates/exec-strategies/src/cached.rs", code).is_empty());
}
