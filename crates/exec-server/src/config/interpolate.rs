//! `${VAR}` and `${VAR:-default}` in the strings of a parsed document; `$$` is a dollar.
//!
//! Replaced after parsing, so that no value can change the structure of the document.

use serde_json::Value;

use super::environment::Environment;
use super::read::Reader;

/// Replaces every reference in every string of `tree`. A missing variable is a problem at its path.
pub(super) fn replace(tree: &mut Value, environment: &Environment, reader: &mut Reader) {
    walk(tree, "", &mut |text, path| match expand(text, environment) {
        Ok(expanded) => {
            expanded.used.iter().for_each(|value| reader.keep_secret(value));
            if path.ends_with("api_key") {
                reader.keep_secret(&expanded.text);
            }
            *text = expanded.text;
        }
        Err(message) => {
            reader.problem(path, message);
            // A reference that was not replaced would only cause problems that follow from this one.
            text.clear();
        }
    });
}

fn walk(value: &mut Value, path: &str, visit: &mut impl FnMut(&mut String, &str)) {
    match value {
        Value::String(text) => visit(text, path),
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                // The items of a list under a secret name are as secret as the list.
                let at = if path.ends_with("api_key") { path.to_owned() } else { format!("{path}[{i}]") };
                walk(item, &at, visit);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(member, &at, visit);
            }
        }
        _ => {}
    }
}

struct Expanded<'a> {
    text: String,
    used: Vec<&'a str>,
}

fn expand<'a>(text: &str, environment: &'a Environment) -> Result<Expanded<'a>, String> {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), used: Vec::new() };
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (reference, after) =
                after.split_once('}').ok_or("has `${` without `}`: write `$$` for a dollar")?;
            let value = look_up(reference, environment, &mut expanded.used)?;
            expanded.text.push_str(&value);
            rest = after;
        } else {
            expanded.text.push('$');
        }
    }
    expanded.text.push_str(rest);
    Ok(expanded)
}

fn look_up<'a>(
    reference: &str,
    environment: &'a Environment,
    used: &mut Vec<&'a str>,
) -> Result<String, String> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err("has a `${…}` that names no variable".to_owned());
    }
    match (environment.get(name), default) {
        (Some(value), _) => {
            used.push(value);
            Ok(value.to_owned())
        }
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "the environment variable {name} is not set: set it, or write `${{{name}:-default}}`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(template: &str) -> Result<String, String> {
        let environment =
            Environment::of([("A".to_owned(), "${B}".to_owned()), ("E".to_owned(), String::new())]);
        expand(template, &environment).map(|expanded| expanded.text)
    }

    #[test]
    fn references_defaults_and_dollars() {
        assert_eq!(text("x${A}y").unwrap(), "x${B}y", "what was put in is not looked at again");
        assert_eq!(text("${N:-d}${N:-}").unwrap(), "d");
        assert_eq!(text("${E:-empty counts as none}").unwrap(), "empty counts as none");
        assert_eq!(text("$$ $${A} $5 $").unwrap(), "$ ${A} $5 $");
        assert!(text("${N}").unwrap_err().contains('N'));
        assert!(text("${A").is_err());
        assert!(text("${a b}").is_err());
    }
}
