//! What the parameters of a `Model` must be.

mod support;

use flowtrail_runner::parse_flow;
use serde_json::json;
use support::file;

#[test]
fn parameters_are_checked() {
    let base = json!({"baseUrl": "https://llm.example/v1", "model": "small", "prompt": "x"});
    for (more, expected) in [
        (json!({"baseUrl": null}), "node a, parameters.baseUrl: is missing"),
        (
            json!({"baseUrl": "ftp://x.example"}),
            "parameters.baseUrl: must be an http or https URL and not ftp:",
        ),
        (json!({"baseUrl": "https://me:pw@x.example"}), "parameters.baseUrl: has a user name or password"),
        (
            json!({"baseUrl": "https://x.example/?api_key=abc"}),
            "parameters.baseUrl: the value of api_key looks like a credential",
        ),
        (json!({"model": ""}), "parameters.model: is missing"),
        (json!({"prompt": null}), "parameters.prompt: is missing: a Model has either prompt or messages"),
        (json!({"messages": [{"role": "user", "content": "x"}]}), "parameters.messages: is one too many"),
        (
            json!({"prompt": null, "messages": []}),
            "parameters.messages: must be an array with at least one {role, content}",
        ),
        (json!({"prompt": null, "messages": "x"}), "parameters.messages: must be an array with at least one"),
        (
            json!({"prompt": null, "messages": ["x"]}),
            "parameters.messages[0]: must be an object with role and content",
        ),
        (
            json!({"prompt": null, "messages": [{"content": "x"}]}),
            "parameters.messages[0].role: must be one of system, developer",
        ),
        (
            json!({"prompt": null, "messages": [{"role": "usr", "content": "x"}]}),
            "messages[0].role: \"usr\" is no role, did you mean \"user\"?",
        ),
        (
            json!({"prompt": null, "messages": [{"role": "user"}]}),
            "parameters.messages[0].content: must be a string or an array",
        ),
        (json!({"prompt": "{{ b }}"}), "parameters.prompt: there is no node b"),
        (
            json!({"apiKey": "sk-abcdef"}),
            "parameters.apiKey: must come from a secret: configure one and write {{ secrets.NAME }} here",
        ),
        (json!({"apiKey": ""}), "parameters.apiKey: must come from a secret"),
        (json!({"apiKey": "{{ ask.key }}"}), "parameters.apiKey: must come from a secret"),
        (json!({"apiKey": "{{ secrets. }}"}), "parameters.apiKey: syntax error"),
        (json!({"apiKey": 1}), "parameters.apiKey: must be a string"),
        (
            json!({"apiKey": "{{ secrets.A }}", "headers": {"authorization": "{{ secrets.A }}"}}),
            "parameters.headers.authorization: is set by apiKey",
        ),
        (
            json!({"headers": {"Authorization": "Bearer abc"}}),
            "the value of Authorization looks like a credential",
        ),
        (json!({"temperature": 2.1}), "parameters.temperature: must be a number from 0 to 2, or a template"),
        (
            json!({"temperature": "hot"}),
            "parameters.temperature: must be a number from 0 to 2, or a template",
        ),
        (json!({"topP": -1}), "parameters.topP: must be a number from 0 to 1"),
        (json!({"maxTokens": 0}), "parameters.maxTokens: must be a whole number of 1 or more"),
        (json!({"seed": 0.5}), "parameters.seed: must be a whole number"),
        (json!({"stop": [1]}), "parameters.stop: must be a string or an array of strings"),
        (json!({"responseFormat": "json"}), "parameters.responseFormat: must be an object"),
        (json!({"stream": "yes"}), "parameters.stream: must be true or false"),
        (json!({"timeout": "never"}), "parameters.timeout: \"never\" is no duration"),
        (json!({"retry": {"maxAttempts": 0}}), "parameters.retry.maxAttempts: must be"),
        (
            json!({"max_tokens": 5}),
            "parameters.max_tokens: is no parameter of Model, did you mean \"maxTokens\"?",
        ),
    ] {
        let mut parameters = base.clone();
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problems = parse_flow(file(&[("a", "Model", parameters)], "ask>a")).unwrap_err().to_string();
        assert!(problems.contains(expected), "{more}: {problems}");
    }
    assert!(parse_flow(file(&[("a", "Model", base)], "ask>a")).is_ok());
}
