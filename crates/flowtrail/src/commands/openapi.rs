//! `flowtrail openapi`: the API's description.

use std::io::Write;

use crate::Failure;
use crate::failure::Doing;

pub(super) fn run() -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(&flowtrail_http::openapi()).doing("cannot write the description")?;
    writeln!(std::io::stdout(), "{text}").doing("cannot write the description")
}
