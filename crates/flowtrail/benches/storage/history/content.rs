//! What executions are about: orders, with texts, ids and numbers as varied as real ones.

use serde_json::{Value, json};

use crate::random::Random;

/// How many nodes an execution has.
pub(crate) const NODES: usize = 5;

/// The nodes: id, name and kind.
pub(crate) const STEPS: [(&str, &str, &str); NODES] = [
    ("fetch_order", "Fetch the order", "HttpRequest"),
    ("enrich", "Add the customer", "HttpRequest"),
    ("price", "Work out the price", "Transform"),
    ("draft", "Draft the message", "Llm"),
    ("notify", "Notify the warehouse", "HttpRequest"),
];

const NAMES: &[&str] = &[
    "Ana", "Bela", "Chidi", "Dagny", "Emre", "Farah", "Goran", "Hana", "Ivo", "Jun", "Kamala", "Lars",
    "Mina", "Nils", "Oya", "Pavel", "Quinn", "Rosa", "Sana", "Tomas", "Uma", "Viktor", "Wen", "Ximena",
    "Yara", "Zoltan",
];
const SURNAMES: &[&str] = &[
    "Abara",
    "Bergstrom",
    "Castillo",
    "Dvorak",
    "Eriksen",
    "Fujita",
    "Garcia",
    "Hoxha",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quiroga",
    "Rossi",
    "Schmidt",
    "Takeda",
];
const CITIES: &[&str] = &[
    "Aarhus", "Bergamo", "Cluj", "Dresden", "Esbjerg", "Freiburg", "Ghent", "Haarlem", "Izmir", "Jena",
    "Kaunas", "Linz", "Malmo", "Nantes", "Olomouc", "Porto", "Riga", "Split", "Turku", "Utrecht", "Vigo",
    "Wroclaw",
];
const ADJECTIVES: &[&str] = &[
    "ruled",
    "spiral-bound",
    "recycled",
    "waterproof",
    "compact",
    "heavy",
    "folding",
    "magnetic",
    "cordless",
    "stainless",
    "insulated",
    "quilted",
    "adjustable",
    "transparent",
    "matt",
    "oak",
    "ceramic",
    "woollen",
];
const GOODS: &[&str] = &[
    "notebook",
    "lantern",
    "kettle",
    "backpack",
    "desk lamp",
    "bookshelf",
    "teapot",
    "rain jacket",
    "multitool",
    "blanket",
    "cutting board",
    "bicycle pump",
    "headset",
    "water bottle",
    "tripod",
    "clipboard",
    "screwdriver set",
];
const WORDS: &[&str] = &[
    "the",
    "order",
    "was",
    "packed",
    "this",
    "morning",
    "and",
    "left",
    "our",
    "warehouse",
    "with",
    "a",
    "courier",
    "who",
    "will",
    "ring",
    "twice",
    "before",
    "leaving",
    "it",
    "at",
    "back",
    "door",
    "please",
    "keep",
    "receipt",
    "until",
    "parcel",
    "has",
    "arrived",
    "since",
    "one",
    "item",
    "comes",
    "from",
    "another",
    "store",
    "next",
    "week",
    "we",
    "have",
    "applied",
    "discount",
    "that",
    "you",
    "were",
    "promised",
    "to",
    "total",
    "thank",
    "for",
    "waiting",
    "box",
    "can",
    "be",
    "returned",
    "within",
    "thirty",
    "days",
    "unless",
    "opened",
    "customs",
    "may",
    "ask",
    "copy",
    "of",
    "invoice",
    "which",
    "is",
    "attached",
    "below",
    "call",
    "us",
    "if",
    "anything",
    "looks",
    "wrong",
    "or",
    "missing",
    "shipment",
    "tracking",
    "updates",
    "appear",
    "after",
    "first",
    "scan",
    "in",
    "evening",
    "driver",
];
const REASONS: &[&str] = &[
    "upstream answered 503: no healthy backend",
    "the card was declined by its issuer",
    "no stock left in any warehouse",
    "timed out after 30s while waiting for the shipping quote",
    "response is not what was declared: `total` is missing",
];

/// A text of so many words.
fn sentence(random: &mut Random, words: u64) -> String {
    let mut text = String::new();
    for number in 0..words {
        if number > 0 {
            text.push(' ');
        }
        text.push_str(random.one(WORDS));
    }
    text.push('.');
    text
}

fn hexadecimal(random: &mut Random) -> String {
    format!("{:016x}", random.bits())
}

fn cents(random: &mut Random, up_to: u64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let amount = (100 + random.below(up_to)) as f64 / 100.0;
    json!(amount)
}

fn line(random: &mut Random) -> Value {
    json!({
        "sku": format!("{}-{:05}", random.one(&["A", "B", "K", "MX", "Q"]), random.below(100_000)),
        "name": format!("{}, {}", random.one(GOODS), random.one(ADJECTIVES)),
        "quantity": 1 + random.below(9),
        "price": cents(random, 20_000),
    })
}

/// What an execution was given, what each node was given and produced, and what came out.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) params: Value,
    pub(crate) nodes: [(Value, Value); NODES],
    pub(crate) outputs: Value,
}

impl Content {
    pub(crate) fn new(random: &mut Random) -> Self {
        let order = format!("order-{}", random.below(10_000_000));
        let customer = json!({
            "id": hexadecimal(random),
            "name": format!("{} {}", random.one(NAMES), random.one(SURNAMES)),
            "city": random.one(CITIES),
            "since": format!("20{:02}-{:02}-{:02}", 10 + random.below(16), 1 + random.below(12), 1 + random.below(28)),
            "loyal": random.below(3) == 0,
        });
        let lines: Vec<Value> = (0..4 + random.below(3)).map(|_| line(random)).collect();
        let quote = json!({
            "carrier": random.one(&["post", "van", "bicycle", "train"]),
            "days": 1 + random.below(6),
            "cost": cents(random, 3_000),
            "reference": hexadecimal(random),
        });
        let total = cents(random, 90_000);
        let message = sentence(random, 60);
        let trace = hexadecimal(random);
        Self {
            params: json!({"orderId": order, "express": random.below(4) == 0, "note": sentence(random, 8)}),
            nodes: [
                (
                    json!({"url": format!("https://shop.example/v2/orders/{order}"), "trace": trace}),
                    json!({"status": 200, "body": {"id": order, "lines": lines, "note": sentence(random, 20)}}),
                ),
                (
                    json!({"customer": customer["id"], "order": order, "lines": lines.len(), "trace": trace}),
                    json!({"status": 200, "customer": customer, "visits": random.below(400)}),
                ),
                (
                    json!({"lines": lines, "loyal": customer["loyal"]}),
                    json!({"total": total, "tax": cents(random, 9_000), "currency": "EUR", "shipping": quote}),
                ),
                (
                    json!({"prompt": sentence(random, 40), "customer": customer["name"], "total": total}),
                    json!({"text": message, "tokens": {"in": 90 + random.below(80), "out": 50 + random.below(60)}}),
                ),
                (
                    json!({"order": order, "shipping": quote, "text": message}),
                    json!({"accepted": true, "ticket": hexadecimal(random), "queue": random.below(40)}),
                ),
            ],
            outputs: json!({"orderId": order, "total": total, "ticket": trace, "text": sentence(random, 12)}),
        }
    }

    /// Bytes of all of it as JSON.
    pub(crate) fn size(&self) -> usize {
        let nodes = self.nodes.iter().flat_map(|(input, output)| [input, output]);
        nodes.chain([&self.params, &self.outputs]).map(|value| value.to_string().len()).sum()
    }
}

/// Why an execution failed.
pub(crate) fn reason(random: &mut Random) -> String {
    format!("{} (request {})", random.one(REASONS), hexadecimal(random))
}
