//! Tokens: kinds that do not overlap, from figures that do.

use serde_json::{Value, json};

/// `{inputTokens, cachedInputTokens, outputTokens, reasoningTokens, totalTokens}` from what an endpoint says. Each
/// token is counted once: one that was cached is no input token besides, one of reasoning no output token. What the
/// endpoint does not say is null.
pub(super) fn disjoint(raw: &Value) -> Value {
    let figure = |path: &str| raw.pointer(path).and_then(Value::as_u64);
    let prompt = figure("/prompt_tokens");
    let completion = figure("/completion_tokens");
    let cached =
        figure("/prompt_tokens_details/cached_tokens").or_else(|| figure("/prompt_cache_hit_tokens"));
    let reasoning = figure("/completion_tokens_details/reasoning_tokens");
    let total = figure("/total_tokens");
    let sum = || Some(prompt?.saturating_add(completion?));
    // Most count reasoning as part of the completion. Where the total says that it stands beside it, it does.
    let stands_beside = match (sum(), reasoning, total) {
        (Some(sum), Some(reasoning), Some(total)) if reasoning > 0 => total == sum.saturating_add(reasoning),
        _ => false,
    };
    let output = if stands_beside { completion } else { without(completion, reasoning) };
    json!({
        "inputTokens": without(prompt, cached),
        "cachedInputTokens": cached,
        "outputTokens": output,
        "reasoningTokens": reasoning,
        "totalTokens": total.or_else(sum),
    })
}

/// A figure without a part of it. A part that is larger than the whole is none of it.
fn without(whole: Option<u64>, part: Option<u64>) -> Option<u64> {
    let whole = whole?;
    Some(whole.checked_sub(part.unwrap_or_default()).unwrap_or(whole))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_usage(raw: Value, [input, cached, output, reasoning, total]: [Option<u64>; 5]) {
        let expected = json!({
            "inputTokens": input, "cachedInputTokens": cached, "outputTokens": output,
            "reasoningTokens": reasoning, "totalTokens": total,
        });
        assert_eq!(disjoint(&raw), expected, "{raw}");
    }

    #[test]
    fn no_token_is_counted_twice() {
        let details = json!({
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 80},
            "completion_tokens_details": {"reasoning_tokens": 30},
        });
        assert_usage(details, [Some(20), Some(80), Some(20), Some(30), Some(150)]);
        let beside = json!({
            "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45,
            "completion_tokens_details": {"reasoning_tokens": 30},
        });
        assert_usage(beside, [Some(10), None, Some(5), Some(30), Some(45)]);
        let by_another_name =
            json!({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "completion_tokens": 1});
        assert_usage(by_another_name, [Some(6), Some(4), Some(1), None, Some(11)]);
    }

    #[test]
    fn what_is_not_said_is_not_made_up() {
        assert_usage(json!({}), [None; 5]);
        assert_usage(json!({"total_tokens": 7}), [None, None, None, None, Some(7)]);
        assert_usage(json!({"prompt_tokens": -1, "completion_tokens": "5", "total_tokens": 1.5}), [None; 5]);
        assert_usage(
            json!({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9}}),
            [Some(3), Some(9), None, None, None],
        );
    }

    proptest! {
        #[test]
        fn kinds_add_up_to_the_total(
            input in 0..1_000_000_u64, cached in 0..1_000_000_u64, output in 0..1_000_000_u64, reasoning in 0..1_000_000_u64,
        ) {
            let usage = disjoint(&json!({
                "prompt_tokens": input + cached, "completion_tokens": output + reasoning,
                "total_tokens": input + cached + output + reasoning,
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": reasoning},
            }));
            let kinds = ["inputTokens", "cachedInputTokens", "outputTokens", "reasoningTokens"];
            let figures = kinds.map(|kind| usage[kind].as_u64().unwrap());
            prop_assert_eq!(figures, [input, cached, output, reasoning]);
            prop_assert_eq!(figures.iter().sum::<u64>(), usage["totalTokens"].as_u64().unwrap());
        }
    }
}
