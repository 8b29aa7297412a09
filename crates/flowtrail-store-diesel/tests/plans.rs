//! Every statement that the store can send is planned by each database on a filled table, and none of them may read
//! more of a table that grows than a bounded part.

#[path = "support/questions.rs"]
mod questions;
mod support;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use diesel::connection::{
    Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation,
};
use diesel::prelude::*;
use flowtrail_store::Store;
use flowtrail_store_diesel::{DatabaseUrl, PostgresStore, SqliteStore, testing};

/// What was sent, without values.
static SENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Listener;

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let text = text.split(" -- binds:").next().unwrap_or_default().trim().to_owned();
            SENT.lock().unwrap_or_else(PoisonError::into_inner).insert(text);
        }
    }
}

/// The tables that grow with what is recorded.
const GROWING: &[&str] =
    &["executions", "execution_payloads", "node_executions", "execution_tags", "flow_stats"];

/// Indexes of what is pending or not packed yet, which is little, however much there is.
const LITTLE: &[&str] = &["executions_pending", "executions_unpacked"];

/// Statements that tell of the database itself, or end and begin transactions.
fn is_planned(text: &str) -> bool {
    let upper = text.to_uppercase();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|word| upper.starts_with(word))
        && GROWING.iter().any(|table| text.contains(table))
        && !text.contains("dbstat")
        && !text.contains("pg_class")
        && !text.contains("sqlite_master")
        && !text.contains("pragma_")
}

/// Whether a statement applies what no index has to more than what lies between two places.
fn searches_without_ends(text: &str) -> bool {
    let searches = ["instr(", "strpos(", "`duration_us` <= ", "`duration_us` >= "];
    let text = text.replace('"', "`");
    searches.iter().any(|search| text.contains(search)) && !text.contains("`started_at` >= ")
}

/// Whether a statement walks the tags of all executions by something else than a tag, or without an end.
fn walks_tags_without_end(text: &str, plan: &str) -> bool {
    let text = text.replace('"', "`");
    let names_tag = text.contains("`execution_tags`.`value` = ");
    let is_bounded = text.contains("LIMIT") || text.contains("`started_at` >= ");
    names_tag && !(is_bounded && plan.contains("execution_tags_by_value"))
}

/// Whether a statement joins tables for rows that it then leaves out.
fn joins_what_it_leaves_out(text: &str) -> bool {
    text.contains(" JOIN ") && text.contains(" OFFSET ")
}

/// Runs everything on a filled store and gives what was sent.
fn collect(store: &dyn Store, count: u64) -> Vec<String> {
    support::fill(store, count);
    questions::everything(store, count);
    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    sent.iter().filter(|text| is_planned(text)).cloned().collect()
}

fn listen() {
    set_default_instrumentation(|| Some(Box::new(Listener))).expect("nothing else instruments");
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

#[test]
fn sqlite_reads_a_bounded_part_of_what_grows() {
    listen();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let store = SqliteStore::open(&DatabaseUrl::Sqlite(path.clone())).unwrap();
    let sent = collect(&store, 6_000);
    assert!(sent.len() > 100, "only {} statements were seen", sent.len());
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    let mut wrong = Vec::new();
    for text in &sent {
        let lines: Vec<Line> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {text}"))
            .load(&mut conn)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        let plan: Vec<&str> = lines.iter().map(|line| line.detail.as_str()).collect();
        let is_little = plan.iter().any(|line| LITTLE.iter().any(|index| line.contains(index)));
        let names_rows =
            text.contains("`id` IN (") || text.contains("`execution_id` IN (") || text.contains("`id` = ?");
        for line in &plan {
            let scans =
                line.starts_with("SCAN") && GROWING.iter().any(|table| line.split(' ').nth(1) == Some(table));
            // In the order of an index, and no further than the page is long.
            let is_page = line.contains("USING") && text.contains("LIMIT") && !text.contains("count(");
            let sorts = line.contains("USE TEMP B-TREE") && !names_rows;
            // What no index is narrowed by may be passed over only between two places.
            let is_walked =
                line.split(' ').nth(1) == Some("executions") && !text.contains("`started_at` >= ?");
            let passes_over = is_walked
                && !names_rows
                && ["flow_id", "status", "source", "user_id"].iter().any(|column| {
                    text.contains(&format!("`executions`.`{column}` = ?"))
                        && !line.contains(&format!("{column}=?"))
                });
            let is_search = searches_without_ends(text) || walks_tags_without_end(text, &plan.join(" "));
            if ((scans && !is_page) || sorts || passes_over || is_search || joins_what_it_leaves_out(text))
                && !is_little
            {
                wrong.push(format!("{text}\n    {}", plan.join("\n    ")));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n\n{}", wrong.len(), sent.len(), wrong.join("\n\n"));
}

#[derive(QueryableByName)]
struct Plan {
    #[diesel(sql_type = diesel::sql_types::Text)]
    #[diesel(column_name = "QUERY PLAN")]
    line: String,
}

/// How many values a statement binds.
fn binds(text: &str) -> usize {
    let number = |after: &str| after.split(|next: char| !next.is_ascii_digit()).next()?.parse().ok();
    text.split('$').skip(1).filter_map(number).max().unwrap_or(0)
}

#[test]
fn postgres_reads_a_bounded_part_of_what_grows() {
    let Some(database) = testing::test_database() else { return };
    listen();
    let store = PostgresStore::open(&database.url().parse().unwrap()).unwrap();
    let sent = collect(&store, 6_000);
    assert!(sent.len() > 100, "only {} statements were seen", sent.len());
    let mut conn = PgConnection::establish(database.url()).unwrap();
    conn.batch_execute("ANALYZE").unwrap();
    // As the store's own connections are set, and planned without knowing the values.
    conn.batch_execute(flowtrail_store_diesel::POSTGRES_SESSION).unwrap();
    conn.batch_execute("SET plan_cache_mode = force_generic_plan").unwrap();
    let mut wrong = Vec::new();
    for (number, text) in sent.iter().enumerate() {
        let last = binds(text);
        let nulls = vec!["NULL"; last].join(", ");
        let call = if last == 0 { format!("s{number}") } else { format!("s{number}({nulls})") };
        conn.batch_execute(&format!("PREPARE s{number} AS {text}"))
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        let plan: Vec<Plan> = diesel::sql_query(format!("EXPLAIN EXECUTE {call}"))
            .load(&mut conn)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        conn.batch_execute(&format!("DEALLOCATE s{number}")).unwrap();
        let whole = plan.iter().map(|line| line.line.as_str()).collect::<Vec<_>>().join("\n    ");
        let is_little = LITTLE.iter().any(|index| whole.contains(index));
        let names_rows = whole.contains("id = ANY");
        let scans = GROWING.iter().any(|table| {
            plan.iter().any(|line| {
                let line = line.line.trim_start_matches([' ', '-', '>']);
                line.starts_with(&format!("Seq Scan on {table} ")) || line == format!("Seq Scan on {table}")
            })
        });
        let sorts = plan.iter().any(|line| line.line.contains("Sort  (")) && !names_rows && !is_little;
        let passes_over = !text.contains(r#""started_at" >= $"#)
            && !names_rows
            && plan.iter().any(|line| {
                line.line.trim_start().starts_with("Filter:")
                    && ["flow_id = $", "status = $", "source = $", "user_id = $"]
                        .iter()
                        .any(|filter| line.line.contains(filter))
            });
        let is_search = searches_without_ends(text) || walks_tags_without_end(text, &whole);
        if scans || sorts || is_search || joins_what_it_leaves_out(text) || (passes_over && !is_little) {
            wrong.push(format!("{text}\n    {whole}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n\n{}", wrong.len(), sent.len(), wrong.join("\n\n"));
}
