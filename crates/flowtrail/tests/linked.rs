//! What is linked into one program calls its own functions: libpq and QuickJS have one of the same name.

use flowtrail_testkit::{TestServer, flow};
use serde_json::json;

#[tokio::test]
async fn a_script_normalizes_text_by_the_function_of_its_own_engine() {
    let server = TestServer::start().await;
    let code = "return {apart: input.text.normalize('NFD').length, order: 'a'.localeCompare('é')};";
    let normalize = flow("Normalize").text("text").transform("shape", code);
    let made = server.create(&normalize.returns("{{ shape.apart }} {{ shape.order }}")).await;
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let ran = server.rest().post(&run, &json!({"params": {"text": "é"}})).await.expect(200);
    assert_eq!(ran["nodeExecutions"][1]["outputData"], json!({"apart": 2, "order": -1}), "{ran:#}");
}
