//! Damaged databases: a row affects only itself, what is broken is told, and what can be read is written to a new database.

mod support;

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use flowtrail_store::{Damage, Store, StoreError};
use flowtrail_store_diesel::{
    DatabaseUrl, Finding, PostgresStore, Salvaged, Schema, SqliteStore, check_database, salvage_database,
    testing,
};
use flowtrail_types::{
    Cursor, ExecutionFilter, ExecutionId, ExecutionQuery, Place, Position, SortDirection, StatsScope,
    Visibility,
};
use support::{execution_id, fill, flow_id, record};

const PAGE: u64 = 4096;
const COUNT: u64 = 3_000;

/// A database that nobody has open, with some packed executions and its log in the file.
fn database(folder: &Path) -> DatabaseUrl {
    let url = DatabaseUrl::Sqlite(folder.join("flowtrail.db"));
    let store = SqliteStore::open(&url).unwrap();
    // It adds some that are pending.
    fill(&store, COUNT - 20);
    store.executions().pack(support::T0 + time::Duration::hours(4), 1_000_000).unwrap();
    drop(store);
    change(&url, "PRAGMA wal_checkpoint(TRUNCATE)");
    url
}

fn change(url: &DatabaseUrl, statements: &str) {
    let path = url.path().unwrap().to_str().unwrap().to_owned();
    SqliteConnection::establish(&path).unwrap().batch_execute(statements).unwrap();
}

fn findings(url: &DatabaseUrl) -> Vec<Finding> {
    let mut findings = Vec::new();
    match check_database(url, &mut |finding| findings.push(finding), &|_| {}) {
        Ok(_) => {}
        Err(error @ StoreError::Damaged { .. }) => findings.push(Finding::File(error.to_string())),
        Err(error) => panic!("{error}"),
    }
    findings
}

/// Every execution that is listed, page by page.
fn listed(store: &dyn Store) -> (Vec<ExecutionId>, Vec<Damage>) {
    let (mut ids, mut damaged) = (Vec::new(), Vec::new());
    let mut query = ExecutionQuery::newest(ExecutionFilter::default(), 100);
    query.visibility = Visibility::All;
    loop {
        let found = store.executions().list(&query).unwrap();
        damaged.extend(found.damaged);
        let last = found.items.last().map(|last| Place { started_at: last.started_at, id: last.id });
        let is_full = found.items.len() == query.limit as usize;
        ids.extend(found.items.iter().map(|item| item.id));
        let Some(place) = found.searched_to.or(last.filter(|_| is_full)) else { return (ids, damaged) };
        let position = Position::Start(place);
        let filter = query.filter.fingerprint(query.sort, SortDirection::default());
        query.after = Some(Cursor { position, filter });
    }
}

#[test]
fn a_damaged_row_affects_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path());
    assert_eq!(findings(&url), []);
    let hex = |number: u64| execution_id(number).as_uuid().simple().to_string();
    change(
        &url,
        &format!(
            "UPDATE executions SET source = 'nowhere' WHERE id IN (x'{}', x'{}');
             UPDATE execution_payloads SET packed = x'0102' WHERE execution_id = x'{}';
             DELETE FROM execution_payloads WHERE execution_id = x'{}';
             UPDATE flows SET capture = 'all' WHERE 0;
             UPDATE flow_versions SET definition = 'nothing' WHERE flow_id = x'{}';",
            hex(2_999),
            hex(1_500),
            hex(3),
            hex(4),
            flow_id(7).as_uuid().simple(),
        ),
    );
    let store = SqliteStore::open(&url).unwrap();
    let (ids, damaged) = listed(&store);
    assert_eq!(ids.len() as u64, COUNT - 2, "the lists have all others, also behind a full page");
    let of = |number| Damage { table: "executions", column: "source", id: execution_id(number).to_string() };
    assert!(damaged.contains(&of(2_999)) && damaged.contains(&of(1_500)), "{damaged:?}");
    let flows = store.flows().list_all().unwrap();
    assert_eq!(flows.len(), 39);
    let damage = |number| store.executions().lookup(execution_id(number)).unwrap_err().damage().unwrap();
    assert_eq!((damage(3).table, damage(3).column), ("execution_payloads", "packed"));
    assert_eq!((damage(4).table, damage(4).column), ("execution_payloads", "execution_id"));
    assert_eq!(store.executions().lookup(execution_id(5)).unwrap().unwrap().summary.id, execution_id(5));
    // Writing goes on beside them.
    store.executions().commit(&[record(COUNT + 5)]).unwrap().remove(0).unwrap();
    drop(store);

    let rows: Vec<(String, String)> = findings(&url)
        .into_iter()
        .map(|finding| match finding {
            Finding::Row { damage, .. } => (damage.table.to_owned(), damage.id),
            Finding::File(said) => panic!("{said}"),
        })
        .collect();
    let expected = [
        ("flow_versions", flow_id(7).to_string()),
        ("execution_payloads", execution_id(3).to_string()),
        ("execution_payloads", execution_id(4).to_string()),
        ("executions", execution_id(1_500).to_string()),
        ("executions", execution_id(2_999).to_string()),
    ];
    assert_eq!(rows, expected.map(|(table, id)| (table.to_owned(), id)));
}

/// Overwrites a part of a file with noise.
fn overwrite(path: &Path, at: u64, length: usize) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    let noise: Vec<u8> = (0..length).map(|index| (index * 131 % 251) as u8).collect();
    file.write_all(&noise).unwrap();
}

/// Salvages a copy of a database that was damaged, and looks at what came out.
fn salvaged(
    folder: &Path,
    from: &DatabaseUrl,
    damage: impl FnOnce(&Path),
) -> (Salvaged, SqliteStore, PathBuf) {
    let name = format!("damaged-{}", std::fs::read_dir(folder).unwrap().count());
    let damaged = folder.join(format!("{name}.db"));
    std::fs::copy(from.path().unwrap(), &damaged).unwrap();
    damage(&damaged);
    let before = whole(&damaged);
    let url = DatabaseUrl::Sqlite(damaged.clone());
    let to = folder.join(format!("{name}-salvaged.db"));
    let salvaged = salvage_database(&url, &to, &|_, _| {}).unwrap();
    assert!(whole(&damaged) == before, "the damaged one stays as it is");
    let new = DatabaseUrl::Sqlite(to);
    assert_eq!(findings(&new), [], "what was written is sound");
    let store = SqliteStore::open(&new).unwrap();
    (salvaged, store, damaged)
}

fn whole(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_can_be_read_of_a_damaged_file_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path());
    let size = std::fs::metadata(url.path().unwrap()).unwrap().len();

    // Without damage all of it, and the statistics with it.
    let (told, store, _) = salvaged(folder.path(), &url, |_| {});
    assert_eq!(listed(&store).0.len() as u64, COUNT);
    assert!(told.tables.iter().all(|table| table.gaps == 0), "{told:?}");
    let original = SqliteStore::open(&url).unwrap();
    for number in [1, 700, 2_999] {
        let of = |store: &SqliteStore| store.executions().lookup(execution_id(number)).unwrap();
        assert_eq!(of(&store), of(&original));
    }
    let counts = |store: &SqliteStore| store.executions().status_counts(&StatsScope::All).unwrap();
    assert_eq!(counts(&store), counts(&original));
    drop(original);

    // The beginning of the file, without which SQLite takes it for none.
    for length in [16, 100, 4096] {
        let (_, store, damaged) = salvaged(folder.path(), &url, |path| overwrite(path, 0, length));
        assert_eq!(listed(&store).0.len() as u64, COUNT, "{length} bytes");
        let error = SqliteStore::open(&DatabaseUrl::Sqlite(damaged)).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }

    // Some page or other: of a table, of an index, in the middle of a tree. Few executions are lost.
    let pages = size / PAGE;
    for step in 1..12 {
        let page = 30 + step * (pages - 31) / 12;
        let damage = |path: &Path| overwrite(path, page * PAGE, 4096);
        let (told, store, damaged) = salvaged(folder.path(), &url, damage);
        let left = listed(&store).0.len() as u64;
        assert!(left > COUNT * 3 / 4, "page {page} of {pages}: {left} executions are left, {told:?}");
        assert!(!findings(&DatabaseUrl::Sqlite(damaged)).is_empty(), "page {page}");
        // It can be written to.
        store.executions().commit(&[record(COUNT + 5)]).unwrap().remove(0).unwrap();
        assert_eq!(counts(&store).total(), left + 1);
    }

    // Several at once, and a file that ends in the middle.
    let many = |path: &Path| (1..8).for_each(|step| overwrite(path, (40 + step * pages / 9) * PAGE, 4096));
    let (told, store, _) = salvaged(folder.path(), &url, many);
    assert!(listed(&store).0.len() as u64 > COUNT / 4, "{told:?}");
    let cut = |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(size * 3 / 5).unwrap();
    let (told, store, _) = salvaged(folder.path(), &url, cut);
    assert!(!listed(&store).0.is_empty(), "{told:?}");
}

/// Damage may stop an upgrade, so it is met in databases of every version.
#[test]
fn a_damaged_database_of_an_earlier_version_is_saved_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (number, steps) in [1, 6, 11].into_iter().enumerate() {
        let place = folder.path().join(number.to_string());
        std::fs::create_dir(&place).unwrap();
        let url = database(&place);
        Schema::open_existing(&url).unwrap().down(steps).unwrap();
        change(&url, "PRAGMA wal_checkpoint(TRUNCATE)");
        overwrite(url.path().unwrap(), 0, 100);
        let to = place.join("saved.db");
        let told = salvage_database(&url, &to, &|_, _| {}).unwrap();
        assert!(told.tables.iter().all(|table| table.gaps == 0), "{steps}: {told:?}");
        let store = SqliteStore::open(&DatabaseUrl::Sqlite(to)).unwrap();
        assert_eq!(listed(&store).0.len() as u64, COUNT, "{steps} versions before");
    }
}

#[test]
fn what_is_not_there_is_not_taken_for_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("none.db"));
    let to = folder.path().join("to.db");
    for error in [
        check_database(&url, &mut |_| {}, &|_| {}).map(drop).unwrap_err(),
        salvage_database(&url, &to, &|_, _| {}).map(drop).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("there is no database at"), "{error}");
    }
    // A letter is damaged beyond help, and nothing is left behind.
    std::fs::write(url.path().unwrap(), "This is a letter. ".repeat(1_000)).unwrap();
    let error = salvage_database(&url, &to, &|_, _| {}).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    std::fs::write(&to, "taken").unwrap();
    let error = salvage_database(&url, &to, &|_, _| {}).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn damaged_rows_of_postgres_are_told() {
    let Some(database) = testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    let store = PostgresStore::open(&url).unwrap();
    fill(&store, 100);
    assert_eq!(findings(&url), []);
    let mut conn = diesel::PgConnection::establish(database.url()).unwrap();
    let id = execution_id(42);
    conn.batch_execute(&format!("UPDATE executions SET source = 'nowhere' WHERE id = '{}'", id.as_uuid()))
        .unwrap();
    let (ids, damaged) = listed(&store);
    let damage = Damage { table: "executions", column: "source", id: id.to_string() };
    assert_eq!((ids.len(), &damaged[..]), (119, std::slice::from_ref(&damage)));
    let [Finding::Row { damage: found, .. }] = &findings(&url)[..] else { panic!("{:?}", findings(&url)) };
    assert_eq!(*found, damage);
}
