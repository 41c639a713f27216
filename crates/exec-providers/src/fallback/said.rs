//! What of an answer has reached the caller.

use exec_core::Chunk;

/// Of a longer text only its length is kept.
const MAX_TEXT: usize = 1 << 20;

/// What of an answer has reached the caller, as far as it matters to who takes over.
#[derive(Debug, Default)]
pub(super) struct Said {
    text: String,
    characters: usize,
    thought: bool,
    fixed: bool,
}

impl Said {
    pub(super) fn note(&mut self, chunk: &Chunk) {
        for chunk in chunk.meaning() {
            match chunk {
                Chunk::Text(text) => self.note_text(text),
                Chunk::Reasoning(text) => self.thought |= !text.is_empty(),
                Chunk::Handover(handover) if handover.anew => *self = Self::default(),
                Chunk::End(_) | Chunk::Handover(_) | Chunk::Spent(_) => {}
                // Calls of tools, proofs, values: what nobody else would say in the same words.
                _ => self.fixed = true,
            }
        }
    }

    fn note_text(&mut self, text: &str) {
        self.characters += text.chars().count();
        if self.text.len() + text.len() > MAX_TEXT {
            self.fixed = true;
            self.text = String::new();
        } else if !self.fixed {
            self.text.push_str(text);
        }
    }

    /// Whether somebody else can go on from here: there are words, and nothing but words and thinking.
    pub(super) fn can_be_continued(&self) -> bool {
        !self.fixed && !self.text.trim().is_empty()
    }

    /// Whether somebody else can say the same again.
    pub(super) fn can_be_repeated(&self) -> bool {
        !self.fixed
    }

    /// Whether there was any thinking.
    pub(super) fn thought(&self) -> bool {
        self.thought
    }

    /// The words.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// How many characters they are.
    pub(super) fn characters(&self) -> usize {
        self.characters
    }
}
