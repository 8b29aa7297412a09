//! What is wrong with a flow or with arguments: every problem, by node and field.

use std::fmt::{self, Display};

use serde::Serialize;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The id of the node, when it is a node's.
    pub node: Option<String>,
    /// The field, as a path from the node or from the flow, for example `parameters.code`. Empty when it
    /// concerns the whole.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.node, self.field.as_str()) {
            (Some(node), "") => write!(f, "node {node}: {}", self.message),
            (Some(node), field) => write!(f, "node {node}, {field}: {}", self.message),
            (None, "") => f.write_str(&self.message),
            (None, field) => write!(f, "{field}: {}", self.message),
        }
    }
}

/// Everything that is wrong. As an error it says one problem a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// A single problem of the whole.
    pub(crate) fn of_the_whole(message: impl Into<String>) -> Self {
        let mut problems = Self::default();
        problems.add("", message);
        problems
    }

    /// Adds a problem that is no node's.
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { node: None, field: field.into(), message: message.into() });
    }

    /// Adds a node's problem.
    pub(crate) fn add_at(&mut self, node: &str, field: impl Into<String>, message: impl Into<String>) {
        let node = (!node.is_empty()).then(|| node.to_owned());
        self.0.push(Problem { node, field: field.into(), message: message.into() });
    }

    /// `value` when there is no problem.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_one_a_line() {
        let mut problems = Problems::default();
        problems.add("name", "is missing");
        problems.add_at("shape", "parameters.code", "is missing");
        problems.add_at("shape", "", "has no way in");
        assert_eq!(
            problems.to_string(),
            "name: is missing\nnode shape, parameters.code: is missing\nnode shape: has no way in"
        );
    }
}
