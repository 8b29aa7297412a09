//! Names to addresses, refusing names that lead where flows may not go.
//!
//! What is checked here is what is connected to: a name cannot be resolved to one address for the check and
//! to another for the connection.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Policy;
use super::failure::Forbidden;

/// The system's resolver, with every answer checked.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    pub(super) policy: Policy,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy;
        Box::pin(async move {
            // The port is the URL's; the resolver is not told which.
            let answers: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One forbidden answer is enough: whoever mixes them in wants them to be tried.
            for answer in &answers {
                if let Some(reason) = policy(answer.ip()) {
                    return Err(Forbidden { host: name.as_str().to_owned(), reason }.into());
                }
            }
            Ok(Box::new(answers.into_iter()) as Addrs)
        })
    }
}
