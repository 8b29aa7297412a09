//! What comes of a call.

use flowtrail_tracker::TrackerError;
use flowtrail_types::ExecutionId;
use flowtrail_types::lifecycle::Outcome;
use serde_json::Value;

use crate::Secrets;
use crate::problem::Problems;

/// An execution that has ended and is recorded. Of a call that no flow made, the values of the configured secrets
/// are hidden in all that it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its id.
    pub id: ExecutionId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it answers, in the order of its nodes in the flow.
    pub returns: Vec<Returned>,
    /// Its outputs as they are recorded: the value of its one `Return`, those of several as an array, and
    /// without any the outputs of the last nodes by their ids. Null when it produced nothing.
    pub outputs: Value,
}

impl Finished {
    /// Hides the values of secrets in everything that leaves to the caller.
    pub(crate) fn hide(&mut self, secrets: &Secrets) {
        match &mut self.outcome {
            Outcome::Fulfilled | Outcome::Aborted(None) => {}
            Outcome::Error(error) | Outcome::Aborted(Some(error)) => secrets.hide_said(&mut error.message),
        }
        self.returns.iter_mut().for_each(|returned| returned.hide(secrets));
        secrets.hide(&mut self.outputs);
    }
}

/// One answer to whoever called.
#[derive(Debug, Clone, PartialEq)]
pub enum Returned {
    /// Text.
    Text(String),
    /// JSON.
    Json(Value),
    /// A link to open.
    Link {
        /// Where it leads, by http or https.
        url: String,
        /// What it says.
        text: Option<String>,
    },
    /// Structured content with a UI resource.
    Interface {
        /// The content.
        data: Value,
        /// The resource: `{uri, mimeType?, text?}`.
        resource: Option<Value>,
    },
}

impl Returned {
    fn hide(&mut self, secrets: &Secrets) {
        match self {
            Self::Text(text) => secrets.hide_text(text),
            Self::Json(value) => secrets.hide(value),
            Self::Link { url, text } => {
                secrets.hide_text(url);
                text.iter_mut().for_each(|text| secrets.hide_text(text));
            }
            Self::Interface { data, resource } => {
                secrets.hide(data);
                resource.iter_mut().for_each(|resource| secrets.hide(resource));
            }
        }
    }
}

/// Why a call was refused. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The arguments are not what the flow declares.
    #[error("invalid arguments: {0}")]
    Arguments(Problems),
    /// The flow is switched off.
    #[error("the flow is not active")]
    Inactive,
    /// The flow runs elsewhere and is only recorded here.
    #[error("the flow has no definition that could be run here")]
    NotRunnable,
    /// Flows call each other too deeply.
    #[error("flows call each other more than {} deep", crate::MAX_DEPTH)]
    TooDeep,
    /// The definition cannot be run.
    #[error("the flow's definition is invalid: {0}")]
    Invalid(Problems),
    /// The user has so many calls running already, which is their share of those that may.
    #[error("your share of the running executions is used up, {0} of them: try again when one has ended")]
    ShareUsed(usize),
    /// The tracker refused it, because of the principal's rights or because it could not be recorded; or too many
    /// calls run already, which is told as [`TrackerError::Busy`] too.
    #[error(transparent)]
    Tracker(#[from] TrackerError),
}

impl RunError {
    /// What is wrong with a call that was rejected for what it is, its arguments or a flow that cannot be called: each with
    /// the argument that it is about.
    pub(crate) fn rejection(&self) -> Option<Vec<(Option<&str>, String)>> {
        match self {
            Self::Arguments(problems) => {
                let named = |field: &'_ String| !field.is_empty();
                Some(
                    problems
                        .0
                        .iter()
                        .map(|problem| {
                            let argument = Some(&problem.field).filter(|field| named(field));
                            (argument.map(String::as_str), problem.message.clone())
                        })
                        .collect(),
                )
            }
            Self::Inactive | Self::NotRunnable => Some(vec![(None, self.to_string())]),
            Self::TooDeep | Self::Invalid(_) | Self::ShareUsed(_) | Self::Tracker(_) => None,
        }
    }
}
