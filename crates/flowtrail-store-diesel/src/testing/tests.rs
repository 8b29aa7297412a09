//! The server, started and ended in every way. Where no PostgreSQL is installed, these tests say so.

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::programs::{Psql, run, server_folder};
use super::{PostgresError, PostgresServer, test_database, test_server};

/// Makes the test of this name, run as a process of its own, start a server and say where it is.
const PLAY_VICTIM: &str = "FLOWTRAIL_TEST_POSTGRES_PLAY_VICTIM";

#[track_caller]
fn query(url: &str, sql: &str) -> String {
    Psql::find().and_then(|psql| psql.query(url, sql)).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn server_process(server: &PostgresServer) -> String {
    let file = server.folder().join("data/postmaster.pid");
    let text = std::fs::read_to_string(file).expect("a server that runs has this file");
    text.lines().next().expect("its first line is the process").to_owned()
}

/// Whether a process is there and has not ended. One that has ended and that nobody has asked for has no command.
fn is_running(process: &str) -> bool {
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|command| !command.is_empty())
}

#[test]
fn a_database_is_empty_and_goes_away() {
    let Some(database) = test_database() else { return };
    let url = database.url().to_owned();
    assert_eq!(query(&url, "select 1"), "1");
    assert_eq!(query(&url, "select count(*) from pg_class where relnamespace = 'public'::regnamespace"), "0");
    drop(database);
    let refused = Psql::find().and_then(|psql| psql.query(&url, "select 1"));
    assert!(matches!(&refused, Err(PostgresError::Failed { said, .. }) if said.contains("does not exist")));
}

#[test]
fn settings_are_those_of_a_server_that_finds_faults() {
    let builder = PostgresServer::builder().setting("max_connections", "7");
    let Some(server) = test_server(builder.setting("cluster_name", "it's \\ odd")) else { return };
    for (setting, expected) in [
        ("max_connections", "7"),
        ("cluster_name", "it's \\ odd"),
        ("timezone", "Asia/Kolkata"),
        ("fsync", "off"),
        ("track_counts", "on"),
        ("autovacuum", "on"),
        ("server_encoding", "UTF8"),
    ] {
        assert_eq!(query(&server.url(), &format!("show {setting}")), expected, "{setting}");
    }
    let by_socket = format!("host={} port={} user=flowtrail", server.folder().display(), server.port());
    assert_eq!(query(&format!("{by_socket} dbname=postgres"), "select 1"), "1");
}

#[test]
fn what_is_committed_survives_a_stop_and_a_crash() {
    let Some(server) = test_server(PostgresServer::builder().durable(true)) else { return };
    let database = server.create_database().unwrap();
    query(database.url(), "create table kept (n int); insert into kept values (1)");
    let port = server.port();
    for (end, n) in [(PostgresServer::stop as fn(&_) -> _, 2), (PostgresServer::kill, 3)] {
        end(&server).unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
        end(&server).expect("a server that does not run may be ended");

        server.start_again().unwrap();
        let process = server_process(&server);
        server.start_again().expect("a server that runs may be started");
        assert_eq!(server_process(&server), process);
        query(database.url(), &format!("insert into kept values ({n})"));
    }
    assert_eq!(query(database.url(), "select n from kept order by n"), "1\n2\n3");
    assert_eq!(query(database.url(), "show fsync"), "on");
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let Some(server) = test_server(PostgresServer::builder()) else { return };
    server.stop().unwrap();
    std::fs::write(server.folder().join("server.conf"), "shared_buffers = many").unwrap();
    let error = server.start_again().unwrap_err().to_string();
    assert!(error.contains("postgres -D data"), "{error}");
    assert!(error.contains("invalid value for parameter \"shared_buffers\": \"many\""), "{error}");
}

#[test]
fn a_server_ends_with_its_value() {
    let Some(server) = test_server(PostgresServer::builder()) else { return };
    let (process, folder) = (server_process(&server), server.folder().to_owned());
    assert!(is_running(&process));
    drop(server);
    assert!(!is_running(&process));
    assert!(!folder.exists());
}

#[test]
fn a_server_ends_with_its_process() {
    if std::env::var_os(PLAY_VICTIM).is_some() {
        let Some(server) = test_server(PostgresServer::builder()) else { return };
        writeln!(stdout(), "victim {} {}", server_process(&server), server.folder().display()).unwrap();
        // Until it is killed: nobody writes to it.
        stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let name = std::thread::current().name().expect("the runner names threads").to_owned();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(PLAY_VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("victim ")?.1.to_owned()));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let Some((process, folder)) = said.as_deref().and_then(|said| said.split_once(' ')) else {
        assert!(server_folder().is_err(), "it has started no server");
        return;
    };

    // The end of the folder is the last that happens; this waits for it, in bounds.
    let mut wait = Command::new("/bin/sh");
    wait.args(["-c", "while [ -e \"$1\" ]; do sleep 0.1; done", "sh", folder]);
    run(wait, "waiting for the server's folder to go").unwrap_or_else(|error| panic!("{error}"));
    assert!(!is_running(process));
}
