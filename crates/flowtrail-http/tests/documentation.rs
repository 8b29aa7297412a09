//! Every error code stands in the documentation, with its status and its meaning.

use flowtrail_http::ErrorCode;

#[test]
fn every_error_code_is_documented() {
    let documentation = include_str!("../../../docs/API.md");
    for (_, word, status, meaning) in ErrorCode::TABLE {
        let row = format!("| `{word}` | {} | {meaning} |", status.as_u16());
        assert!(documentation.contains(&row), "docs/API.md lacks the row\n{row}");
    }
}
