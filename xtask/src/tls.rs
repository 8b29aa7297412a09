//! `cargo xtask tls`: builds the binary with TLS to PostgreSQL, and tries the recipe of `docs/operations.md` against a
//! server with a certificate of its own.

use std::path::Path;
use std::process::{Command, Output};

use crate::command::{cargo, program, root};
use crate::testing::PostgresServer;

pub(crate) fn run() -> Result<(), String> {
    // It knows no `--version`.
    if openssl(&["version"]).is_err() {
        return Err("the program openssl is needed: apt-get install openssl libssl-dev pkg-config".to_owned());
    }
    cargo(&["build", "--package", "flowtrail", "--features", "postgres-tls"])?;
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    certificates(folder.path())?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let server = PostgresServer::builder()
        .setting("ssl", "on")
        .setting("ssl_cert_file", &file("server.crt"))
        .setting("ssl_key_file", &file("server.key"))
        .start()
        .map_err(|error| format!("the server with a certificate: {error}"))?;
    let database = server.create_database().map_err(|error| error.to_string())?;
    let address = |options: &str| format!("{}?{options}", database.url());

    let good = address(&format!("sslmode=verify-full&sslrootcert={}", file("ca.crt")));
    expect(&flowtrail(&good, &["migrate", "up"])?, true, "a certificate that is known")?;
    expect(&flowtrail(&good, &["migrate", "status"])?, true, "the same again")?;
    let stranger = address(&format!("sslmode=verify-full&sslrootcert={}", file("other.crt")));
    let refused = flowtrail(&stranger, &["migrate", "status"])?;
    expect(&refused, false, "a certificate that nobody vouches for")?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    if !said.contains("certificate verify failed") {
        return Err(format!("the refusal does not say why: {said}"));
    }
    let unnamed = address(&format!("sslmode=verify-full&sslrootcert={}", file("missing.crt")));
    expect(&flowtrail(&unnamed, &["migrate", "status"])?, false, "a file of certificates that is not there")?;
    println!("TLS to PostgreSQL: connects by a known certificate, and refuses two others");
    Ok(())
}

/// An authority, a certificate of it for this machine, and an authority that has nothing to do with it.
fn certificates(folder: &Path) -> Result<(), String> {
    let file = |name: &str| folder.join(name).display().to_string();
    for name in ["ca", "other"] {
        let (key, certificate, subject) = (
            file(&format!("{name}.key")),
            file(&format!("{name}.crt")),
            format!("/CN=flowtrail-test-{name}"),
        );
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ])?;
    }
    let (key, request, extensions) = (file("server.key"), file("server.csr"), file("server.ext"));
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        &key,
        "-out",
        &request,
    ])?;
    std::fs::write(&extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        .map_err(|error| error.to_string())?;
    openssl(&[
        "x509",
        "-req",
        "-in",
        &request,
        "-CA",
        &file("ca.crt"),
        "-CAkey",
        &file("ca.key"),
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        &extensions,
        "-out",
        &file("server.crt"),
    ])?;
    // The server reads its key as the user that it runs as, and takes no key that others may read.
    program("chmod", &["0755", &folder.display().to_string()], &[])?;
    program("chmod", &["0600", &key], &[])?;
    let is_root =
        Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root { program("chown", &["postgres:", &key], &[]) } else { Ok(()) }
}

fn openssl(arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new("openssl").args(arguments).output().map_err(|error| format!("openssl: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

fn flowtrail(address: &str, arguments: &[&str]) -> Result<Output, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    Command::new(target.join("debug").join("flowtrail"))
        .args(arguments)
        .env("DATABASE_URL", address)
        .output()
        .map_err(|error| format!("the binary: {error}"))
}

fn expect(output: &Output, succeeds: bool, what: &str) -> Result<(), String> {
    if output.status.success() == succeeds {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{what}: expected {}, got {}: {said}",
        if succeeds { "success" } else { "refusal" },
        output.status
    ))
}
