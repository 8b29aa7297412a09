//! What the description says of one operation: declared where its address is, so that neither stands without the other.

use crate::ErrorCode;

/// JSON, in which most bodies are.
pub(crate) const JSON: &str = "application/json";
/// JSON, one value a line.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// One operation of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// Its name in generated clients.
    pub(super) id: &'static str,
    /// What it does, in a line.
    pub(super) summary: &'static str,
    /// What else there is to know.
    pub(super) details: &'static str,
    /// The parameters of its query and headers, by their names in [`super::parameters`].
    pub(super) parameters: &'static [&'static [&'static str]],
    /// The kind and the schema of its body.
    pub(super) body: Option<(&'static str, &'static str)>,
    /// How it answers when all is well.
    pub(super) answers: &'static [Answer],
    /// How it may refuse besides what the address, the body and the caller may cause everywhere.
    pub(super) failures: &'static [ErrorCode],
    /// Who may ask.
    pub(super) asker: Asker,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Who has a key, or a token or session made by means of one.
    Key,
    /// Who has a session.
    Session,
    /// Anybody.
    Anybody,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) means: &'static str,
    /// The kind and, if it has one, the schema of its body.
    pub(super) body: Option<(&'static str, &'static str)>,
    pub(super) headers: &'static [&'static str],
}

impl Answer {
    /// JSON of this schema.
    pub(crate) const fn json(status: u16, schema: &'static str, means: &'static str) -> Self {
        Self::of(status, JSON, schema, means)
    }

    /// A body of this kind and schema.
    pub(crate) const fn of(
        status: u16,
        kind: &'static str,
        schema: &'static str,
        means: &'static str,
    ) -> Self {
        Self { status, means, body: Some((kind, schema)), headers: &[] }
    }

    /// No body.
    pub(crate) const fn empty(status: u16, means: &'static str) -> Self {
        Self { status, means, body: None, headers: &[] }
    }

    /// With these headers, by their names in [`super::parameters`].
    pub(crate) const fn with(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }
}

impl Operation {
    /// An operation that needs a key, takes nothing and answers nothing yet.
    pub(crate) const fn new(id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            summary,
            details: "",
            parameters: &[],
            body: None,
            answers: &[],
            failures: &[],
            asker: Asker::Key,
        }
    }

    /// What else there is to know.
    pub(crate) const fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    /// The parameters of its query and headers.
    pub(crate) const fn takes(self, parameters: &'static [&'static [&'static str]]) -> Self {
        Self { parameters, ..self }
    }

    /// A body of JSON.
    pub(crate) const fn body(self, schema: &'static str) -> Self {
        Self { body: Some((JSON, schema)), ..self }
    }

    /// A body of lines of JSON.
    pub(crate) const fn lines(self, schema: &'static str) -> Self {
        Self { body: Some((NDJSON, schema)), ..self }
    }

    /// How it answers when all is well.
    pub(crate) const fn gives(self, answers: &'static [Answer]) -> Self {
        Self { answers, ..self }
    }

    /// How it may refuse besides.
    pub(crate) const fn fails(self, failures: &'static [ErrorCode]) -> Self {
        Self { failures, ..self }
    }

    /// Others than who has a key may ask.
    pub(crate) const fn by(self, asker: Asker) -> Self {
        Self { asker, ..self }
    }
}
