use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use peermux::NodeRecord;
use peermux::addrbook::{Change, RedbStore, Store, Table};

use crate::folder::Folder;
use crate::process::{Peermux, run};

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("it is there");
    metadata.permissions().mode() & 0o777
}

fn key_of(enode: &str) -> &str {
    enode.split('@').next().expect("a part")
}

#[test]
fn holds_a_key_that_is_made_once_and_for_its_owner_alone() {
    let folder = Folder::new();
    let home = folder.text("deep/home");
    let (node, first) = Peermux::listen(&["--data-dir", &home]);
    node.terminated().succeeded();
    assert_eq!(mode(Path::new(&home)), 0o700);
    assert_eq!(mode(&folder.path("deep/home/key")), 0o600);
    let secret = fs::read_to_string(folder.path("deep/home/key")).expect("text");

    let (node, second) = Peermux::listen(&["--data-dir", &home]);
    assert_eq!(key_of(&first), key_of(&second));
    node.terminated().succeeded();

    let given = "00000000000000000000000000000000000000000000000000000000000000dd";
    let (node, third) = Peermux::listen(&["--data-dir", &home, "--key", given]);
    assert_ne!(key_of(&first), key_of(&third));
    node.terminated().succeeded();
    let kept = fs::read_to_string(folder.path("deep/home/key")).expect("text");
    assert_eq!(kept, secret);
}

#[test]
fn a_damaged_address_book_is_told_of_and_kept() {
    let folder = Folder::new();
    let garbage = "no address book ".repeat(1000);
    let book = folder.file("addresses.redb", &garbage);
    let home = folder.text("");
    let arguments = ["listen", "--addr", "127.0.0.1:0", "--data-dir", &home];
    let (line, output) = run(&arguments).failed();
    assert!(
        line.starts_with(&format!("address book {book} is damaged (")),
        "{line}"
    );
    let kept = format!("{book}.damaged-1");
    assert!(
        line.ends_with(&format!(
            "was renamed to {kept}; start again to begin with an empty one"
        )),
        "{line}"
    );
    assert!(output.is_empty(), "{output:?}");
    assert_eq!(fs::read_to_string(kept).expect("it is there"), garbage);
    let (node, _) = Peermux::listen(&["--data-dir", &home]);
    node.terminated().succeeded();
}

#[test]
fn a_newer_address_book_is_told_of_and_left_alone() {
    let folder = Folder::new();
    let home = folder.text("");
    let (node, _) = Peermux::listen(&["--data-dir", &home]);
    node.terminated().succeeded();
    let version = Change::new(Table::Meta, b"version", Some(99u32.to_be_bytes().to_vec()));
    let store = RedbStore::open(folder.path("addresses.redb"));
    store
        .and_then(|mut store| store.commit(&[version]))
        .expect("written");
    for _ in 0..2 {
        let (line, _) = run(&["listen", "--addr", "127.0.0.1:0", "--data-dir", &home]).failed();
        assert!(
            line.contains("addresses.redb was written by a newer peermux (format 99, "),
            "{line}"
        );
        assert!(line.ends_with("or move the file away to begin with an empty one"));
    }
}

#[test]
fn the_number_of_the_own_record_goes_on_after_a_restart() {
    let folder = Folder::new();
    let home = folder.text("");
    let record = || {
        let address = ["listen", "--addr", "127.0.0.1:0", "--json", "--data-dir"];
        let mut node = Peermux::start(&[&address[..], &[&home]].concat());
        node.event("listening");
        let record = node.event("record")["record"].clone();
        node.terminated().succeeded();
        let record = record.as_str().expect("a record").parse::<NodeRecord>();
        record.expect("a valid one")
    };
    let (first, second) = (record(), record());
    // The sequence number has grown by one, because the system has chosen other ports.
    assert_eq!(second.seq(), first.seq() + 1);
    assert_eq!(second.node_id(), first.node_id());
}

#[test]
fn is_for_one_node_at_a_time() {
    let folder = Folder::new();
    let home = folder.text("home");
    let (_node, _) = Peermux::listen(&["--data-dir", &home]);
    let (line, _) = run(&["listen", "--addr", "127.0.0.1:0", "--data-dir", &home]).failed();
    assert!(line.contains("is open in another process; "), "{line}");
}

#[test]
fn a_folder_that_cannot_be_made_is_a_failure() {
    let folder = Folder::new();
    let home = format!("{}/home", folder.file("file", ""));
    let (line, _) = run(&["listen", "--data-dir", &home]).failed();
    assert!(
        line.starts_with(&format!("cannot make data directory {home}: ")),
        "{line}"
    );
}

#[test]
fn a_folder_that_others_can_change_or_a_link_to_one_is_refused() {
    let folder = Folder::new();
    let home = folder.text("home");
    let (node, _) = Peermux::listen(&["--data-dir", &home]);
    node.terminated().succeeded();
    let refused = |home: &str| {
        let arguments = ["listen", "--addr", "127.0.0.1:0", "--data-dir", home];
        let (line, output) = run(&arguments).failed();
        assert!(output.is_empty(), "{output:?}");
        line
    };
    folder.set_mode("home", 0o775);
    assert_eq!(
        refused(&home),
        format!(
            "data directory {home} can be changed by others (mode 0775); run `chmod go-w {home}`, or give a folder within it"
        )
    );
    folder.set_mode("home", 0o755);
    symlink("home", folder.path("link")).expect("a link");
    let link = folder.text("link");
    for named in [&link, &format!("{link}/")] {
        assert_eq!(
            refused(named),
            format!(
                "data directory {link} is a symbolic link; give the path it leads to, \"home\""
            )
        );
    }
    for (file, what) in [("key", "key file"), ("addresses.redb", "address book")] {
        let path = format!("{home}/{file}");
        let name = format!("home/{file}");
        folder.set_mode(&name, 0o660);
        assert_eq!(
            refused(&home),
            format!("{what} {path} is open to others (mode 0660); run `chmod 600 {path}`")
        );
        folder.set_mode(&name, 0o600);
        fs::rename(&path, folder.path(file)).expect("ours");
        symlink(folder.path(file), &path).expect("a link");
        assert!(refused(&home).starts_with(&format!("{what} {path} is a symbolic link; ")));
        fs::rename(folder.path(file), &path).expect("ours");
    }
    // The folder is accepted although other users may list it.
    let (node, _) = Peermux::listen(&["--data-dir", &home]);
    node.terminated().succeeded();
}

/// Runs as root only, because only root can change the owner of a folder.
#[test]
fn a_folder_of_another_user_is_refused() {
    let folder = Folder::new();
    let home = folder.text("home");
    fs::create_dir(&home).expect("a folder");
    if let Err(error) = chown(&home, Some(65534), None) {
        eprintln!("not tested, since the owner of the folder cannot be changed: {error}");
        return;
    }
    let (line, _) = run(&["listen", "--data-dir", &home]).failed();
    assert_eq!(
        line,
        format!(
            "data directory {home} belongs to user 65534, not to user 0 or root; run `chown 0 {home}`"
        )
    );
}

#[test]
fn who_was_met_is_met_again_after_a_restart() {
    let folder = Folder::new();
    let home = folder.text("home");
    let (_other, enode) = Peermux::listen(&[]);
    let remembers = ["--data-dir", &home, "--private-networks"];
    let (mut node, _) = Peermux::listen(&[&remembers[..], &["--static", &enode]].concat());
    let met = node.event("peer_add");
    node.terminated();
    let (mut node, _) = Peermux::listen(&remembers);
    let again = node.event("peer_add");
    assert_eq!(again["node_id"], met["node_id"]);
    assert_eq!(again["direction"], "outbound");
}

/// The path of a Unix socket can have at most 107 bytes.
#[test]
fn a_path_that_is_too_long_for_a_socket_stops_no_node() {
    let folder = Folder::new();
    let home = folder.text(&"x".repeat(120));
    let (mut node, _) = Peermux::listen(&["--data-dir", &home]);
    node.log("the node runs without an admin socket, --admin PATH gives it another path");
    let (line, _) = run(&["peers", "--data-dir", &home]).failed();
    assert!(line.contains("a shorter one with --admin PATH"), "{line}");
    assert_eq!(node.terminated().code, Some(0));

    let admin = folder.text("admin");
    let (node, _) = Peermux::listen(&["--data-dir", &home, "--admin", &admin]);
    assert_eq!(run(&["peers", "--admin", &admin]).succeeded(), ["no peers"]);
    node.terminated().succeeded();
    let arguments = [
        "listen",
        "--addr",
        "127.0.0.1:0",
        "--admin",
        &format!("{home}/admin"),
    ];
    let (line, _) = run(&arguments).failed();
    assert!(line.starts_with("cannot listen at admin socket "), "{line}");
}
