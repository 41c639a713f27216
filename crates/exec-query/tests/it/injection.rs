//! What users write is never syntax.
