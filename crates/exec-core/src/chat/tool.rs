//! What a model may call.

use serde::{Deserialize, Serialize};

use super::{Extra, Opaque};
use crate::{Raw, Text, Wire};

/// Something the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tool {
    /// A function of the caller.
    Function(Function),
    /// A tool the provider runs itself, in its own words.
    Opaque(Opaque),
}

impl Tool {
    /// What of this tool the format `wire` cannot say.
    pub(super) fn foreign_to(&self, wire: Wire) -> Vec<String> {
        match self {
            Self::Function(f) => f.extra.foreign_to(wire).map(|name| format!("tools[].{name}")).collect(),
            Self::Opaque(tool) if tool.wire == wire.as_str() => Vec::new(),
            Self::Opaque(tool) => vec![format!("tools[].{}", tool.kind)],
        }
    }
}

/// A function of the caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// The JSON Schema of its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Raw>,
    /// Every field we have no name for.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It must not.
    None,
    /// It must call one.
    Required,
    /// It must call this one.
    Named(String),
}
