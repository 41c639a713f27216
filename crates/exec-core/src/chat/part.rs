//! The parts a turn is made of. An answer is made of the same parts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Raw, Text, Wire};

/// One piece of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: Text,
        /// Every field we have no name for.
        #[serde(flatten)]
        extra: Extra,
    },
    /// A picture.
    Image {
        /// Where it is.
        source: Source,
        /// Every field we have no name for.
        #[serde(flatten)]
        extra: Extra,
    },
    /// The model wants a tool called.
    ToolCall(ToolCall),
    /// What the tool said.
    ToolResult(ToolResult),
    /// What the model thought, where it says so.
    Reasoning(Reasoning),
    /// Something only its own format understands, kept as it came.
    Opaque(Opaque),
}

impl Part {
    /// A part of words.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text { text: text.into(), extra: Extra::default() }
    }

    /// What of this part the format `wire` cannot say.
    pub(super) fn foreign_to(&self, wire: Wire) -> Vec<String> {
        let extra = match self {
            Self::Text { extra, .. } | Self::Image { extra, .. } => extra,
            Self::ToolCall(call) => &call.extra,
            Self::ToolResult(result) => &result.extra,
            Self::Reasoning(reasoning) => &reasoning.extra,
            Self::Opaque(opaque) if opaque.wire == wire.as_str() => return Vec::new(),
            Self::Opaque(opaque) => return vec![opaque.kind.clone()],
        };
        extra.foreign_to(wire).map(|name| format!("messages[].content[].{name}")).collect()
    }
}

/// Where a picture is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// At an address the provider fetches.
    Url(Text),
    /// Here, in base64.
    Base64 {
        /// `image/png`.
        media_type: String,
        /// The picture.
        data: Text,
    },
}

/// A call of a tool, asked for by the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// By which the result names the call.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// Its arguments as JSON text, exactly as the model wrote them.
    pub arguments: Text,
    /// Every field we have no name for.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a tool said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call it answers.
    pub id: String,
    /// The answer.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    #[serde(default)]
    pub failed: bool,
    /// Every field we have no name for.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What the model thought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// In words.
    pub text: Text,
    /// The provider's proof that the words are its own. Must come back unchanged, and means nothing elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Text>,
    /// Every field we have no name for.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Something only its own format understands: kept byte for byte, sent back only in that format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opaque {
    /// The name of the [`Wire`] it belongs to.
    pub wire: String,
    /// What that format calls it.
    pub kind: String,
    /// The thing itself.
    pub value: Raw,
}

impl Opaque {
    /// A thing of the format `wire`.
    pub fn new(wire: Wire, kind: impl Into<String>, value: Raw) -> Self {
        Self { wire: wire.as_str().to_owned(), kind: kind.into(), value }
    }
}

/// The fields of an object that we have no name for, in their order, and the format they belong to.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    wire: Option<Wire>,
    fields: Vec<(String, Raw)>,
}

impl Extra {
    /// No fields yet, of the format `wire`.
    #[must_use]
    pub fn of(wire: Wire) -> Self {
        Self { wire: Some(wire), fields: Vec::new() }
    }

    /// The format the fields belong to, and with them the thing they are fields of. `None` when it was not read from one.
    #[must_use]
    pub fn wire(&self) -> Option<Wire> {
        self.wire
    }

    /// Adds a field, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, value: Raw) {
        let name = name.into();
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value));
    }

    /// The field `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Raw> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields that can be written in the format `wire`: all of its own, and those that belong to no format.
    pub fn for_wire(&self, wire: Wire) -> impl Iterator<Item = (&str, &Raw)> {
        let ours = self.wire.is_none_or(|own| own == wire);
        self.fields.iter().filter(move |_| ours).map(|(name, value)| (name.as_str(), value))
    }

    /// The names of the fields that cannot.
    pub(super) fn foreign_to(&self, wire: Wire) -> impl Iterator<Item = &str> {
        let foreign = self.wire.is_some_and(|own| own != wire);
        self.fields.iter().filter(move |_| foreign).map(|(name, _)| name.as_str())
    }
}

/// Equal fields are equal in any order; where they came from is not compared.
impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.fields.len() == other.fields.len()
            && self.fields.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = std::collections::BTreeMap::<String, Raw>::deserialize(deserializer)?;
        Ok(Self { wire: None, fields: fields.into_iter().collect() })
    }
}
