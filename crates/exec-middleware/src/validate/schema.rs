//! Requests and answers against the JSON Schemas of their operations.

use std::collections::HashMap;

use exec_core::{
    Catalogue, Error, ErrorKind, FieldError, Operation, Output, Raw, Request, Response, Result, Search,
};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::Rule;

/// Of one document so many violations are listed.
const MOST: usize = 64;

/// Compiled schemas by operation.
#[derive(Default)]
pub(super) struct Schemas(HashMap<String, Validator>);

/// The schemas of the inputs and of the outputs.
pub(super) fn compile(catalogue: &Catalogue) -> Result<(Schemas, Schemas), Vec<FieldError>> {
    let (mut inputs, mut outputs, mut errors) = (Schemas::default(), Schemas::default(), Vec::new());
    for spec in catalogue.find(&Search::default()) {
        inputs.add(&spec.name, "input", spec.input.as_ref(), &mut errors);
        outputs.add(&spec.name, "output", spec.output.as_ref(), &mut errors);
    }
    if errors.is_empty() { Ok((inputs, outputs)) } else { Err(errors) }
}

impl Schemas {
    fn add(&mut self, name: &str, side: &str, schema: Option<&Raw>, errors: &mut Vec<FieldError>) {
        let Some(schema) = schema else { return };
        match jsonschema::validator_for(&schema.to_value()) {
            Ok(validator) => {
                self.0.insert(name.to_owned(), validator);
            }
            Err(error) => {
                let path = format!("{name}.{side}");
                errors.push(FieldError::new(path, "invalid_schema", error.to_string()));
            }
        }
    }

    pub(super) fn know(&self, operation: &Operation) -> bool {
        self.0.contains_key(operation.as_str())
    }

    /// `response`, complete, if it fulfils the schema of `operation`. Reads it to its end; dropping cancels the call.
    pub(super) async fn hold(&self, operation: &Operation, response: Response) -> Result<Response> {
        let response = match response.output() {
            Some(_) => response,
            None => {
                let report = response.report.clone();
                Response::full(response.collect().await?).with_report(report)
            }
        };
        let value = response.output().map(value_of).unwrap_or_default();
        let mut errors = Vec::new();
        self.check(operation, &value, &mut errors);
        if errors.is_empty() {
            return Ok(response);
        }
        let list: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.path, e.message)).collect();
        let message = format!("the answer is not what `{operation}` promises: {}", list.join("; "));
        Err(Error::new(ErrorKind::Upstream, message).with_code("invalid_output"))
    }

    fn check(&self, operation: &Operation, value: &Value, errors: &mut Vec<FieldError>) {
        if let Some(validator) = self.0.get(operation.as_str()) {
            errors.extend(validator.iter_errors(value).take(MOST).map(|error| issue(&error)));
        }
    }
}

impl Rule for Schemas {
    fn check(&self, request: &Request, errors: &mut Vec<FieldError>) {
        if !self.know(&request.operation) {
            return;
        }
        match request.input.value() {
            Ok(value) => self.check(&request.operation, value, errors),
            Err(error) => errors.push(FieldError::new("input", "invalid", error.message())),
        }
    }
}

/// Where, which code, and what, without the value itself: a prompt does not belong in an error.
fn issue(error: &ValidationError<'_>) -> FieldError {
    let code = match error.kind().keyword() {
        "required" => "required",
        "type" => "wrong_type",
        "enum" | "const" => "not_allowed",
        "additionalProperties" | "unevaluatedProperties" => "unknown",
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minLength" | "maxLength"
        | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "multipleOf" => "out_of_range",
        "pattern" | "format" => "wrong_format",
        _ => "invalid",
    };
    FieldError::new(path(error.instance_path().as_str()), code, error.masked().to_string())
}

/// A JSON pointer as we write paths: `/messages/2/role` is `messages[2].role`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !path.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) && !step.is_empty() {
            path += &format!("[{step}]");
        } else {
            path += if path.is_empty() { "" } else { "." };
            path += &step;
        }
    }
    if path.is_empty() { "input".to_owned() } else { path }
}

fn value_of(output: &Output) -> Value {
    match output.data.as_slice() {
        [] => serde_json::from_str(&output.text()).unwrap_or_else(|_| output.text().into()),
        [one] => one.to_value(),
        several => several.iter().map(Raw::to_value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_becomes_a_path() {
        for (pointer, expected) in
            [("", "input"), ("/a", "a"), ("/messages/2/role", "messages[2].role"), ("/a~1b/~0c", "a/b.~c")]
        {
            assert_eq!(path(pointer), expected);
        }
    }
}
