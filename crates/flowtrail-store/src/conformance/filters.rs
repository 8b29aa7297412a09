//! What a store must do with the filters of lists, alone and together, in either order.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Cursor, DurationRange, ErrorInfo, ErrorKind, ExecutionFilter, ExecutionId, ExecutionQuery,
    ExecutionStatus, ExecutionSummary, Place, Position, Rank, SortKey, Source, UserId, Visibility,
};
use time::Duration;
use uuid::Uuid;

use super::build::{OWNER, apply, at, end, execution_id, flow_id, start, start_command};
use crate::{Command, Counted, Found, NewExecution, NewPrune, Store};

const STRANGER: UserId = UserId::from_uuid(Uuid::from_u128(0xB));

/// An execution as it was recorded: how it began, and how it ended after how many microseconds.
struct Given {
    begun: NewExecution,
    ended: Option<(ExecutionStatus, i64)>,
}

impl Given {
    fn command(&self) -> Command {
        let begun = self.begun.clone();
        let Some((status, took_us)) = self.ended else { return Command::Start(Box::new(begun)) };
        let outcome = match status {
            ExecutionStatus::Error => {
                Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "No such Order\nin the second line"))
            }
            _ => Outcome::Fulfilled,
        };
        let mut over = end(Told::Reported, outcome);
        over.ended_at = begun.started_at + Duration::microseconds(took_us);
        Command::record(begun, Vec::new(), over).expect("it is packed").expect("it is sound")
    }
}

/// Executions that differ in all that can be asked for; two begin at each moment.
fn history(store: &dyn Store) -> Vec<Given> {
    let given: Vec<Given> = (1..=48u64)
        .map(|number| {
            let pick = |among: u64| usize::try_from(number % among).unwrap();
            let mut begun = start(number);
            begun.started_at = at(i64::try_from(number / 2).unwrap());
            begun.recorded_at = begun.started_at;
            begun.flow_id = flow_id([1, 2, 3][pick(3)]);
            begun.flow_name = ["Order summary", "Größe 100%", "a_b\\c"][pick(3)].to_owned();
            begun.flow_tool_name = None;
            begun.user_id = Some(if number % 4 == 0 { STRANGER } else { OWNER });
            begun.source = [Source::Mcp, Source::Api][pick(2)];
            begun.preview = Some(format!("number {number}"));
            begun.tags = [("shop".to_owned(), ["north", "south"][pick(2)].to_owned())].into();
            if number % 7 == 0 {
                begun.tags.insert("odd".to_owned(), "a:b'%\u{0}".to_owned());
            }
            let took_us = [0, 999, 40_000, 40_999, 41_000, 7_000_000][pick(6)];
            let ended = match number % 5 {
                0 => None,
                1 => Some((ExecutionStatus::Error, took_us)),
                _ => Some((ExecutionStatus::Fulfilled, took_us)),
            };
            Given { begun, ended }
        })
        .collect();
    let commands: Vec<Command> = given.iter().map(Given::command).collect();
    for outcome in store.executions().commit(&commands).unwrap() {
        outcome.unwrap();
    }
    given
}

fn all(filter: ExecutionFilter) -> ExecutionQuery {
    ExecutionQuery::newest(filter, 1_000)
}

#[track_caller]
fn list(store: &dyn Store, query: &ExecutionQuery) -> Found {
    store.executions().list(query).unwrap()
}

fn ids(items: &[ExecutionSummary]) -> Vec<ExecutionId> {
    items.iter().map(|item| item.id).collect()
}

fn numbers(numbers: impl IntoIterator<Item = u64>) -> Vec<ExecutionId> {
    numbers.into_iter().map(execution_id).collect()
}

/// Whatever is found by a filter, and how many it says that there are.
#[track_caller]
fn find(store: &dyn Store, filter: ExecutionFilter) -> Vec<ExecutionId> {
    let query = all(filter);
    let found = list(store, &query);
    let counted = store.executions().count(&query, 1_000).unwrap();
    assert_eq!(counted, Counted { count: found.items.len() as u64, is_exact: true });
    ids(&found.items)
}

/// Where an item stands, as a cursor of its list carries it.
fn cursor(item: &ExecutionSummary, query: &ExecutionQuery) -> Cursor {
    let position = match query.sort {
        SortKey::StartedAt => Position::Start(Place { started_at: item.started_at, id: item.id }),
        SortKey::Duration => {
            let rank = Rank { duration_us: item.duration_us(), id: item.id };
            Position::Duration { rank, as_of: query.as_of.unwrap_or(item.started_at) }
        }
    };
    Cursor { position, filter: 0 }
}

/// What a list has, read by its cursor and page by page.
fn read_in_parts(store: &dyn Store, query: &ExecutionQuery, limit: u32) -> [Vec<ExecutionId>; 2] {
    let (mut by_cursor, mut by_page) = (Vec::new(), Vec::new());
    let mut part = ExecutionQuery { limit, ..query.clone() };
    loop {
        let items = list(store, &part).items;
        let Some(last) = items.last() else { break };
        part.after = Some(cursor(last, query));
        by_cursor.extend(ids(&items));
    }
    part.after = None;
    loop {
        let items = list(store, &part).items;
        if items.is_empty() {
            return [by_cursor, by_page];
        }
        by_page.extend(ids(&items));
        part.offset += u64::from(limit);
    }
}

/// What a filter of the test below wants, and what that means.
type Condition = (fn(&mut ExecutionFilter), fn(&Given) -> bool);

const CONDITIONS: [Condition; 8] = [
    (|filter| filter.flow = Some(flow_id(2)), |given| given.begun.flow_id == flow_id(2)),
    (
        |filter| filter.status = Some(ExecutionStatus::Fulfilled),
        |given| given.ended.is_some_and(|(status, _)| status == ExecutionStatus::Fulfilled),
    ),
    (|filter| filter.source = Some(Source::Api), |given| given.begun.source == Source::Api),
    (|filter| filter.user = Some(OWNER), |given| given.begun.user_id == Some(OWNER)),
    (
        |filter| (filter.from, filter.to) = (Some(at(3)), Some(at(22))),
        |given| given.begun.started_at >= at(3) && given.begun.started_at < at(22),
    ),
    (
        |filter| filter.duration = DurationRange::of_millis(Some(40), Some(41)),
        |given| given.ended.is_some_and(|(_, took_us)| (40_000..42_000).contains(&took_us)),
    ),
    (
        |filter| filter.tag = Some("shop:south".parse().unwrap()),
        |given| given.begun.tags.get("shop").is_some_and(|value| value == "south"),
    ),
    (
        |filter| filter.text = Some("ORDER".parse().unwrap()),
        |given| {
            let is_failed = given.ended.is_some_and(|(status, _)| status == ExecutionStatus::Error);
            is_failed || given.begun.flow_name == "Order summary"
        },
    ),
];

/// Every filter with every other, in either order, for whoever may see all or a part, with and without an anchor: found is
/// what is wanted and nothing else, and the pages are those of one list.
pub fn filters_choose_together_in_either_order(store: &dyn Store) {
    let given = history(store);
    let limited =
        Visibility::Limited { flows: vec![flow_id(1), flow_id(9)], user: STRANGER, own_in: vec![flow_id(2)] };
    for bits in 0..1u32 << 11 {
        let has = |bit: usize| bits & (1 << bit) != 0;
        let mut query = all(ExecutionFilter::default());
        for (bit, (want, _)) in CONDITIONS.iter().enumerate() {
            if has(bit) {
                want(&mut query.filter);
            }
        }
        query.visibility = if has(8) { limited.clone() } else { Visibility::All };
        query.sort = if has(9) { SortKey::Duration } else { SortKey::StartedAt };
        query.as_of = has(10).then_some(at(15));
        let is_seen = |given: &&Given| {
            let begun = &given.begun;
            let is_own = begun.flow_id == flow_id(2) && begun.user_id == Some(STRANGER);
            (!has(8) || begun.flow_id == flow_id(1) || is_own) && (!has(10) || begun.recorded_at <= at(15))
        };
        let is_wanted =
            |given: &&Given| CONDITIONS.iter().enumerate().all(|(bit, (_, is))| !has(bit) || is(given));
        let mut expected: Vec<&Given> = given.iter().filter(is_seen).filter(is_wanted).rev().collect();
        if has(9) {
            let rank = |given: &&Given| (given.ended.map(|(_, took_us)| took_us), given.begun.id);
            expected.sort_by_key(|given| std::cmp::Reverse(rank(given)));
        }
        let expected: Vec<ExecutionId> = expected.iter().map(|given| given.begun.id).collect();
        let found = list(store, &query);
        assert_eq!(ids(&found.items), expected, "{query:?}");
        assert_eq!(found.searched_to, None, "{query:?}");
        let whole = Counted { count: expected.len() as u64, is_exact: true };
        assert_eq!(store.executions().count(&query, 1_000).unwrap(), whole, "{query:?}");
        assert_eq!(found.sorted, has(9).then_some(whole), "{query:?}");
        if bits.count_ones() <= 2 {
            assert_eq!(read_in_parts(store, &query, 7), [expected.clone(), expected], "{query:?}");
        }
    }
}

/// What is shown with a duration is found by this duration; what is pending by none.
pub fn durations_choose_as_they_are_shown(store: &dyn Store) {
    let given = history(store);
    let of = |min, max| ExecutionFilter {
        duration: DurationRange::of_millis(min, max),
        ..ExecutionFilter::default()
    };
    let mut seen = 0;
    for item in list(store, &all(ExecutionFilter::default())).items {
        let Some(shown) = item.duration_ms else { continue };
        let shown = u64::try_from(shown).unwrap();
        seen += 1;
        assert!(find(store, of(Some(shown), Some(shown))).contains(&item.id), "{item:?}");
        assert!(!find(store, of(Some(shown + 1), None)).contains(&item.id), "{item:?}");
        assert!(shown == 0 || !find(store, of(None, Some(shown - 1))).contains(&item.id), "{item:?}");
    }
    let ended = given.iter().filter(|given| given.ended.is_some()).count();
    assert_eq!((seen, find(store, of(Some(0), None)).len()), (ended, ended));
    assert_eq!(find(store, of(Some(u64::MAX), None)), []);
    assert_eq!(find(store, of(None, Some(u64::MAX))).len(), ended);
}

/// A tag is found by key and value together, whatever characters they have, and is gone with its execution.
pub fn tags_choose(store: &dyn Store) {
    history(store);
    let of = |tag: &str| ExecutionFilter { tag: Some(tag.parse().unwrap()), ..ExecutionFilter::default() };
    assert_eq!(find(store, of("odd:a:b'%\u{0}")), numbers((1..=6).rev().map(|number| number * 7)));
    for nothing in ["odd:a", "odd:a:b'%", "odd:", "shop:nort_", "shop:North", "Shop:north", "north:shop"] {
        assert_eq!(find(store, of(nothing)), [], "{nothing}");
    }
    assert_eq!(find(store, of("shop:north")).len(), 24);
    assert_eq!(store.executions().delete(&numbers([46, 48])).unwrap().len(), 2);
    assert_eq!(find(store, of("shop:north")).len(), 22);
    // A prune takes away what has ended: of the flow's 8 executions with the tag 10 and 40 are pending.
    let pruned = NewPrune::of_flow(flow_id(2), None);
    assert!(store.executions().begin_prune(&pruned).unwrap() > 0);
    let left: Vec<ExecutionId> = find(store, of("shop:north"));
    let stays = |number: &u64| number % 3 != 1 || number.is_multiple_of(5);
    let expected: Vec<u64> = (1..=22).map(|number| number * 2).rev().filter(stays).collect();
    assert_eq!(left, numbers(expected));
}

/// A text is looked for in all that lists show, in either case as far as it is ASCII, and has no wildcards.
pub fn texts_choose(store: &dyn Store) {
    let mut odd = start(100);
    odd.flow_name = "Plain".to_owned();
    odd.flow_tool_name = Some("Send_Mail".to_owned());
    odd.preview = Some("50% \\ \"off\" _ a\u{0}B É".to_owned());
    apply(store, Command::Start(Box::new(odd))).unwrap();
    let mut other = start(101);
    other.flow_name = "Other".to_owned();
    other.flow_tool_name = None;
    other.preview = None;
    let failed = Given { begun: other, ended: Some((ExecutionStatus::Error, 5)) };
    apply(store, failed.command()).unwrap();
    let of = |text: &str| ExecutionFilter { text: Some(text.parse().unwrap()), ..ExecutionFilter::default() };
    for text in ["plain", "LAI", "send_mail", "50%", "% \\", "\"OFF\"", " _ ", "a\u{0}b", "\u{0}", "É", "\\"]
    {
        assert_eq!(find(store, of(text)), numbers([100]), "{text:?}");
    }
    for text in ["other", "no SUCH order", "such"] {
        assert_eq!(find(store, of(text)), numbers([101]), "{text:?}");
    }
    for text in ["sendxmail", "5%f", "p%n", "é", "second line", "é\u{0}", "\u{1a}", "null", "north"] {
        assert_eq!(find(store, of(text)), [], "{text:?}");
    }
    assert_eq!(find(store, of("O")), numbers([101, 100]));
}

/// The beginning of an execution's id is looked for as well, from 8 digits on.
pub fn ids_are_found_by_their_beginning(store: &dyn Store) {
    for number in [1, 2, 0x7_0000] {
        apply(store, start_command(number)).unwrap();
    }
    let of = |text: &str| ExecutionFilter { text: Some(text.parse().unwrap()), ..ExecutionFilter::default() };
    let whole = execution_id(1).to_string();
    for length in [8, 9, 10, 13, 14, 18, 19, 24, 35] {
        let found = find(store, of(&whole[..length]));
        // The first 12 digits are the time in milliseconds.
        let alike = if length < 12 { &[2, 1][..] } else { &[1] };
        assert_eq!(found, numbers(alike.iter().copied()), "{}", &whole[..length]);
        assert_eq!(find(store, of(&whole[..length].to_uppercase())), found);
        assert_eq!(find(store, of(&whole[..length].replace('-', ""))), found);
    }
    assert_eq!(find(store, of(&whole[..7])), []);
    assert_eq!(find(store, of("ffffffff")), []);
}

/// The whole id of an execution gives this one alone, that of a flow its executions, and any other is a text, also when what
/// it names may not be seen or is not found by the other filters.
pub fn a_whole_id_names_an_execution_or_a_flow(store: &dyn Store) {
    history(store);
    let id = execution_id(30);
    let mut mentioned = start(200);
    mentioned.preview = Some(id.to_string());
    mentioned.started_at = at(500);
    mentioned.recorded_at = at(500);
    mentioned.flow_id = flow_id(3);
    apply(store, Command::Start(Box::new(mentioned))).unwrap();
    let of =
        |text: String| ExecutionFilter { text: Some(text.parse().unwrap()), ..ExecutionFilter::default() };
    let named = of(id.to_string());
    assert_eq!(find(store, named.clone()), [id]);
    assert_eq!(find(store, of(id.as_uuid().simple().to_string())), [id]);
    assert_eq!(find(store, ExecutionFilter { flow: Some(flow_id(1)), ..named.clone() }), [id]);
    assert_eq!(
        find(store, ExecutionFilter { tag: Some("shop:north".parse().unwrap()), ..named.clone() }),
        [id]
    );
    // Not found by the rest of the question, it is a text that another execution has.
    let others = [
        ExecutionFilter { flow: Some(flow_id(3)), ..named.clone() },
        ExecutionFilter { from: Some(at(100)), ..named.clone() },
    ];
    for filter in others {
        assert_eq!(find(store, filter), numbers([200]));
    }
    assert_eq!(
        find(store, ExecutionFilter { tag: Some("shop:south".parse().unwrap()), ..named.clone() }),
        []
    );
    let limited = Visibility::Limited { flows: vec![flow_id(3)], user: STRANGER, own_in: vec![flow_id(1)] };
    let seen = |filter: ExecutionFilter| {
        let query = ExecutionQuery { visibility: limited.clone(), ..all(filter) };
        let found = list(store, &query).items;
        assert_eq!(store.executions().count(&query, 100).unwrap().count, found.len() as u64);
        ids(&found)
    };
    assert_eq!(
        seen(named.clone()),
        numbers([200]),
        "somebody else's execution of a flow that is seen in part"
    );
    let early = ExecutionQuery { as_of: Some(at(10)), ..all(named.clone()) };
    assert_eq!(list(store, &early).items, [], "it was recorded later");

    let of_flow = |number: u64| numbers((1..=48).rev().filter(|other| other % 3 == number - 1));
    assert_eq!(find(store, of(flow_id(2).to_string())), of_flow(2));
    assert_eq!(find(store, ExecutionFilter { flow: Some(flow_id(1)), ..of(flow_id(2).to_string()) }), []);
    assert_eq!(seen(of(flow_id(2).to_string())), [], "a flow that is not seen");
    let own: Vec<ExecutionId> = seen(of(flow_id(1).to_string()));
    assert_eq!(own, numbers([48, 36, 24, 12]), "what is their own of it");
    for sort in [SortKey::StartedAt, SortKey::Duration] {
        for filter in [named.clone(), of(flow_id(2).to_string())] {
            let query = ExecutionQuery { sort, ..all(filter) };
            let whole = ids(&list(store, &query).items);
            assert_eq!(read_in_parts(store, &query, 5), [whole.clone(), whole]);
        }
    }
}

/// Sorted by duration, with an anchor, pages neither skip nor repeat while longer and shorter ones arrive.
pub fn durations_sort_the_same_while_new_ones_arrive(store: &dyn Store) {
    let given = history(store);
    let anchor = store.executions().last_recorded_at().unwrap();
    for visibility in [
        Visibility::All,
        Visibility::Limited { flows: vec![flow_id(1), flow_id(2)], user: OWNER, own_in: vec![flow_id(3)] },
    ] {
        let query = ExecutionQuery {
            sort: SortKey::Duration,
            visibility,
            as_of: anchor,
            ..ExecutionQuery::newest(ExecutionFilter::default(), 1_000)
        };
        let expected = ids(&list(store, &query).items);
        let took = |id: &ExecutionId| {
            let given = given.iter().find(|given| given.begun.id == *id).unwrap();
            (given.ended.map(|(_, took_us)| took_us), *id)
        };
        assert!(expected.is_sorted_by_key(|id| std::cmp::Reverse(took(id))));
        let (mut by_cursor, mut by_page, mut after) = (Vec::new(), Vec::new(), None);
        for round in 0.. {
            let base = if matches!(query.visibility, Visibility::All) { 1_000 } else { 2_000 };
            let mut begun = start(base + round);
            begun.started_at = at(i64::try_from(round).unwrap() * 3);
            begun.recorded_at = at(1_000);
            let late = Given {
                begun,
                ended: Some((ExecutionStatus::Fulfilled, 1_000 * i64::try_from(round).unwrap())),
            };
            apply(store, late.command()).unwrap();
            let page = list(store, &ExecutionQuery { limit: 5, offset: round * 5, ..query.clone() }).items;
            by_page.extend(ids(&page));
            let next = list(store, &ExecutionQuery { limit: 5, after, ..query.clone() }).items;
            let Some(last) = next.last() else { break };
            after = Some(cursor(last, &query));
            by_cursor.extend(ids(&next));
        }
        assert_eq!([by_cursor, by_page], [expected.clone(), expected]);
    }
}
