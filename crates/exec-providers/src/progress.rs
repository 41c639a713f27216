//! Tells when the pieces of a JSON object are all there.

/// What was seen of one object, piece by piece. Not a check: what is no JSON may be complete too.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    depth: u64,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Progress {
    pub(crate) fn feed(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.begun = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.begun && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_complete_at_its_last_brace() {
        let text = r#"{"a}\"":[{"b":"]"}]}"#;
        let mut progress = Progress::default();
        for (at, piece) in text.char_indices() {
            assert!(!progress.is_complete(), "before {at}");
            progress.feed(&piece.to_string());
        }
        assert!(progress.is_complete());
    }
}
