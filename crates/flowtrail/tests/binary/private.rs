//! Files and folders belong to the user that runs Flowtrail, whatever the umask.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowtrail_testkit::TestProcess;

use super::binary;

/// Runs a command line of a shell whose umask takes nothing away.
fn open_handed(arguments: &str) -> [String; 2] {
    ["-c".to_owned(), format!("umask 000; exec {} {arguments}", binary().display())]
}

/// Everything below a folder that other users have any right on.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = std::fs::metadata(&path).unwrap();
        if about.mode() & 0o077 != 0 {
            open.push(path.clone());
        }
        if about.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

fn create_key(data_dir: &Path) -> Output {
    let mut command = Command::new(binary());
    command.arg("--data-dir").arg(data_dir).args(["key", "create", "other"]);
    command.env_remove("FLOWTRAIL_ADMIN_KEY").output().unwrap()
}

#[tokio::test]
async fn files_and_folders_are_private_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let [flag, line] = open_handed(&format!("serve --data-dir {}", data.display()));
    let server = TestProcess::start_as(Path::new("sh"), &[&flag, &line]);
    server.rest().get("/api/me").await.expect(200);
    assert!(data.join("flowtrail.db-instances").is_dir() && data.join("server.address").is_file());
    let open = open_to_others(folder.path());
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn what_earlier_versions_left_open_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let instances = folder.path().join("flowtrail.db-instances");
    std::fs::create_dir(&instances).unwrap();
    std::fs::set_permissions(&instances, PermissionsExt::from_mode(0o755)).unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    assert_eq!(std::fs::metadata(&instances).unwrap().mode() & 0o777, 0o700);
    drop(server);
}

#[test]
fn a_key_that_others_can_read_becomes_private() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("admin.key");
    assert!(create_key(folder.path()).status.success());
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let output = create_key(folder.path());
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("admin.key could be read by other users"));
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
}
