//! The flows of Open WebUI. Its nodes read `{{input}}` from whatever is connected, its loops have no bodies of their
//! own, and both ways out of a conditional are run; here each node names what it reads, and only one way is taken.

mod bodies;
mod convert;
mod links;
mod loops;
mod references;
mod retrieval;
mod source;
mod steps;
mod transform;

pub(super) use source::Source;
